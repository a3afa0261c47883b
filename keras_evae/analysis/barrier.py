"""The energy barrier on a path between two states (Figure 4B of the paper)."""

import dataclasses

import numpy as np

# Share of the path, at each end, over which a plateau's energy is averaged.
PLATEAU = 0.1


@dataclasses.dataclass(frozen=True)
class Barrier:
    """A peak of the energy along a path.

    Args:
        peak: Index of the highest energy: where the paper sets R = 0.
        height: Energy of the peak above the baseline, in the units of the energies.
        width: Full width at half this height, in steps of the path, from linear interpolation.
    """

    peak: int
    height: float
    width: float


def plateau_energies(energies: np.ndarray) -> tuple[float, float]:
    """Mean energies of the first and of the last tenth of a path `(n,)`."""
    count = _plateau_points(energies)
    return float(np.mean(energies[:count])), float(np.mean(energies[-count:]))


def find_barrier(energies: np.ndarray) -> Barrier | None:
    """Height and full width at half maximum of the barrier between the two plateaus of a path.

    The baseline is the straight line through the two plateaus: through their mean energies at the middle of the first
    and of the last tenth of the path.

    Args:
        energies: Energies at equal steps along the path, `(n,)`, n at least 3.

    Returns:
        The barrier, or None where there is none: the highest energy lies on a plateau, as on a monotone or a constant
        curve, or not above the baseline.

    Raises:
        ValueError: For energies that are no path or not finite.

    Example:

    >>> find_barrier(np.array([0.0, 0.0, 0.0, 2.0, 4.0, 2.0, 0.0, 0.0, 0.0]))
    Barrier(peak=4, height=4.0, width=2.0)
    """
    energies = np.asarray(energies, np.float64)
    count = _plateau_points(energies)
    peak = int(np.argmax(energies))
    if not count <= peak < len(energies) - count:
        return None
    initial, final = plateau_energies(energies)
    middle = (count - 1) / 2
    share = (np.arange(len(energies)) - middle) / (len(energies) - 1 - 2 * middle)
    excess = energies - (initial + (final - initial) * share)
    height = float(excess[peak])
    if height <= 0:
        return None
    left, right = (_steps_to_half(side, height / 2) for side in (excess[peak::-1], excess[peak:]))
    return None if left is None or right is None else Barrier(peak, height, left + right)


def _plateau_points(energies: np.ndarray) -> int:
    if np.ndim(energies) != 1 or len(energies) < 3 or not np.isfinite(energies).all():
        raise ValueError(f"Expected at least 3 finite energies, (n,). Received: shape={np.shape(energies)}")
    return max(1, int(PLATEAU * len(energies)))


def _steps_to_half(excess: np.ndarray, half: float) -> float | None:
    """Steps from the peak, the first of the values, to where they first fall to `half`."""
    below = np.flatnonzero(excess <= half)
    if not below.size:
        return None
    last = int(below[0])
    return last - 1 + float((excess[last - 1] - half) / (excess[last - 1] - excess[last]))
