"""Structure factor of spin configurations: the ring of a spiral and the six Bragg peaks of a skyrmion lattice."""

import dataclasses

import numpy as np

# Peaks stand at least this far apart on the ring.
PEAK_SEPARATION = np.pi / 6
# A state with less than this outside of q = 0, in units of the sum rule's N, is uniform.
NOTHING = 1e-12


@dataclasses.dataclass(frozen=True)
class BraggPeaks:
    """Ring and Bragg peaks of one structure factor; without structure outside of q = 0 all numbers are NaN.

    Args:
        wave_number: |q| of the ring: mean of |q|, weighted with S(q), over the annulus; 1/site.
        wave_vectors: The six highest peaks of the annulus, 30 degrees apart at least, `(6, 2)` as (q_y, q_x); 1/site.
        height: Mean S(q) of these peaks over the mean of S(q) in the annulus: 1 for an even ring, at most its number
            of wave vectors over 6.
        contrast: |sum S(q) exp(6 i phi)| / sum S(q) over the annulus, with the angle phi of q: 1 for six peaks 60
            degrees apart, about 0 for an even ring.
    """

    wave_number: float
    wave_vectors: np.ndarray
    height: float
    contrast: float


def structure_factor(spins: np.ndarray) -> np.ndarray:
    """S(q) = 1/N sum_a |sum_r S_a(r) exp(-i q.r)|^2 over the three components a and the N sites r that carry a spin.

    The mean of S(q) over all q is 1 for unit spins. S(q) = 1, a third from each component, is what independent random
    spins have on average at each q; a uniform state has N at q = 0 and nothing else.

    Where sites are absent, the mean spin m would show the shape of the sample at all q. The transform is therefore that
    of S(r) - m, and N m^2 stands at q = 0; without absent sites this is the formula above. The mean over all q is then
    1 - m^2 + N m^2 / (y x).

    Args:
        spins: Unit vectors, `(..., y, x, 3)`; zero vectors where there is no spin.

    Returns:
        S(q) at `wave_vectors(shape)`, `(..., y, x)`, float64, no units.
    """
    spins = np.asarray(spins, np.float64)
    present = spins.any(axis=-1, keepdims=True)
    count = present.sum(axis=(-3, -2, -1))[..., None, None]
    mean = spins.sum(axis=(-3, -2), keepdims=True) / count[..., None]
    transform = np.fft.fft2((spins - mean) * present, axes=(-3, -2))
    factor = np.sum(transform.real**2 + transform.imag**2, axis=-1) / count
    factor[..., 0, 0] = count[..., 0, 0] * np.sum(mean**2, axis=-1)[..., 0, 0]
    return factor


def wave_vectors(shape: tuple[int, ...]) -> np.ndarray:
    """Wave vectors (q_y, q_x) of a lattice of `shape` (y, x), `(y, x, 2)`, from -pi to pi, 1/site; first q = 0."""
    return np.stack(np.meshgrid(*(2 * np.pi * np.fft.fftfreq(side) for side in shape), indexing="ij"), axis=-1)


def ring_average(factor: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean of S(q) over rings of equal |q|, without q = 0.

    The rings lie around multiples of 2 pi / (shorter side) and are as wide, up to |q| = pi. Returns their |q|, 1/site,
    and the means of S(q), both `(rings,)`.
    """
    rings, step = _rings(factor.shape)
    number = min(factor.shape) // 2
    sums, sizes = (
        np.bincount(rings.ravel(), weights, number + 1)[1 : number + 1] for weights in (factor.ravel(), None)
    )
    return step * np.arange(1, number + 1), sums / sizes


def bragg_peaks(factor: np.ndarray) -> BraggPeaks:
    """The ring on which the mean of S(q) is largest, and the peaks on it.

    The annulus is that ring of `ring_average` with its neighbours on both sides. Take the structure factor `(y, x)` of
    one configuration: in the mean over configurations of different orientation the peaks blur into a ring.
    """
    vectors, (rings, _) = wave_vectors(factor.shape), _rings(factor.shape)
    _, means = ring_average(factor)
    annulus = (np.abs(rings - 1 - means.argmax()) <= 1) & np.any(vectors != 0, axis=-1)
    vectors, heights = vectors[annulus], factor[annulus]
    if heights.sum() < NOTHING * factor.size:
        return BraggPeaks(np.nan, np.full((6, 2), np.nan), np.nan, np.nan)
    angles = np.arctan2(vectors[:, 0], vectors[:, 1])
    peaks = _highest_apart(heights, angles)
    return BraggPeaks(
        float(np.average(np.linalg.norm(vectors, axis=-1), weights=heights)),
        vectors[peaks],
        float(heights[peaks].mean() / heights.mean()),
        float(np.abs(np.average(np.exp(6j * angles), weights=heights))),
    )


def _rings(shape: tuple[int, ...]) -> tuple[np.ndarray, float]:
    """Number of the ring of each wave vector, `(y, x)`, and the width of the rings; q = 0 is in ring 0."""
    step = 2 * np.pi / min(shape)
    return np.rint(np.linalg.norm(wave_vectors(shape), axis=-1) / step).astype(int), step


def _highest_apart(heights: np.ndarray, angles: np.ndarray) -> list[int]:
    """Indices of the six highest values whose angles lie apart; the highest first."""
    chosen: list[int] = []
    for index in np.argsort(-heights, kind="stable"):
        apart = np.abs((angles[index] - angles[chosen] + np.pi) % (2 * np.pi) - np.pi)
        if len(chosen) < 6 and np.all(apart > PEAK_SEPARATION - 1e-9):
            chosen.append(int(index))
    return chosen
