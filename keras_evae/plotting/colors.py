"""The one colour convention for spins: hue = in-plane angle (+x is red), lightness = S_z (+z is white)."""

import numpy as np

# Of sites without a spin: no spin has a grey.
ABSENT = 0.85


def spin_colors(spins: np.ndarray) -> np.ndarray:
    """Colours of spins in the HLS space at full saturation.

    RGB values `(..., 3)` in 0 ... 1: white for +z, black for -z, a pure hue in the plane, light grey for zero vectors.
    """
    spins = np.asarray(spins, dtype=np.float64)
    angle = np.arctan2(spins[..., 1], spins[..., 0])
    # Red, green and blue are cut-off triangle waves of the hue, a third of a turn apart.
    phase = (angle[..., None] / (2 * np.pi) - np.array([0.0, 1 / 3, 2 / 3]) + 0.5) % 1.0 - 0.5
    hue = np.clip(2.0 - 6.0 * np.abs(phase), 0.0, 1.0)
    lightness = np.clip((1.0 + spins[..., 2:]) / 2, 0.0, 1.0)
    colors = np.where(lightness < 0.5, hue * 2 * lightness, hue + (1.0 - hue) * (2 * lightness - 1.0))
    return np.where(spins.any(axis=-1, keepdims=True), colors, ABSENT)


def wheel_colors(pixels: int = 401) -> np.ndarray:
    """The colours of all directions seen along -z, RGBA values `(pixels, pixels, 4)`, y upwards.

    +z is in the centre, directions in the plane lie half way out, -z at the rim; transparent outside.
    """
    y, x = np.mgrid[-1 : 1 : pixels * 1j, -1 : 1 : pixels * 1j]
    radius = np.hypot(x, y)
    polar = np.clip(radius, 0, 1) * np.pi
    unit = np.divide(1.0, radius, out=np.zeros_like(radius), where=radius > 0)
    spins = np.stack((np.sin(polar) * x * unit, np.sin(polar) * y * unit, np.cos(polar)), axis=-1)
    # The rim fades within a pixel, so that it is smooth.
    inside = np.clip((1.0 - radius) * pixels / 2, 0.0, 1.0)
    return np.concatenate((spin_colors(spins), inside[..., None]), axis=-1)
