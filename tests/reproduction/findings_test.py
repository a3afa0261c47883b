"""Text that takes its numbers from files."""

import pytest

from keras_evae.errors import DataError
from keras_evae.reproduction.findings import write_out_findings


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "losses.csv").write_text("run,beta,L_RC\na,0.001,0.125\nb,0.001,0.25\nb,0.01,0.5\n")
    return tmp_path


def written(folder, text):
    (folder / "findings.md").write_text(text)
    return write_out_findings(folder / "findings.md")


def test_numbers_from_files(folder):
    assert written(folder, '{{ "%.2f" | format(line("losses.csv", run="b", beta=1e-2).L_RC) }}') == "0.50"
    assert written(folder, '{{ lines("losses.csv", beta=0.001) | map(attribute="run") | join }}') == "ab"


def test_no_findings(folder):
    assert write_out_findings(folder / "missing.md") == ""


@pytest.mark.parametrize(
    "text",
    [
        '{{ line("losses.csv", beta=1e-3).L_RC }}',
        '{{ line("losses.csv", beta=1.0).L_RC }}',
        '{{ line("losses.csv", gamma=1.0).L_RC }}',
        '{{ line("losses.csv", run="a").L_KL }}',
        '{{ lines("absent.csv") }}',
        "{{ lines( }}",
        '{{ "%.2f" | format(line("losses.csv", run="a").run) }}',
    ],
)
def test_a_template_that_does_not_fit(folder, text):
    with pytest.raises(DataError, match=r"findings.md: expected"):
        written(folder, text)
