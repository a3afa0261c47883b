"""Random streams: seeds and indices checked, and the first words of each lane's generator from both."""

import numpy as np

from keras_evae.errors import as_integer

# Streams of one seed: 2^16 lanes for each of 2^46 configurations, two words each.
LANES = 2**16
STREAMS = 2**46


def check_stream(seed: int, index: int) -> tuple[int, int]:
    """Seed and index as Python's integers, which do not overflow."""
    seed, index = as_integer("seed", seed, 0), as_integer("index", index, 0)
    if seed >= 2**64 or index >= STREAMS:
        raise ValueError(f"Expected a seed below 2^64 and an index below 2^46. Received: seed={seed}, index={index}")
    return seed, index


def random_state(seed: int, index: int, lanes: int) -> np.ndarray:
    """Words of the lanes' generators for stream `index` of `seed`, `(4, lanes)` uint32.

    SplitMix64 (Steele et al. 2014, https://doi.org/10.1145/2660193.2660195): output number
    2 (2^16 index + lane) of the sequence that starts at mix(seed), and the one after it. mix is one-to-one, so no
    two lanes or configurations of a seed begin with the same words.
    """
    seed, index = check_stream(seed, index)
    # Arrays, in which unsigned arithmetic wraps without a warning.
    counter = np.uint64(index * LANES) + np.arange(lanes, dtype=np.uint64)
    origin = _mix(np.array([seed], np.uint64))
    words = _mix(origin + (2 * counter + np.arange(1, 3, dtype=np.uint64)[:, None]) * np.uint64(0x9E3779B97F4A7C15))
    return np.concatenate([words >> np.uint64(32), words & np.uint64(0xFFFFFFFF)]).astype(np.uint32)


def _mix(words: np.ndarray) -> np.ndarray:
    """The output function of SplitMix64."""
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))
