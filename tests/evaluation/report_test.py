"""The HTML report: complete, self-contained, escaped, and shown whole by a browser."""

import html
import re
import shutil
import subprocess
from html.parser import HTMLParser

import matplotlib.image
import numpy as np
import pytest

from keras_evae.errors import DataError
from keras_evae.evaluation.recipes import ALL, evaluate
from keras_evae.evaluation.report import collect_sections, write_report
from keras_evae.evaluation.results import Picture, Section, Table
from keras_evae.runs.run import load_run

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
HOSTILE = "<img src=x onerror=alert(1)><script>alert('&')</script>"
# Opens the report in a frame as wide as a phone, and writes what became of it into the page.
PHONE = """<!DOCTYPE html><title>waiting</title>
<iframe style="width: 390px; height: 844px; border: 0" srcdoc="{page}"></iframe>
<pre></pre><script>onload = () => {{
  const frame = document.querySelector("iframe"), page = frame.contentDocument;
  page.querySelectorAll("details").forEach(details => details.open = true);
  const images = [...page.images].map(image => image.naturalWidth);
  const asked = frame.contentWindow.performance.getEntriesByType("resource").map(entry => entry.name);
  const overflow = page.documentElement.scrollWidth - page.documentElement.clientWidth;
  const found = {{overflow, images, asked, scripts: page.scripts.length}};
  document.querySelector("pre").textContent = "RESULT" + JSON.stringify(found) + "END";
}}</script>"""


def render(*given):
    return write_report(*given).read_text()


def sections(text="<p>"):
    cells = [0.1, 3, None, text, *(float(number) for number in range(20))]
    return [
        Section(
            "losses",
            f"Figure 2: {text}",
            text,
            [Table("wide", text, [f"column_with_a_long_name_{number}" for number in range(24)], [cells] * 3)],
            [Picture("wide.png", text), Picture("small.png", text)],
            notes=[text],
        ),
        Section("bare", "Nothing in it", "A section without tables and pictures."),
    ]


@pytest.fixture
def output(tmp_path):
    for name, shape in (("wide", (200, 1800, 3)), ("small", (60, 80, 3))):
        matplotlib.image.imsave(tmp_path / f"{name}.png", np.zeros(shape))
    for section in sections():
        section.write(tmp_path)
    return tmp_path


class Page(HTMLParser):
    """Tags with their attributes, and the text between them."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.text += data

    def all(self, name):
        return [attributes for tag, attributes in self.tags if tag == name]


def test_page_holds_everything_and_asks_for_nothing(run, output):
    text = render([run], sections(), {"fft_mse": "no stage for it"}, output)
    page = Page(text)
    for part in ("Run smoke", "32 × 32", "Dzyaloshinskii-Moriya D = 0.3", "Not collapsed",
                 "runs/smoke --relax", "gammas:", "Left out: --fft-mse: no stage for it", "Nothing in it",
                 "dataset 0, training 0", "tensorflow 2.", "--config"):  # fmt: skip
        assert part in page.text
    assert [image["src"][:22] for image in page.all("img")] == ["data:image/png;base64,"] * 2
    assert all(image["alt"] and image["width"] for image in page.all("img"))
    assert not page.all("script") and "url(" not in text and "@import" not in text
    targets = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    assert {link["href"] for link in page.all("a")} <= {f"#{target}" for target in targets}
    assert [link["href"] for link in page.all("link")] == ["data:,"]


def test_hostile_text_is_only_text(run, output, tmp_path):
    folder = tmp_path / "<img src=x onerror=alert(1)><script>alert(1)"
    shutil.copytree(run.path, folder)
    page = Page(render([load_run(folder)], sections(HOSTILE), {"losses": HOSTILE}, output))
    assert not page.all("script")
    assert all(image["src"].startswith("data:") and "onerror" not in image for image in page.all("img"))
    assert HOSTILE in page.text and folder.name in page.text


def test_foreign_pictures_and_results_that_are_there(run, output):
    (output.parent / "secret.png").write_bytes((output / "small.png").read_bytes())
    section = Section("losses", "t", "", pictures=[Picture("../secret.png", "")])
    with pytest.raises(DataError, match="found none; make it again with --losses"):
        render([run], [section], {}, output)
    (output / "secret.png").write_text("no picture")
    with pytest.raises(DataError, match="found another file"):
        render([run], [section], {}, output)
    made = Section("losses", "new", "")
    assert collect_sections([made], ["reconstructions", "losses"], output) == [made]
    assert [section.title for section in collect_sections([], ["bare", "losses"], output)] == [
        "Nothing in it", "Figure 2: <p>"]  # fmt: skip
    (output / "losses.json").write_text("{")
    with pytest.raises(DataError, match="losses.json"):
        collect_sections([], ["losses"], output)
    with pytest.raises(DataError, match="evae-evaluate --all"):
        write_report([run], [], {}, output)


def test_everything_of_a_run(run, tmp_path, caplog):
    """--all, and then --report alone from the files that it left."""
    caplog.set_level("INFO")
    made = evaluate([run.path], ALL, tmp_path, report=True, tolerant=True)
    assert {section.name for section in made} >= {"losses", "reconstructions", "collapse", "fft_mse"}
    text = (tmp_path / "report.html").read_text()
    assert all(html.escape(section.title) in text for section in made)
    assert "Not collapsed" in text and f"report: {tmp_path / 'report.html'}" in caplog.text
    assert "Relaxed at T\u00a0=\u00a00, they become other states" in text and "has not been measured" not in text
    assert evaluate([run.path], [], tmp_path, report=True) == []
    assert Page((tmp_path / "report.html").read_text()).all("img") == Page(text).all("img")


def test_plain_vae_gives_sentences_instead_of_an_end(run, tmp_path):
    folder = shutil.copytree(run.path, tmp_path / "vae")
    text = (folder / "config.yaml").read_text()
    (folder / "manifest.sha256").unlink()
    (folder / "config.yaml").write_text(re.sub(r"(?ms)^evae:.*", "evae: null\n", text))
    with pytest.raises(DataError):
        evaluate([folder], ["fft_mse"], tmp_path / "strict")
    evaluate([folder], ["losses", "fft_mse"], tmp_path / "out", report=True, tolerant=True)
    page = Page((tmp_path / "out" / "report.html").read_text())
    assert "Left out: --fft-mse" in page.text and "need a run with an evae section" in page.text
    assert "there is no collapse to one state to look for" in page.text and len(page.all("img")) == 1


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_browser_shows_it_whole_on_a_phone(run, output):
    text = render([run], sections(HOSTILE), {"fft_mse": HOSTILE}, output)
    (output / "phone.html").write_text(PHONE.format(page=html.escape(text)))
    line = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            f"--user-data-dir={output / 'profile'}", "--dump-dom", f"file://{output / 'phone.html'}"]  # fmt: skip
    result = subprocess.run(line, capture_output=True, text=True)
    found = re.search("RESULT(.*?)END</pre>", result.stdout)
    assert found, result.stderr
    assert html.unescape(found[1]) == '{"overflow":0,"images":[1800,80],"asked":[],"scripts":0}'
