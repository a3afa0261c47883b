"""Writing and locks where the system has less than Linux, modes, JSON that every reader takes."""

import json
import os

import numpy as np
import pytest

from keras_evae import files
from keras_evae.errors import DataError, validate_json
from keras_evae.files import append_line, hold_lock, json_text, sync_folder, write_whole


def test_without_locks_and_folder_fsync(tmp_path, monkeypatch, caplog):
    """As on Windows: one line says what is missing, the rest works."""
    monkeypatch.setattr(files, "fcntl", None)
    monkeypatch.delattr(os, "O_DIRECTORY")
    with hold_lock(tmp_path / "run" / ".lock"):
        write_whole(tmp_path / "run" / "file", b"content")
        sync_folder(tmp_path / "run")
    assert [file.name for file in (tmp_path / "run").iterdir()] == ["file"]
    assert caplog.messages == [
        f"{tmp_path / 'run'}: this system has no locks; let no other process work in this folder"
    ]


def test_lock_files_follow_the_umask(tmp_path):
    before = os.umask(0o002)
    try:
        with hold_lock(tmp_path / ".lock"):
            assert (tmp_path / ".lock").stat().st_mode & 0o777 == 0o664
    finally:
        os.umask(before)


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
