"""The page from a smoke run: whole, with all that it links to, and honest about what is missing."""

import csv
import dataclasses
import json
import re
import shlex
import shutil
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
import yaml

from keras_evae.config import load_config
from keras_evae.errors import EVAEError
from keras_evae.reproduction import page, results
from keras_evae.reproduction.__main__ import main, parse_arguments
from keras_evae.reproduction.statements import STATEMENTS
from keras_evae.runs import config_differences


@pytest.fixture
def make(smoke_folder, tmp_path, monkeypatch):
    """The command with some quick recipes, on the smoke run."""
    monkeypatch.chdir(smoke_folder)
    monkeypatch.setattr(results, "CHANGED", ("losses",))
    monkeypatch.setattr(results, "SYSTEM", ("losses", "reconstructions", "fft_mse", "convergence", "interpolation"))

    def call(*arguments):
        line = ["reproduction", "--evae", "runs/smoke", "--output", str(tmp_path), "--work", str(tmp_path / "work")]
        monkeypatch.setattr("sys.argv", [*line, *arguments])
        main(parse_arguments())
        return (tmp_path / "reproduction.md").read_text()

    return call


def test_page_of_a_smoke_run(make, tmp_path):
    text = make()
    for link in re.findall(r"\]\((reproduction/[^)#]+)\)", text):
        assert (tmp_path / link).exists(), link
    # A row for each statement, as many cells as the header has.
    rows = [line for line in text.splitlines() if re.match(r"\| \d+ \| 3", line)]
    assert len(rows) == len(STATEMENTS)
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {9}
    assert "    python train.py --config" in text
    assert "falls by" in text and "holds" in text and "no run decides it yet" in text
    with open(tmp_path / "reproduction" / "claims.csv", newline="") as stream:
        claims = list(csv.DictReader(stream))
    assert {claim["runs"] for claim in claims} == {"smoke", ""}
    assert json.loads((tmp_path / "reproduction" / "claims.json").read_text())[0]["rule"] == claims[0]["rule"]
    assert "not yet; the runs lack the stages" in text and "Samples per second are not recorded" in text


def test_the_page_alone_again_with_findings(make, tmp_path, monkeypatch):
    assert "| smoke | smoke | nothing in the configuration |" in make("--changed", "runs/smoke")
    (tmp_path / "reproduction" / "findings.md").write_text(
        '{{ lines("claims_changed.csv") | length }} claims of the changed run.\n'
    )
    (tmp_path / "reproduction" / "throughput.json").write_text('{"fed_samples_per_s": 300, "size": 128, "batch": 100}')
    stale = tmp_path / "reproduction" / "tables" / "of_another_run.csv"
    stale.write_text("old\n")
    monkeypatch.setattr(results, "make_section", lambda *arguments: pytest.fail("nothing is to be made again"))
    text = make("--changed", "runs/smoke", "--only")
    with open(tmp_path / "reproduction" / "claims_changed.csv", newline="") as stream:
        changed = list(csv.DictReader(stream))
    # The same run: what differs does so in both.
    assert changed and {claim["holds"] for claim in changed} == {"does not hold"}
    assert f"{len(changed)} claims of the changed run." in text
    assert "300 samples/s" in text and "falls by" in text and not stale.exists()


def test_command_of_a_run_says_what_differs_from_its_file(smoke_folder, tmp_path, monkeypatch):
    """And makes a run of the same configuration, though the file has changed since."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(smoke_folder / "runs/smoke", "runs/trained")
    run = results.load_run("runs/trained")
    given = ["train.py", "--set", "training.seed=3", "--config", "changed.yaml"]
    (run.path / "environment.json").write_text(json.dumps({"command": given}))
    config = run.config.model_dump(mode="json")
    config["training"]["gradient_clip_norm"] = 5.0
    config["evae"]["gammas"] = [1e-6, 1.0]
    config["dataset"]["path"] = "data/other data.h5"
    Path("changed.yaml").write_text(yaml.safe_dump(config))
    line = shlex.split(page.training_command(run))
    assert line[:4] == ["python", "train.py", "--config", "changed.yaml"] and line[-2:] == ["--output", "runs/trained"]
    assert set(line[4:-2:2]) == {"--set"} and len(line[5:-2:2]) == 3
    assert config_differences(load_config("changed.yaml", line[5:-2:2]), run.config) == {}
    (run.path / "environment.json").write_text("{}")
    assert page.training_command(run) == "trained: no command recorded"


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--only", "losses", "loses"], "--only: expected some of"),
        (["--convergence", "runs/young"], "expected a run of --vae or --evae with a finished stage"),
    ],
)
def test_what_cannot_be_made(make, smoke_folder, tmp_path, monkeypatch, arguments, problem):
    run = results.load_run("runs/smoke")
    monkeypatch.setattr(results, "load_run", lambda folder: dataclasses.replace(run, stages=()))
    with pytest.raises(EVAEError, match=problem):
        make(*arguments)


@pytest.mark.parametrize(("noise", "exact"), [(0.0, True), (0.02, False)])
def test_pictures_that_are_small_and_look_the_same(tmp_path, noise, exact):
    """A smooth picture is copied as it is; one that does not compress loses what the eye does not see."""
    ramp = np.linspace(0.1, 0.9, 400)
    image = np.stack(np.broadcast_arrays(ramp, ramp[:, None], 0.5), axis=-1)
    image += np.random.default_rng(0).uniform(-noise, noise, image.shape)
    matplotlib.image.imsave(tmp_path / "large.png", image)
    page.shrink_picture(tmp_path / "large.png", tmp_path / "small.png")
    before, after = (matplotlib.image.imread(tmp_path / f"{name}.png")[..., :3] for name in ("large", "small"))
    assert (tmp_path / "small.png").stat().st_size <= page.LARGEST
    assert np.abs(before - after).max() <= (0.0 if exact else 8.5 / 255)


def test_a_bar_or_a_bracket_does_not_break_a_table():
    assert page.markdown_cell("|m_z| <b>\nx") == "\\|m_z\\| &lt;b> x"
