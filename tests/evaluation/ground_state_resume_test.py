"""A search that is killed and started again ends with the results of one that was left alone."""

import json
import signal

import h5py
import pytest

from tests.helpers.commands import run_python
from tests.helpers.killed_search import CONFIG


def search(folder, output, *moment):
    return run_python(folder, "-m", "tests.helpers.killed_search", "tiny.yaml", output, *moment)


def lasting(output):
    """The results without what tells of CPU time, which no two starts share."""
    section = json.loads((output / "ground_state.json").read_text())
    for table in section["tables"]:
        timed = [column for column in ("cpu_seconds", "detail") if column in table["header"]]
        columns = [table["header"].index(column) for column in timed]
        table["rows"] = [[cell for k, cell in enumerate(row) if k not in columns] for row in table["rows"]]
    return section


def probes(output):
    return sorted(path.name for path in (output / "beta_0.0001" / "seed_0" / "probes" / "stages").glob("[0-9]*"))


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_killed_inside_a_probe_and_between_two(tmp_path):
    (tmp_path / "tiny.yaml").write_text(CONFIG.format(folder=tmp_path))
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    first = search(tmp_path, whole)
    assert first.returncode == 0, first.stderr

    # Two epochs make a probe, each with a checkpoint at its end.
    assert search(tmp_path, killed, "write", "4").returncode == -signal.SIGKILL
    assert probes(killed) == probes(whole)[:1]
    checkpoint = killed / "beta_0.0001" / "seed_0" / "probes" / "checkpoint.npz"
    assert checkpoint.is_file()
    # The second probe is finished from its checkpoint, and this start dies before that is removed.
    assert search(tmp_path, killed, "saved").returncode == -signal.SIGKILL
    assert probes(killed) == probes(whole)[:2] and checkpoint.is_file()

    last = search(tmp_path, killed)
    assert last.returncode == 0, last.stderr
    assert probes(killed) == probes(whole) and not checkpoint.exists()
    assert lasting(killed) == lasting(whole)
    with h5py.File(whole / "candidates.h5") as expected, h5py.File(killed / "candidates.h5") as found:
        assert found["spins"][()].tobytes() == expected["spins"][()].tobytes()
