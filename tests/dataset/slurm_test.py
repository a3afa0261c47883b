"""The example for Slurm, with real dask-jobqueue and TLS, where `sbatch` is a stand-in that starts the job here."""

import os

import pytest

from keras_evae.dataset import generate_dataset
from tests.helpers.commands import ROOT, run_python
from tests.helpers.dataset_cases import CONFIG, digest, of_size

SBATCH = """#!/bin/bash
job=$(mktemp {folder}/job.XXXXXX); cp "$1" "$job"
setsid bash "$job" > "$job.log" 2>&1 &
echo "Submitted batch job $!"
"""
SCANCEL = """#!/bin/bash
kill -- -"$1"
"""


@pytest.fixture
def path(tmp_path):
    """Of programs, the first of which are stand-ins for those of Slurm."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for name, text in (("sbatch", SBATCH.format(folder=programs)), ("scancel", SCANCEL)):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    return f"{programs}:{os.environ['PATH']}"


def test_slurm_example_gives_the_bits_of_the_threads(tmp_path, path):
    pytest.importorskip("dask_jobqueue")
    pytest.importorskip("cryptography")
    text = (ROOT / "docs" / "slurm_annealing.py").read_text()
    resources = '= 8, 16, "16GB", "02:00:00"'
    assert resources in text
    script = tmp_path / "slurm_annealing.py"
    script.write_text(text.replace(resources, '= 2, 1, "1GB", "00:10:00"'))
    (tmp_path / "run.yaml").write_text(CONFIG.format(train=200))
    result = run_python(tmp_path, script, "run.yaml", PATH=path)
    assert result.returncode == 0, result.stderr
    assert "Annealing on the Dask cluster at tls://" in result.stdout
    assert (tmp_path / ".dask-secrets").stat().st_mode & 0o077 == 0
    generate_dataset(tmp_path / "whole.h5", of_size(200))
    assert digest(tmp_path / "data" / "spins.h5") == digest(tmp_path / "whole.h5")
