import pickle
import re

import h5py
import numpy as np
import pytest

from keras_evae.dataset.formats.spin_files import read_spins, read_states, write_spins
from keras_evae.errors import DataError
from keras_evae.hamiltonian import Hamiltonian
from tests.helpers.damage import Hostile
from tests.helpers.states import random_spins

SPINS = random_spins(3, 6, 8)


def write(path, array, name="spins"):
    if path.suffix == ".npy":
        np.save(path, array)
    elif path.suffix == ".npz":
        np.savez_compressed(path, **{name: array})
    else:
        with h5py.File(path, "w") as file:
            file[name] = array


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".h5", ".hdf5"])
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_reads_arrays(tmp_path, suffix, dtype):
    write(tmp_path / f"a{suffix}", SPINS.astype(dtype))
    spins, count = read_states(str(tmp_path / f"a{suffix}"), 2)
    assert spins.shape == (2, 6, 8, 3) and spins.dtype == np.float32 and count == 3
    np.testing.assert_allclose(spins, SPINS[:2], atol=1e-3)
    np.testing.assert_allclose(np.linalg.norm(spins, axis=-1), 1.0, atol=1e-6)


@pytest.mark.parametrize("suffix", [".npz", ".h5"])
def test_chooses_by_name_or_by_shape(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    arrays = {"first": SPINS, "second": SPINS[:1], "energy": np.zeros(3)}
    if suffix == ".npz":
        np.savez(path, **arrays)
    else:
        with h5py.File(path, "w") as file:
            for name, array in arrays.items():
                file[name] = array
    assert read_states(f"{path}:second", 9)[1] == 1
    with pytest.raises(DataError, match="expected one array of spins.*found first, second; name one as"):
        read_states(str(path), 9)
    with pytest.raises(DataError, match="expected an array 'third', found .*first"):
        read_states(f"{path}:third", 9)
    with pytest.raises(DataError, match=r"found \(3,\)"):
        read_states(f"{path}:energy", 9)


@pytest.mark.parametrize("layer", [0, 1])
def test_field_of_discretisedfield(tmp_path, layer):
    """Its axes are x, y and z, its lengths those of the unit."""
    field = 8e5 * SPINS[:2].transpose(2, 1, 0, 3)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["field/array"], file["field/mesh/n"] = field, field.shape[:3]
    np.testing.assert_allclose(read_spins(tmp_path / "a.h5", layer)[0], SPINS[layer], atol=1e-7)
    with pytest.raises(DataError, match="expected one layer along z, found 2"):
        read_spins(tmp_path / "a.h5")


def test_vtk_has_its_states_where_it_says_and_absent_sites_are_zero(tmp_path):
    """Little-endian, x fastest."""
    mask = np.arange(48).reshape(6, 8) % 5 > 0
    write_spins(tmp_path / "a.vti", SPINS, hamiltonian=Hamiltonian(mask=mask), cell=(2e-9, 3e-9, 4e-9))
    head, _, data = (tmp_path / "a.vti").read_bytes().partition(b'<AppendedData encoding="raw">\n_')
    for words in (b'WholeExtent="0 7 0 5 0 0"', b'Spacing="2e-09 3e-09 4e-09"', b'byte_order="LittleEndian"'):
        assert words in head
    arrays = re.findall(rb'Name="spins_(\d)" .*offset="(\d+)"', head)
    assert len(arrays) == 3
    for number, offset in (map(int, array) for array in arrays):
        found = np.frombuffer(data, "<f4", 6 * 8 * 3, offset + 8).reshape(6, 8, 3)
        np.testing.assert_allclose(found, SPINS[number] * mask[..., None], atol=1e-7)
        assert int.from_bytes(data[offset : offset + 8], "little") == found.nbytes


@pytest.mark.parametrize(
    "array, message",
    [
        (np.moveaxis(SPINS, -1, 1), r"last axis .*found \(3, 3, 6, 8\).*write np.moveaxis\(spins, 1, -1\)"),
        (np.moveaxis(SPINS[0], -1, 0), r"found \(3, 6, 8\).*write np.moveaxis\(spins, 0, -1\)"),
        (SPINS[:, :, :1], r"looks like \(x, y, z, 3\) with one layer; write spins"),
        (SPINS[:0], r"found \(0, 6, 8, 3\)"),
        (SPINS[:, :2], r"sides of at least 4, found \(3, 2, 8, 3\)"),
        (np.ones((3, 6, 8, 3), int), "floating-point spins, found int64"),
        (SPINS.astype(complex), "floating-point spins, found complex128"),
        (2 * SPINS, "unit vectors, found lengths from 2 to 2; divide"),
        (1.02 * SPINS, "unit vectors, found lengths from 1.02 to 1.02; divide"),
        (np.zeros((1, 6, 8, 3)), "unit vectors, found zero vectors only"),
    ],
)
@pytest.mark.parametrize("suffix", [".npy", ".npz", ".h5"])
def test_wrong_arrays(tmp_path, suffix, array, message):
    write(tmp_path / f"a{suffix}", array)
    with pytest.raises(DataError, match=message) as error:
        read_states(str(tmp_path / f"a{suffix}"), 9)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".h5"])
@pytest.mark.parametrize("share", [0.0, 0.5, 0.9])
def test_truncated_files(tmp_path, suffix, share):
    path = tmp_path / f"a{suffix}"
    write(path, random_spins(20, 16, 16))
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(DataError, match="truncated or damaged|of another kind") as error:
        read_states(str(path), 99)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".h5"])
def test_pickles_are_not_opened(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(pickle.dumps(Hostile()))
    with pytest.raises(DataError):
        read_states(str(path), 9)
    if suffix != ".h5":
        write(path, np.array([Hostile()], dtype=object))
        with pytest.raises(DataError):
            read_states(str(path), 9)
