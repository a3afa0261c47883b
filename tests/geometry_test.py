"""Shapes, their places in the lattice, masks from files and as text, and what is refused."""

import itertools
import os

import numpy as np
import pytest
from matplotlib.image import imsave

from keras_evae.errors import ConfigError
from keras_evae.geometry import make_geometry, read_geometry
from keras_evae.lattice import connected_regions, decode_mask, encode_mask

# A ring of sites, which is connected, around a hole, and a corner that touches it by its corner only.
RING = np.array([[1, 1, 1, 0], [1, 0, 1, 0], [1, 1, 1, 0], [0, 0, 0, 1]], bool)


def drawing(mask):
    return ["".join(".o"[int(site)] for site in row) for row in mask[::-1]]


def tight(mask):
    return mask[np.ix_(mask.any(axis=1), mask.any(axis=0))]


@pytest.mark.parametrize(
    ("shape", "size", "rows"),
    [
        ("square", 3, ["ooo"] * 3),
        ("rectangle", (2, 5), ["ooooo"] * 2),
        ("wire", (2, 16), ["o" * 16] * 2),
        ("disc", 2, ["oo"] * 2),
        ("disc", 5, [".ooo.", "ooooo", "ooooo", "ooooo", ".ooo."]),
        ("disc", 6, [".oooo.", "oooooo", "oooooo", "oooooo", "oooooo", ".oooo."]),
        ("triangle", 6, ["..oo..", ".oooo.", ".oooo.", "oooooo"]),
        ("hexagon", 6, [".oooo.", ".oooo.", "oooooo", "oooooo", ".oooo.", ".oooo."]),
    ],
)
def test_small_shapes(shape, size, rows):
    assert drawing(tight(make_geometry(shape, size).mask)) == rows


@pytest.mark.parametrize(
    ("shape", "area"),
    [("square", 1.0), ("disc", np.pi / 4), ("triangle", np.sqrt(3) / 4), ("hexagon", 3 * np.sqrt(3) / 8)],
)
@pytest.mark.parametrize("size", [1, 2, 3, 7, 40, 45, 128])
def test_area_connection_and_place(shape, area, size):
    geometry = make_geometry(shape, size)
    height, width = geometry.lattice_shape
    mask = np.ones((height, width), bool) if geometry.mask is None else geometry.mask
    assert mask.shape == (height, width) and height % 16 == 0 and width == -(-size // 16) * 16
    assert geometry.boundary == ("open", "open")
    # The outline may gain or lose half a site all around.
    assert abs(mask.sum() - area * size**2) < 2.0 * size
    assert len(connected_regions(mask, (False, False))) == 1
    for axis in (0, 1):
        (present,) = np.nonzero(mask.any(axis=1 - axis))
        assert abs(present[0] - (mask.shape[axis] - 1 - present[-1])) <= 1


def test_shapes_that_fill_the_lattice_and_wires():
    assert make_geometry("square", 48).mask is None
    assert make_geometry("rectangle", (32, 48)).lattice_shape == (32, 48)
    wire = make_geometry("wire", (32, 64))
    assert wire.mask is None and wire.boundary == ("open", "periodic")
    assert make_geometry("square", 40).mask.sum() == 1600
    assert make_geometry("square", 48, (64, 48)).mask.sum() == 48**2
    along_x, along_y = make_geometry("wire", (20, 48)), make_geometry("wire", (48, 20), boundary=("periodic", "open"))
    assert along_x.lattice_shape == (32, 48) and along_y.lattice_shape == (48, 32)
    assert along_y.boundary == ("periodic", "open")
    np.testing.assert_array_equal(along_x.mask.T, along_y.mask)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("star", 8), "geometry.shape: expected one of square, .* found 'star'"),
        (("disc", (8, 8)), "geometry.size: expected one number of sites for a disc, from 1 to 4096, found"),
        (
            ("rectangle", 8),
            r"geometry.size: expected two numbers \(y, x\) of sites for a rectangle, from 1 to 4096, found 8",
        ),
        (("wire", (20, 50)), "expected 64 sites along the periodic x axis, .* found 50 in the wire of size"),
        (("disc", 40, (32, 48)), "expected at most 32 x 48 sites, .* found 40 x 40 in the disc of size 40"),
        (("disc", 40, None, ("open", "periodic")), "hamiltonian.boundary: expected open for a disc"),
        (("wire", (20, 48), None, ("open", "open")), "boundary: expected periodic along one axis and open along"),
    ],
)
def test_shapes_that_do_not_fit(arguments, message):
    with pytest.raises(ConfigError, match=message) as error:
        make_geometry(*arguments)
    assert "\n" not in str(error.value) and error.value.exit_code == 2


