"""Operations counted by hand, and what follows from them."""

import json

import keras
import pytest

from experiments.reproduction.costs import cost_table, count_operations, operations_per_sample, read_throughput
from keras_evae.model.evae import EVAE


def test_operations_of_one_convolution_and_one_dense_layer():
    inputs = keras.Input((8, 6, 3))
    outputs = keras.layers.Conv2D(4, 5, padding="same")(inputs)
    outputs = keras.layers.Dense(7)(keras.layers.Flatten()(outputs))
    # Sites x weights of the kernel, twice: one multiplication, one addition.
    assert count_operations(keras.Model(inputs, outputs)) == 2 * (48 * 5 * 5 * 3 * 4) + 2 * (48 * 4 * 7)


def test_operations_of_the_network_at_32():
    """Encoder and decoder, kernel by kernel."""
    model = EVAE((32, 32), latent_dim=10)
    encoder = 2 * 25 * (1024 * 3 * 6 + 256 * 6 * 12 + 64 * 12 * 24 + 16 * 24 * 48) + 2 * (192 * 192 + 192 * 512)
    encoder += 2 * 2 * 512 * 10
    decoder = 2 * (10 * 512 + 512 * 192)
    decoder += 2 * 25 * (16 * 48 * 24 + 64 * 24 * 12 + 256 * 12 * 6 + 1024 * 6 * 3 + 1024 * 3 * 3)
    assert operations_per_sample(model) == 3 * (encoder + decoder)


def test_days_and_hours(tmp_path):
    file = tmp_path / "throughput.json"
    file.write_text(json.dumps({"size": 128, "batch": 100, "fed_samples_per_s": 21e6 / 86400, "step_s": 0.3}))
    rows = cost_table(67 * 10**6, read_throughput(file)).rows
    # 7 stages x 100 epochs x 30,000 samples in a day; 67 MFLOP a sample are 21e6 x 1e-6 s at the full peak.
    assert rows[0][1] == 21_000_000 and rows[0][3] == 1.0
    assert rows[0][4] == pytest.approx(21 / 0.05 / 3600, abs=0.05)
    assert cost_table(1, None).rows[0][3] is None
