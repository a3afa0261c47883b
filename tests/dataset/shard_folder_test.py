"""Promises G1 and C1: generations that are killed at any moment end with the same bits, and no half file is seen."""

import json
import resource
import signal

import pytest

from keras_evae.dataset import generate_dataset
from tests.helpers.commands import ROOT, run_python
from tests.helpers.dataset_cases import SPECIFICATION, digest


def run_kills(mode, folder):
    result = run_python(ROOT, "-m", "tests.helpers.dataset_kills", mode, folder)
    assert result.returncode == 0, result.stderr
    return json.loads((folder / "record.json").read_text())


def test_c1_killed_at_each_commit_point(tmp_path):
    """After open, mid-write, before and after each fsync and rename, before the manifest, while shards are removed."""
    found = run_kills("each", tmp_path)
    assert len(found["records"]) > 40
    seen = [record["seen"] for record in found["records"]]
    # At first no file is there, then the whole one: never another.
    published = seen.index(found["whole"])
    assert set(seen[:published]) == {None} and set(seen[published:]) == {found["whole"]}
    for record in found["records"]:
        assert record["resumed"] == found["whole"]
        assert record["left"] == ["spins.h5"]


def test_g1_ten_random_kills_with_one_and_two_workers(tmp_path):
    found = run_kills("random", tmp_path)
    for workers in ("1", "2"):
        assert found[workers]["kills"] == 10 and not found[workers]["early"]
        assert found[workers]["there"] > 0
        assert found[workers]["digest"] == found["whole"]


@pytest.mark.parametrize("limit", [5_000, 40_000])
def test_c1_killed_by_the_kernel_inside_a_write(tmp_path, limit):
    """SIGXFSZ strikes in the middle of the first shard, then of the packed file."""
    code = (
        "import resource, signal, sys; from pathlib import Path\n"
        "from keras_evae.dataset import generate_dataset\n"
        "from tests.helpers.dataset_cases import SPECIFICATION\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_DFL)\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {resource.RLIM_INFINITY}))\n"
        "resource.setrlimit(resource.RLIMIT_CORE, (0, 0))\n"
        "generate_dataset(Path(sys.argv[1]), SPECIFICATION, longest_shard=2)"
    )
    path = tmp_path / "spins.h5"
    assert run_python(ROOT, "-c", code, path).returncode == -signal.SIGXFSZ and not path.exists()
    generate_dataset(path, SPECIFICATION, longest_shard=2)
    generate_dataset(tmp_path / "whole.h5", SPECIFICATION)
    assert digest(path) == digest(tmp_path / "whole.h5")
