"""Writing and locks where the system has less than Linux, modes, JSON that every reader takes."""

import json

import numpy as np
import pytest

from keras_evae.errors import DataError, validate_json
from keras_evae.files import append_line, json_text


def test_json_has_no_infinity():
    values = {"a": [np.float32("inf"), float("nan"), 1.5, True, None, "x"], "b": (np.int64(2),)}
    assert json.loads(json_text(values)) == {"a": [None, None, 1.5, True, None, "x"], "b": [2]}
    for word in ("NaN", "Infinity", "-Infinity"):
        with pytest.raises(DataError, match="file.json: Invalid JSON: .*; restore it"):
            validate_json("file.json", f'{{"a": [{word}]}}', dict)


def test_a_torn_line_does_not_spoil_the_next(tmp_path):
    for before, after in ((b"", b"new\n"), (b"old\n", b"old\nnew\n"), (b"old\nto", b"old\nto\nnew\n")):
        (tmp_path / "lines").write_bytes(before)
        append_line(tmp_path / "lines", "new")
        assert (tmp_path / "lines").read_bytes() == after
