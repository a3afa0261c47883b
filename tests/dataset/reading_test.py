"""Hostile and faulty files: nothing is read from elsewhere or takes memory that is not there; faults have names."""

import errno
import os
import subprocess
import sys
import zipfile

import h5py
import numpy as np
import pytest

from keras_evae.dataset import read_split
from keras_evae.dataset.reading import open_arrays
from keras_evae.errors import DataError, DiskError, LockedError, ResourceError, reading_fault
from tests.helpers.damage import random_flips


def write(path, **options):
    with h5py.File(path, "w", libver="latest") as file:
        file.create_dataset("x", data=np.arange(12.0).reshape(4, 3), **options)


def read(path, name="x", memory=lambda: 10**9):
    with open_arrays(path, memory) as arrays:
        return arrays[name][:]


@pytest.fixture
def path(tmp_path):
    write(tmp_path / "spins.h5", chunks=(1, 3), fletcher32=True)
    return tmp_path / "spins.h5"


def external_storage(path):
    with h5py.File(path, "w") as file:
        file.create_dataset("x", (4,), "u1", external=[("/etc/hostname", 0, 4)])


def external_link(path):
    write(path.with_name("other.h5"))
    with h5py.File(path, "w") as file:
        file["x"] = h5py.ExternalLink("other.h5", "/x")


def virtual_set(path):
    write(path.with_name("other.h5"))
    layout = h5py.VirtualLayout((4, 3), "f8")
    layout[:] = h5py.VirtualSource(path.with_name("other.h5"), "x", (4, 3))
    with h5py.File(path, "w") as file:
        file.create_virtual_dataset("x", layout)


@pytest.mark.parametrize("hostile", [external_storage, external_link, virtual_set])
def test_data_in_another_file_are_refused(path, hostile):
    hostile(path)
    with pytest.raises(DataError, match="spins.h5: .*(lie in other files|leads elsewhere)"):
        read(path)


def compressed_zeros(path):
    with h5py.File(path, "w") as file:
        file.create_dataset("x", (10**7, 10**6), chunks=(10**5, 1000), compression="gzip")
    return path


def large_archive(path):
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000, 1000), }"
    content = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(8 * 10**6)
    with zipfile.ZipFile(path.with_suffix(".npz"), "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", content)
    return path.with_suffix(".npz")


@pytest.mark.parametrize("hostile", [compressed_zeros, large_archive])
def test_sizes_are_compared_with_the_memory(path, hostile):
    with pytest.raises(ResourceError, match=r"its arrays need .* GB of memory, found 0.00 GB available"):
        read(hostile(path), memory=lambda: 10**6)
    # HDF5 unpacks a chunk as a whole.
    with open_arrays(compressed_zeros(path), lambda: 10**6) as arrays, pytest.raises(ResourceError):
        arrays["x"][:1, :1]


def test_headers_and_flipped_bits_of_arrays(tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((2, 3)))
    content = (tmp_path / "x.npy").read_bytes()
    (tmp_path / "x.npy").write_bytes(content.replace(b"(2, 3)", b"(9, 3)"))
    with pytest.raises(DataError, match=r"x.npy: truncated or damaged .*declares float64 \(9, 3\)"):
        read(tmp_path / "x.npy")
    file = tmp_path / "x.npz"
    np.savez(file, x=np.arange(12.0))
    for flipped in random_flips(file.read_bytes(), 200):
        file.write_bytes(flipped)
        try:
            found = read(file)
        except DataError:
            continue
        np.testing.assert_array_equal(found, np.arange(12.0))


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_slices_of_an_archive(tmp_path, save, order):
    values = np.asarray(np.random.default_rng(0).normal(size=(50, 4, 3)), order=order)
    save(tmp_path / "x.npz", x=values)
    with open_arrays(tmp_path / "x.npz") as arrays:
        for key in (slice(10, 20), slice(20, None), slice(0, 3), slice(None, None, 7), slice(60, 70), 5, (2, ..., 0)):
            np.testing.assert_array_equal(arrays["x"][key], values[key])


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("value", [1e300, np.nan, -np.inf])
def test_values_beyond_single_precision(tmp_path, value):
    spins = np.zeros((3, 4, 4, 3))
    spins[2, 1] = value
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["train/spins"], file["train/energy"], file["train/charge"] = spins, np.zeros(3), np.zeros(3)
    with pytest.raises(DataError, match="x.h5: expected finite spins in single precision"):
        read_split(tmp_path / "x.h5", "train")
    np.testing.assert_array_equal(read_split(tmp_path / "x.h5", "train", 2), spins[:2])


def test_open_for_writing_elsewhere(path):
    code = f"import h5py; file = h5py.File({str(path)!r}, 'a'); print(flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=-1, stdout=-1) as writer:
        writer.stdout.readline()
        with pytest.raises(LockedError, match="another program has it open for writing; close it there"):
            read(path)
        writer.communicate(b"\n")
    assert read(path).shape == (4, 3)


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (OSError("unable to lock file, errno = 37, error message = 'No locks available'"), DiskError, "has no locks"),
        (PermissionError(errno.EACCES, "denied"), DiskError, "ask its owner"),
        (OSError(errno.EIO, os.strerror(errno.EIO)), DiskError, "the disk fails, the file may be sound"),
        (OSError("file read failed, errno = 5, error message = 'Input/output error'"), DiskError, "may be sound"),
        (FileNotFoundError(errno.ENOENT, "no"), DataError, "found no file"),
        (MemoryError("Unable to allocate"), ResourceError, "fits into memory"),
        (OSError("file signature not found"), DataError, "move it away"),
        (OSError("data error detected by Fletcher32 checksum"), DataError, "truncated or damaged .*; delete it"),
    ],
)
def test_faults_are_told_apart(error, kind, words):
    fault = reading_fault("file.h5", error, "delete it")
    assert type(fault) is kind
    with pytest.raises(kind, match=f"file.h5: .*{words}"):
        raise fault
    # Deletion is the cure of shown damage alone.
    assert ("delete" in str(fault)) == ("truncated or damaged" in str(fault))
