"""Skyrmions of a configuration: how many, where, how large."""

from __future__ import annotations

import dataclasses

import numpy as np

from keras_evae.analysis.topology import topological_charge
from keras_evae.hamiltonian import Hamiltonian
from keras_evae.lattice import connected_regions

# Ratio of the axes of a core, above which it is a stripe.
LARGEST_ELONGATION = 2.0


@dataclasses.dataclass(frozen=True)
class Skyrmions:
    """Skyrmions of one configuration; `len` gives their number.

    Args:
        positions: Centres of mass of -S_z over the cores, `(n, 2)` as (y, x), in sites. On closed axes they lie from 0
            to the side of the lattice.
        radii: Radii of discs with the area of the cores, sqrt(sites of S_z < 0 / pi), `(n,)`, in sites.
    """

    positions: np.ndarray
    radii: np.ndarray

    def __repr__(self) -> str:
        radii = f" of mean radius {self.radii.mean():.2f}" if len(self) else ""
        return f"<{len(self)} skyrmions{radii}>"

    def __len__(self) -> int:
        return len(self.positions)


def find_skyrmions(spins: np.ndarray, periodic: tuple[bool, bool] = (True, True)) -> Skyrmions:
    """Skyrmions with their core down in an up background.

    A core is a connected region of S_z < 0. Its charge is that of the state in which all other spins point up, an
    integer. Regions that are no skyrmions are left out: those whose charge is not 1 or -1 (bubbles without winding,
    skyrmions grown together), those that take up every row or every column (domains around the lattice), and those more
    than twice as long as wide (stripes). An open edge, that of a mask too, cuts skyrmions; one counts if its centre is
    left on the lattice.

    Args:
        spins: Unit vectors of one configuration, `(y, x, 3)`; zero vectors where there is no spin.
        periodic: Whether the y and the x axis close on themselves.

    Raises:
        ValueError: For spins that are not one configuration.

    Example:

    >>> up = np.zeros((16, 32, 3)); up[..., 2] = 1.0
    >>> len(find_skyrmions(up))
    0
    """
    spins = np.asarray(spins, np.float64)
    if spins.ndim != 3 or spins.shape[-1] != 3:
        raise ValueError(f"`spins` must be one configuration, (y, x, 3). Received: shape={spins.shape}")
    shape = spins.shape[:2]
    regions = [_unfold(sites, shape, periodic) for sites in connected_regions(spins[..., 2] < 0, periodic)]
    cores = [sites for sites in regions if _is_skyrmion(sites, spins)]
    positions = np.array([_centre(sites, spins, periodic) for sites in cores]).reshape(-1, 2)
    return Skyrmions(positions, np.sqrt(np.array([len(sites) for sites in cores]) / np.pi))


def _unfold(sites: np.ndarray, shape: tuple[int, ...], periodic: tuple[bool, bool]) -> np.ndarray:
    """The sites, moved by whole lattice sides so that they lie together around their circular mean."""
    sides = np.array(shape)
    mean = np.angle(np.exp(2j * np.pi * sites / sides).mean(axis=0)) / (2 * np.pi) * sides
    start = np.rint(mean).astype(int) - sides // 2
    return np.where(periodic, (sites - start) % sides + start, sites)


def _is_skyrmion(sites: np.ndarray, spins: np.ndarray) -> bool:
    shape = spins.shape[:2]
    if any(len(np.unique(sites[:, axis])) == shape[axis] for axis in (0, 1)):
        return False
    # A site is a square, which has the second moment 1/12 itself.
    moments = np.linalg.eigvalsh(np.cov(sites.T, bias=True) + np.eye(2) / 12)
    return moments[1] <= LARGEST_ELONGATION**2 * moments[0] and abs(_charge(sites, spins)) == 1


def _charge(sites: np.ndarray, spins: np.ndarray) -> int:
    """Charge of the state that has the spins of the region and all others up."""
    inside = sites - sites.min(axis=0) + 1
    patch = np.zeros((*inside.max(axis=0) + 2, 3))
    patch[..., 2] = 1.0
    patch[tuple(inside.T)] = spins[tuple((sites % spins.shape[:2]).T)]
    return round(float(topological_charge(patch, (False, False))))


def _centre(sites: np.ndarray, spins: np.ndarray, periodic: tuple[bool, bool]) -> np.ndarray:
    sides = np.array(spins.shape[:2])
    centre = np.average(sites, axis=0, weights=-spins[(*(sites % sides).T, 2)])
    # The second remainder turns a side, to which a tiny negative number is rounded, into 0.
    return np.where(periodic, centre % sides % sides, centre)


def skyrmions_against_field(spins: np.ndarray, hamiltonian: Hamiltonian) -> Skyrmions:
    """Skyrmions with their core against the field, down for B = 0; see `find_skyrmions`."""
    # The mirror at the plane of the lattice turns cores that are up into cores that are down.
    upright = spins * np.array((1.0, 1.0, -1.0)) if hamiltonian.B < 0 else spins
    return find_skyrmions(upright, hamiltonian.periodic)
