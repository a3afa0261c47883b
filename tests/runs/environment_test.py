"""What a run folder says about where its bits come from."""

import pytest

from keras_evae.files import write_whole
from keras_evae.runs.checkpoints import CHECKPOINT
from keras_evae.runs.environment import ARITHMETIC, read_environment, record_arithmetic, record_start

HERE = {"processor": "AMD EPYC, AVX-512", "oneDNN": True, "threads": 2}
THERE = {"processor": "Intel Xeon, AVX2", "oneDNN": True, "threads": 4}


@pytest.fixture
def run(tmp_path):
    record_start(tmp_path)
    record_arithmetic(tmp_path, HERE)
    return tmp_path


def test_run_that_goes_on_elsewhere_says_so_in_one_line(run, caplog):
    write_whole(run / CHECKPOINT, b"state")
    places = [HERE, THERE, THERE, HERE]
    for place in places:
        record_arithmetic(run, place)
    there, back = [record.getMessage() for record in caplog.records]
    assert there.startswith("Going on with processor Intel Xeon, AVX2, before AMD EPYC, AVX-512; threads 4, before 2:")
    assert back.startswith("Going on with processor AMD EPYC, AVX-512, before Intel Xeon, AVX2; threads 2, before 4:")
    assert read_environment(run)[ARITHMETIC] == [HERE, THERE, HERE]


def test_run_that_has_kept_nothing_begins_anew(run, caplog):
    record_arithmetic(run, THERE)
    assert read_environment(run)[ARITHMETIC] == [THERE] and not caplog.records
