"""Distribution of angles: a histogram collected from pieces that need not fit into memory together."""

import dataclasses
from collections.abc import Iterable

import numpy as np
from scipy.ndimage import gaussian_filter1d

# Bins of 0.05 degrees.
BINS = 3600
# Width of the smoothing before the peak is looked for, in units of the mean angle.
PEAK_SMOOTHING = 0.1


@dataclasses.dataclass(frozen=True)
class AngleDistribution:
    """Normalised density of angles between 0 and 180 degrees.

    Args:
        edges: Edges of the bins, `(bins + 1,)`, in degrees.
        density: Share of the angles in each bin divided by its width, `(bins,)`, per degree; its integral is 1.
        mean: Mean angle in degrees, exact.
        deviation: Standard deviation in degrees, exact.
    """

    edges: np.ndarray
    density: np.ndarray
    mean: float
    deviation: float

    @property
    def centres(self) -> np.ndarray:
        """Middles of the bins, in degrees."""
        return (self.edges[1:] + self.edges[:-1]) / 2

    @property
    def peak(self) -> float:
        """Angle in degrees at which the density is largest, to half a bin.

        The density is smoothed by a Gaussian with a tenth of the mean angle, so that the peak of a broad
        distribution is not the luckiest of many equal bins.
        """
        bins = PEAK_SMOOTHING * self.mean / (self.edges[1] - self.edges[0])
        return float(self.centres[np.argmax(gaussian_filter1d(self.density, max(bins, 1e-3), mode="constant"))])

    def percentile(self, share: float) -> float:
        """Angle in degrees below which `share` per cent of all angles lie, interpolated within its bin."""
        below = np.concatenate(([0.0], np.cumsum(self.density * np.diff(self.edges))))
        return float(np.interp(share / 100.0, below, self.edges))


def angle_distribution(pieces: Iterable[np.ndarray]) -> AngleDistribution:
    """Distribution of all angles of some arrays, of which only one is in memory at a time.

    Args:
        pieces: Arrays of angles in radians, of any shape, between 0 and pi; NaN, of absent sites, does not count.

    Raises:
        ValueError: If there is no angle.

    Example:

    >>> angle_distribution([np.array([0.1, 0.3]), np.array([0.2])]).mean.__round__(6)
    11.459156
    """
    edges = np.linspace(0.0, 180.0, BINS + 1)
    counts, total, squares = np.zeros(BINS), 0.0, 0.0
    for piece in pieces:
        # Rounding may carry pi beyond 180 degrees.
        degrees = np.minimum(np.rad2deg(np.asarray(piece, np.float64)), 180.0)
        degrees = degrees[~np.isnan(degrees)]
        counts += np.histogram(degrees, edges)[0]
        total += degrees.sum()
        squares += np.square(degrees).sum()
    number = counts.sum()
    if not number:
        raise ValueError("`pieces` must hold at least one angle. Received none")
    mean = total / number
    deviation = np.sqrt(max(squares / number - mean**2, 0.0))
    return AngleDistribution(edges, counts / number / np.diff(edges), float(mean), float(deviation))
