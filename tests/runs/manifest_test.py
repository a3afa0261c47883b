"""What a run and its results must be: no damage changes what is reported in silence."""

import errno
import json
import math
import os
import random
import shutil

import pytest

from keras_evae import files
from keras_evae.errors import DataError, DiskError, EVAEError, MismatchError
from keras_evae.evaluation.recipes import RECIPES, evaluate
from keras_evae.evaluation.report import collect_sections, write_report
from keras_evae.minima.certificate import Candidate, _read_known, _remembered, _seal
from keras_evae.runs.manifest import begin_manifest, read_listed, write_listed
from keras_evae.runs.run import load_run
from tests.helpers.damage import flip, random_flips


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


def test_keys_that_weights_do_not_depend_on_may_change(run):
    text = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(text.replace("checkpoint_minutes: 5", "checkpoint_minutes: 7"))
    (run / "manifest.sha256").unlink()
    assert len(load_run(run).stages) == 4


def test_a_run_of_an_earlier_version_is_opened_and_says_so(run, caplog):
    (run / "manifest.sha256").unlink()
    with caplog.at_level("INFO", "keras_evae"):
        load_run(run)
    assert "no manifest" in caplog.text


@pytest.mark.parametrize("value", [[], None, "text", {"train": 3}, {"train": {"loss": [1]}}])
def test_metrics_of_another_kind_are_named(run, value):
    stage = sorted((run / "stages").iterdir())[0]
    record = json.loads((stage / "metrics.json").read_text()) | {"metrics": value}
    from keras_evae.runs.stage_folder import _read_record

    (stage / "metrics.json").write_text(json.dumps(record))
    with pytest.raises(DataError, match="metrics.json: metrics.*: Input should be") as caught:
        _read_record(stage / "metrics.json")
    assert "\n" not in str(caught.value)


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


def test_best_known_energies_are_strict_json(tmp_path):
    """A search that finds nothing has no energy, and comes back as it was."""
    found = Candidate("triangular skyrmion lattices", math.inf, "none fits the lattice")
    assert _remembered(tmp_path, {"a": 1}, lambda: found) == found
    assert "Infinity" not in (tmp_path / "best_known.json").read_text()
    assert _remembered(tmp_path, {"a": 1}, lambda: pytest.fail("searched again")) == found


def test_damaged_best_known_energies_are_searched_again(tmp_path):
    file, found = tmp_path / "best_known.json", Candidate("slow anneals", -1.5, "8 slow anneals")
    content = json.dumps({"key": {**found.__dict__, "sha256": _seal("key", found)}}).encode()
    for flipped in random_flips(content, 300):
        file.write_bytes(flipped)
        assert _read_known(file).get("key", found) == found