def test_masks_as_text():
    assert encode_mask(np.array([[0, 1, 1], [0, 0, 1]], bool)) == "2x3 1 2 2 1"
    assert encode_mask(np.ones((2, 3), bool)) == "2x3 0 6"
    random = np.random.default_rng(0)
    for _ in range(20):
        mask = random.random(random.integers(1, 9, 2)) < random.random()
        np.testing.assert_array_equal(decode_mask(encode_mask(mask)), mask)


def test_connected_parts():
    for periodic in itertools.product((False, True), repeat=2):
        assert len(connected_regions(RING, periodic)) == 2
    edges = np.zeros((4, 6), bool)
    edges[:, [0, 5]] = True
    assert len(connected_regions(edges, (False, False))) == 2 and len(connected_regions(edges, (False, True))) == 1
    assert len(connected_regions(edges, (True, False))) == 2 and len(connected_regions(edges.T, (True, False))) == 1


def test_picture_and_array_of_the_same_sample(tmp_path):
    mask = np.zeros((20, 26), bool)
    mask[2:18, 3:20] = mask[2:6, 3:] = True
    np.save(tmp_path / "truth.npy", mask)
    np.save(tmp_path / "numbers.npy", 0.2 + 0.5 * mask)
    # Dark on white, the last row of the array at the upper edge of the picture.
    imsave(tmp_path / "dark.png", np.where(mask, 0.3, 0.8)[::-1], cmap="gray", vmin=0, vmax=1)
    clear = np.zeros((20, 26, 4))
    clear[..., 3] = mask[::-1]
    imsave(tmp_path / "clear.PNG", clear)
    for name in ("truth.npy", "numbers.npy", "dark.png", "clear.PNG"):
        geometry = read_geometry(tmp_path / name)
        assert geometry.lattice_shape == (32, 32) and geometry.boundary == ("open", "open")
        np.testing.assert_array_equal(geometry.mask[6:26, 3:29], mask, err_msg=name)
        assert geometry.mask.sum() == mask.sum()


def test_periodic_array_with_a_hole(tmp_path):
    mask = np.ones((16, 32), bool)
    mask[4:9, 5:9] = False
    np.save(tmp_path / "hole.npy", mask)
    geometry = read_geometry(tmp_path / "hole.npy", boundary=("periodic", "periodic"))
    assert geometry.boundary == ("periodic", "periodic")
    np.testing.assert_array_equal(geometry.mask, mask)
    with pytest.raises(ConfigError, match="expected 32 sites along the periodic y axis"):
        read_geometry(tmp_path / "hole.npy", (32, 32), ("periodic", "open"))


def torn(path):
    """The text of the header is cut short."""
    np.save(path, np.ones((4, 4)))
    content = path.read_bytes()
    path.write_bytes(content[:8] + (20).to_bytes(2, "little") + content[10:30] + content[128:])


def pickled(path):
    np.save(path, np.array([[{}]]), allow_pickle=True)


@pytest.mark.parametrize(
    ("name", "write", "message"),
    [
        ("absent.npy", lambda path: None, "No such file"),
        ("mask.tif", lambda path: path.touch(), "expected a mask as .png or .npy file, found .tif"),
        ("empty.npy", lambda path: path.touch(), "can be read"),
        ("short.png", lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(9)), "can be read"),
        ("torn.npy", torn, "can be read"),
        ("pickle.npy", pickled, "Python objects"),
        ("pipe.npy", os.mkfifo, "No such file"),
        ("nan.npy", lambda path: np.save(path, np.full((4, 4), np.nan)), "NaN or Inf instead of"),
        ("long.npy", lambda path: (np.save(path, RING), path.write_bytes(path.read_bytes() + b"x")), "what follows"),
        ("line.npy", lambda path: np.save(path, np.ones(4)), r"float64 \(4,\) instead of truth values"),
        ("zeros.npy", lambda path: np.save(path, np.zeros((3, 4))), "expected sites with a spin, found none in 3 x 4"),
        ("parts.npy", lambda path: np.save(path, RING), "expected one connected sample, found 2 parts"),
        ("large.npy", lambda path: np.save(path, np.ones((33, 8))), "expected at most 32 x 32 sites"),
    ],
)
def test_files_that_cannot_be_used(tmp_path, name, write, message):
    write(tmp_path / name)
    with pytest.raises(ConfigError, match=message) as error:
        read_geometry(tmp_path / name, (32, 32))
    assert name in str(error.value) and "\n" not in str(error.value)
