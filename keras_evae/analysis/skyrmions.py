"""Skyrmions of a configuration: how many, where, how large."""

import dataclasses

import numpy as np

from keras_evae.analysis.topology import solid_angles, stagger, whole_triangles
from keras_evae.hamiltonian import Hamiltonian
from keras_evae.lattice import connected_regions

# Ratio of the axes of a core, above which it is a stripe.
LARGEST_ELONGATION = 2.0
# Second moment of a site, 1/12, and of its outline, which may lie up to half a site beyond it on each side.
SITE_MOMENT = 0.25
# Sides of the triangles of the topological charge.
STEPS = ((1, 0), (0, 1), (1, 1))


@dataclasses.dataclass(frozen=True)
class Skyrmions:
    """Skyrmions of one configuration; `len` gives their number.

    Args:
        positions: Centres of mass of |S_z| over the cores, `(n, 2)` as (y, x), in sites. On closed axes they lie from 0
            to the side of the lattice.
        radii: Radii of discs with the area of the cores, sqrt(sites of the core / pi), `(n,)`, in sites.
        background: 1 for cores that are down in an up background, -1 for cores that are up in a down background.
    """

    positions: np.ndarray
    radii: np.ndarray
    background: int = 1

    def __repr__(self) -> str:
        core = " with the core up" if self.background < 0 else ""
        radii = f" of mean radius {self.radii.mean():.2f}" if len(self) else ""
        return f"<{len(self)} skyrmions{core}{radii}>"

    def __len__(self) -> int:
        return len(self.positions)


