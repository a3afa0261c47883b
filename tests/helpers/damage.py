"""Damage to files: bits that are flipped, and content that would act when it is unpickled."""

import numpy as np


class Hostile:
    """Ends the process that unpickles it."""

    def __reduce__(self):
        return (exec, ("raise SystemExit('executed')",))


def flip(content, bit):
    """The bytes with one bit turned over."""
    flipped = bytearray(content)
    flipped[bit // 8] ^= 1 << (bit % 8)
    return bytes(flipped)


def random_flips(content, count):
    """The bytes `count` times, each time with another random bit turned over."""
    for bit in np.random.default_rng(0).integers(0, 8 * len(content), count):
        yield flip(content, bit)
