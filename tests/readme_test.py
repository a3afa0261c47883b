"""README and docs/: short, with links that resolve, commands and modules that exist, and an example that runs."""

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest

import keras_evae

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PAGES = [README, ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
COMMANDS = (
    "evae-train", "evae-evaluate", "evae-anneal", "evae-generate", "evae-import", "evae-ground-state", "evae-thermal",
)  # fmt: skip

pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def anchors(page):
    """The fragments of the headings of a page, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pages
def test_links_resolve(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if "://" in link:
            continue
        file, _, fragment = link.partition("#")
        target = page.parent / file if file else page
        assert target.exists(), link
        assert not fragment or fragment in anchors(target), link


def test_pages_are_short():
    assert len(README.read_text().splitlines()) <= 110
    assert len((ROOT / "docs" / "reproduction.md").read_text().splitlines()) <= 300


@pages
def test_files_that_texts_name_exist(page):
    text = page.read_text()
    named = re.findall(r"\b(?:configs|benchmarks|experiments|docs|keras_evae|tests)/[\w/.-]+\.(?:yaml|py|md)\b", text)
    assert [name for name in named if not (ROOT / name).is_file()] == []
    studies = re.findall(r"python -m experiments\.(\w+)", text)
    places = [(ROOT / "experiments" / f"{study}.py", ROOT / "experiments" / study / "__main__.py") for study in studies]
    assert [place for place in places if not any(path.is_file() for path in place)] == []
    # Names of configurations, but for NAME in capitals.
    names = re.findall(r"evae-[\w-]+ --config ([a-z]\w*(?:-\d)?)(?![\w./])", text)
    assert [name for name in names if not (ROOT / "configs" / f"{name}.yaml").is_file()] == []


def command_lines():
    """Each use of a command in the pages: the page, the command, its flags."""
    for page in PAGES:
        text = page.read_text()
        for command, rest in re.findall(
            r"\b(evae-(?:train|evaluate|anneal|generate|import|ground-state|thermal))\b([^\n`|&]*)", text
        ):
            yield page.name, command, set(re.findall(r"(?<!\S)--[a-z][a-z-]*", rest))


@pytest.mark.parametrize("command", COMMANDS)
def test_flags_that_texts_name_exist_and_the_guide_has_them_all(command):
    module = importlib.import_module(f"keras_evae.commands.{command.replace('-', '_')}")
    text = module.make_parser().format_help()
    known, flags = (set(re.findall(rf"{begin}(--[a-z][a-z-]*)", text, re.MULTILINE)) for begin in ("", "^  "))
    used = [(page, sorted(flags - known)) for page, name, flags in command_lines() if name == command]
    assert used and [each for each in used if each[1]] == []
    guide = (ROOT / "docs" / "guide.md").read_text()
    assert len(flags) > 2 and [flag for flag in sorted(flags) if flag not in guide] == []


@pages
def test_modules_that_texts_name_exist(page):
    named = set(re.findall(r"\bkeras_evae(?:\.\w+)+", page.read_text())) if page.name != "CHANGELOG.md" else set()
    assert [name for name in sorted(named) if not exists(name)] == []


def exists(name):
    """Whether a dotted name is a module, or something in one."""
    module, rest = name, []
    while not found(module):
        module, _, last = module.rpartition(".")
        rest.insert(0, last)
    thing = importlib.import_module(module)
    return module != "keras_evae" and len(rest) < 2 and all(hasattr(thing, each) for each in rest)


def found(module):
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def test_names_of_the_front_door():
    used = {name for page in PAGES for name in re.findall(r"\bev\.([A-Za-z]\w*)", page.read_text())}
    assert used and used <= set(keras_evae.__all__)


def test_example_of_the_readme_and_of_annealing(monkeypatch, capsys):
    monkeypatch.setenv("MPLBACKEND", "agg")
    example, run = examples(README)
    small = example.replace("shape=(128, 128)", "shape=(32, 32)")
    assert small != example and "load_run" in run
    exec(compile(small, "README.md", "exec", dont_inherit=True), {"__name__": "readme"})
    energy, charge, skyrmions = (float(word) for word in capsys.readouterr().out.split())
    assert -2.06 < energy < -2.0 and round(charge) == -int(skyrmions)
    page: dict = {"__name__": "page"}
    (example,) = examples(ROOT / "docs" / "annealing.md")
    exec(compile(example, "docs/annealing.md", "exec", dont_inherit=True), page)
    assert page["spins"].shape == (64, 64, 3)


def test_examples_of_the_page_on_formats(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    page: dict = {"__name__": "page"}
    for example in examples(ROOT / "docs" / "formats.md"):
        exec(compile(example, "docs/formats.md", "exec", dont_inherit=True), page)
    output = capsys.readouterr().out
    assert output.startswith("(1, 32, 48, 3)") and repr(page["film"]) in output and "D = 0.4499, B = 0.1093" in output


def test_example_of_the_page_on_temperature(capsys):
    (example,) = examples(ROOT / "docs" / "thermal.md")
    page: dict = {"__name__": "page"}
    exec(compile(example, "docs/thermal.md", "exec", dont_inherit=True), page)
    assert np.all(np.abs(page["result"].spin_temperature - [0.3, 0.5, 0.7]) < 0.03)


def examples(page):
    return re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)
