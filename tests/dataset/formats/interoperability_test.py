"""Other programs read what is written here, and the other way round; they come with the extra `interoperability`."""

import numpy as np
import pytest

from keras_evae.analysis import topological_charge
from keras_evae.dataset.formats.spin_files import read_spins, write_spins
from tests.helpers.states import random_spins

pytestmark = pytest.mark.slow
SPINS = random_spins(6, 9).astype(np.float32)


@pytest.mark.parametrize("representation", ["text", "binary4", "binary8"])
def test_discretisedfield_reads_ovf(tmp_path, representation):
    df = pytest.importorskip("discretisedfield")
    write_spins(tmp_path / "a.ovf", SPINS, representation, cell=(2e-9, 3e-9, 4e-9))
    field = df.Field.from_file(str(tmp_path / "a.ovf"))
    np.testing.assert_allclose(field.array[:, :, 0].swapaxes(0, 1), SPINS, atol=1e-9)
    np.testing.assert_allclose(field.mesh.cell, (2e-9, 3e-9, 4e-9))


@pytest.mark.parametrize("name", ["bin4.ovf", "bin8.ovf", "txt.ovf", "a.h5"])
def test_files_of_discretisedfield(tmp_path, name):
    df = pytest.importorskip("discretisedfield")
    mesh = df.Mesh(p1=(0, 0, 0), p2=(9e-9, 6e-9, 1e-9), n=(9, 6, 1))
    values = 8e5 * SPINS.astype(float).swapaxes(0, 1)[:, :, None]
    options = {} if name == "a.h5" else {"representation": name.partition(".")[0]}
    df.Field(mesh, nvdim=3, value=values, unit="A/m").to_file(str(tmp_path / name), **options)
    found = read_spins(tmp_path / name)[0]
    np.testing.assert_allclose(found, SPINS, atol=1e-7)
    assert topological_charge(found) == pytest.approx(topological_charge(SPINS), abs=1e-5)


@pytest.mark.parametrize("representation", ["text", "csv", "binary4", "binary8"])
def test_library_of_spirit_reads_each_segment(tmp_path, representation):
    ovf = pytest.importorskip("ovf.ovf")
    write_spins(tmp_path / "a.ovf", np.stack((SPINS, -SPINS)), representation)
    with ovf.ovf_file(str(tmp_path / "a.ovf")) as file:
        assert file.is_ovf and file.n_segments == 2
        segment, data = ovf.ovf_segment(), np.zeros((54, 3))
        assert file.read_segment_header(1, segment) == ovf.OK and list(segment.n_cells) == [9, 6, 1]
        assert file.read_segment_data(1, segment, data) == ovf.OK
    np.testing.assert_allclose(data.reshape(6, 9, 3), -SPINS, atol=1e-9)


@pytest.mark.parametrize("kind", range(5))
def test_files_of_the_library_of_spirit(tmp_path, kind):
    ovf = pytest.importorskip("ovf.ovf")
    with ovf.ovf_file(str(tmp_path / "a.ovf")) as file:
        segment = ovf.ovf_segment(valuedim=3, n_cells=[9, 6, 1], meshtype="rectangular", meshunits="nm")
        for sign in (1.0, -1.0):
            data = (sign * SPINS.astype(float)).reshape(-1, 3)
            assert (file.write_segment if sign > 0 else file.append_segment)(segment, data, kind) == ovf.OK
    np.testing.assert_allclose(read_spins(tmp_path / "a.ovf"), np.stack((SPINS, -SPINS)), atol=1e-7)


def test_pyovf(tmp_path):
    pyovf = pytest.importorskip("pyovf")
    write_spins(tmp_path / "a.ovf", SPINS)
    np.testing.assert_array_equal(np.asarray(pyovf.read(str(tmp_path / "a.ovf")).data).reshape(6, 9, 3), SPINS)


def test_pyvista_reads_vti(tmp_path):
    pyvista = pytest.importorskip("pyvista")
    write_spins(tmp_path / "a.vti", np.stack((SPINS, -SPINS)), cell=(2e-9, 3e-9, 4e-9))
    grid = pyvista.read(tmp_path / "a.vti")
    assert grid.dimensions == (9, 6, 1) and grid.spacing == (2e-9, 3e-9, 4e-9)
    np.testing.assert_array_equal(np.asarray(grid["spins_1"]).reshape(6, 9, 3), -SPINS)