def find_skyrmions(
    spins: np.ndarray, periodic: tuple[bool, bool] = (True, True), background: int | None = None
) -> Skyrmions:
    """Skyrmions and antiskyrmions of one configuration, counted by their topological charge.

    A core is a connected region of spins against the background, S_z < 0 in an up background. Its charge is that of all
    triangles with a corner in it, and of those that close them with the direction of the background. On a closed
    lattice it is an integer, and the charges of all regions add up to the charge of the state. At open edges, that of
    a mask too, only triangles of sites that exist count.

    A region is a skyrmion if its charge rounds to 1 or -1: at an edge at least half of it must be there. Others are
    left out: bubbles and domains without winding, skyrmions grown together, regions that go round a closed axis or
    reach from end to end of the sample both ways, and those more than twice as long as wide (stripes).

    Args:
        spins: Unit vectors, `(y, x, 3)`; zero vectors where there is no spin. Of antiferromagnets give
            `keras_evae.analysis.stagger(spins)`.
        periodic: Whether the y and the x axis close on themselves.
        background: 1 for up, -1 for down; None: that whose skyrmions account for more of the charge, and of two that
            are equal the direction of the mean spin. The result says which.

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
    if background is not None:
        return _against(spins, periodic, background)[0]
    likely = -1 if spins[..., 2].sum() < 0 else 1
    return _by_charge(spins, periodic, likely)


def skyrmions_of(spins: np.ndarray, hamiltonian: Hamiltonian) -> Skyrmions:
    """Skyrmions of a state `(y, x, 3)` of a Hamiltonian, see `find_skyrmions`; of the staggered spins for J < 0.

    The background is along the field B, unless cores along the field account for more of the charge.
    """
    if hamiltonian.J < 0:
        return find_skyrmions(stagger(spins, hamiltonian.periodic), hamiltonian.periodic)
    if hamiltonian.B == 0:
        return find_skyrmions(spins, hamiltonian.periodic)
    return _by_charge(np.asarray(spins, np.float64), hamiltonian.periodic, 1 if hamiltonian.B > 0 else -1)


def _by_charge(spins: np.ndarray, periodic: tuple[bool, bool], likely: int) -> Skyrmions:
    """Skyrmions in the background that leaves less of the charge over; in the likely one if both leave the same."""
    found, left = _against(spins, periodic, likely)
    if round(left) == 0:
        return found
    other, left_by_other = _against(spins, periodic, -likely)
    return other if round(left_by_other) < round(left) else found


def _against(spins: np.ndarray, periodic: tuple[bool, bool], background: int) -> tuple[Skyrmions, float]:
    """Skyrmions in one background, and how much of the charge of the state they leave over."""
    # The mirror at the plane of the lattice makes an up background of a down one.
    spins = spins * (1.0, 1.0, float(background))
    regions = connected_regions(spins[..., 2] < 0, periodic, STEPS)
    charges, whole = region_charges(regions, spins, periodic)
    present = np.asarray(spins.any(axis=-1))
    cores, counted = [], 0.0
    for sites, charge in zip(regions, charges, strict=True):
        # NaN, not defined, is not 1 either.
        core = _unfold(sites, present, periodic) if abs(np.round(charge)) == 1 else None
        if core is not None and _is_round(core):
            cores.append(core)
            counted += charge
    positions = np.array([_centre(core, spins, periodic) for core in cores]).reshape(-1, 2)
    radii = np.sqrt(np.array([len(core) for core in cores]) / np.pi)
    return Skyrmions(positions, radii, background), abs(whole - counted)


def region_charges(
    regions: list[np.ndarray], spins: np.ndarray, periodic: tuple[bool, bool]
) -> tuple[np.ndarray, float]:
    """Charge of each region of S_z < 0, its triangles closed with +z, `(regions,)`, and that of the whole state."""
    labels = np.zeros(spins.shape[:2], int)
    for number, sites in enumerate(regions, start=1):
        labels[tuple(sites.T)] = number
    right, across, above = (np.roll(labels, step, (0, 1)) for step in ((0, -1), (-1, -1), (-1, 0)))
    # Corners of one triangle are neighbours: those in regions are in the same one.
    owners = np.stack([np.maximum(np.maximum(labels, across), corner) for corner in (right, above)])
    angles = solid_angles(np.ascontiguousarray(np.moveaxis(spins, -1, 0)), periodic)
    closed = np.where(whole_triangles(np.asarray(spins.any(axis=-1)), periodic), angles - _closing_angles(spins), 0.0)
    charges = np.bincount(owners.ravel(), closed.ravel(), len(regions) + 1)[1:] / (4 * np.pi)
    return charges, float(np.nansum(angles)) / (4 * np.pi)


def _closing_angles(spins: np.ndarray) -> np.ndarray:
    """Solid angles of +z with the sides of the triangles whose ends both have S_z >= 0, summed: `(2, y, x)`."""
    x, y, z = np.moveaxis(spins, -1, 0)

    def angle(dy: int, dx: int) -> np.ndarray:
        x2, y2, z2 = (np.roll(values, (-dy, -dx), (0, 1)) for values in (x, y, z))
        angles = 2.0 * np.arctan2(x * y2 - y * x2, 1.0 + x * x2 + y * y2 + z * z2 + z + z2)
        return np.where((z >= 0) & (z2 >= 0), angles, 0.0)

    up, right, diagonal = (angle(*step) for step in STEPS)
    return np.stack((right + np.roll(up, -1, 1) - diagonal, diagonal - up - np.roll(right, -1, 0)))


def _unfold(sites: np.ndarray, present: np.ndarray, periodic: tuple[bool, bool]) -> np.ndarray | None:
    """The sites, moved by whole sides along closed axes so that they lie together.

    None, for no core takes up all rows of a closed axis, or all rows and columns of the sample.
    """
    unfolded, filled = sites.copy(), []
    for axis, side in enumerate(present.shape):
        rows = np.bincount(sites[:, axis], minlength=side) > 0
        filled.append(np.array_equal(rows, present.any(axis=1 - axis)))
        if periodic[axis]:
            if rows.all():
                return None
            start = np.flatnonzero(~rows)[0]
            unfolded[:, axis] = (sites[:, axis] - start) % side + start
    return None if all(filled) else unfolded


def _is_round(sites: np.ndarray) -> bool:
    moments = np.linalg.eigvalsh(np.cov(sites.T, bias=True) + SITE_MOMENT * np.eye(2))
    return bool(moments[1] <= LARGEST_ELONGATION**2 * moments[0])


def _centre(sites: np.ndarray, spins: np.ndarray, periodic: tuple[bool, bool]) -> np.ndarray:
    sides, origin = np.array(spins.shape[:2]), np.rint(sites.mean(axis=0))
    # Small numbers are exact: the centre of a symmetric core lies exactly on its site.
    centre = origin + np.average(sites - origin, axis=0, weights=-spins[(*(sites % sides).T, 2)])
    # The second remainder turns a side, to which a tiny negative number is rounded, into 0.
    return np.where(periodic, centre % sides % sides, centre)
