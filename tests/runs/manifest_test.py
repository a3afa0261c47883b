"""What a run and its results must be: no damage changes what is reported in silence."""

import errno
import os
import random
import shutil

import pytest

from keras_evae import files
from keras_evae.errors import DataError, DiskError, EVAEError, MismatchError
from keras_evae.evaluation.recipes import RECIPES, evaluate
from keras_evae.evaluation.report import collect_sections, write_report
from keras_evae.runs.manifest import begin_manifest, read_listed, write_listed
from keras_evae.runs.run import load_run
from tests.helpers.damage import flip


@pytest.fixture(scope="module")
def evaluated(smoke_folder, tmp_path_factory):
    """The finished smoke run with the results of two recipes."""
    run = shutil.copytree(smoke_folder / "runs" / "smoke", tmp_path_factory.mktemp("runs") / "run")
    evaluate(run, ["losses", "convergence"], run / "evaluation")
    return run


@pytest.fixture
def run(evaluated, tmp_path):
    """A copy of it."""
    return shutil.copytree(evaluated, tmp_path / "run")


def reported(folder):
    """All that a report says, but for its date, and the weights of each stage."""
    run = load_run(folder)
    output = folder / "evaluation"
    page = write_report([run], collect_sections([], RECIPES, output), {}, output).read_text()
    return [line for line in page.splitlines() if " UTC" not in line], [stage.weights.name for stage in run.stages]


def damages(content, count, seed):
    """Truncations and flipped bits."""
    draw = random.Random(seed)
    for _ in range(count):
        if draw.random() < 0.3:
            yield content[: draw.randrange(len(content))]
        else:
            yield flip(content, draw.randrange(8 * len(content)))


@pytest.mark.parametrize("count", [1, pytest.param(40, marks=pytest.mark.slow)])
def test_no_damage_gives_another_report_in_silence(run, count):
    expected, noticed, tried = reported(run), 0, 0
    files = [
        run / "config.yaml",
        run / "environment.json",
        *(run / "evaluation").glob("[!r]*"),
        *run.glob("stages/*/*"),
    ]
    for number, file in enumerate(sorted(files)):
        content = file.read_bytes()
        for damaged in damages(content, count, number):
            if damaged == content:
                continue
            file.write_bytes(damaged)
            tried += 1
            try:
                assert reported(run) == expected, file
            except EVAEError as error:
                noticed += 1
                assert "\n" not in str(error)
        file.write_bytes(content)
    # CSV files and the manifests' other lines are not read again.
    assert reported(run) == expected and noticed > tried / 2


def test_full_disk_while_results_are_written(run, monkeypatch):
    """What was there before stays, and nothing half written."""
    folder, publish, full = run / "evaluation", files.publish, []

    def publish_or_fail(partial, path):
        if path.name in full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        publish(partial, path)

    monkeypatch.setattr(files, "publish", publish_or_fail)
    before = {file.name for file in folder.iterdir()}
    for full[:] in (["losses.json"], ["report.html"]):
        with pytest.raises(DiskError, match=f"{full[0]}: the disk is full; make room. Finished work") as caught:
            evaluate(run, ["losses"], folder, report=True)
        assert caught.value.exit_code == 5 and "\n" not in str(caught.value)
        assert {file.name for file in folder.iterdir()} == before


@pytest.mark.parametrize(("old", "new"), [("J: 1.0", "J: 2.0"), ("  seed: 0", "  seed: 1")])
def test_another_configuration_than_the_weights_were_trained_with(run, old, new):
    text = (run / "config.yaml").read_text()
    assert old in text
    (run / "config.yaml").write_text(text.replace(old, new))
    with pytest.raises(DataError, match=r"config.yaml: truncated, damaged or changed .*manifest.sha256"):
        load_run(run)
    (run / "manifest.sha256").unlink()
    with pytest.raises(MismatchError, match=r"(hamiltonian.J|seed): trained with .*, but the configuration"):
        load_run(run)


def test_lines_of_a_manifest(tmp_path):
    """A kill between the line and its file leaves the old file, which an earlier line describes."""
    file = tmp_path / "a.json"
    begin_manifest(tmp_path)
    write_listed(file, b"old")
    content = file.read_bytes()
    write_listed(file, b"new")
    assert read_listed(file) == b"new"
    file.write_bytes(content)
    assert read_listed(file) == b"old"
    file.write_bytes(b"other")
    with pytest.raises(DataError, match="a.json: truncated, damaged or changed"):
        read_listed(file)
