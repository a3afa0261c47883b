"""The learned density on distributions that are known."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from keras_evae.model.latent_flow import FlowSettings, LatentFlow

SMALL = FlowSettings(width=64, blocks=2, steps=500, batch_size=256, learning_rate=3e-3, integration_steps=16)
COUNT = 4000


def fitted(means, deviations):
    flow = LatentFlow(means.shape[1], SMALL)
    losses = flow.fit(means.astype(np.float32), deviations.astype(np.float32))
    assert np.mean(losses[-50:]) < np.mean(losses[:20])
    return flow


def test_ring():
    """A thin one, and round: every direction is as likely. Neither the start nor a Gaussian is."""
    angle = np.random.default_rng(0).uniform(0, 2 * np.pi, 2000)
    flow = fitted(3 * np.stack((np.cos(angle), np.sin(angle)), axis=1), np.full((2000, 2), 0.1))
    codes = flow.sample(COUNT, seed=1)
    radius = np.linalg.norm(codes, axis=1)
    assert abs(radius.mean() - 3) < 0.1 and radius.std() < 0.35
    for order in (1, 2, 3, 4):
        assert abs(np.mean((codes @ [1, 1j] / radius) ** order)) < 0.12


def test_two_clusters_of_unequal_weight():
    """Places, weights and widths; the third component has a mean and a width that standardising must give back."""
    means = np.where(np.random.default_rng(0).random(4000) < 0.25, -1.0, 1.0)[:, None] * [2.0, 0.0, 0.0] + [1, 0, 50]
    flow = fitted(means, np.broadcast_to([0.2, 1.0, 10.0], means.shape))
    codes = flow.sample(COUNT, seed=1)
    left = codes[:, 0] < 1
    assert abs(left.mean() - np.mean(means[:, 0] < 1)) < 0.05
    for side, place in ((left, -1.0), (~left, 3.0)):
        assert abs(codes[side, 0].mean() - place) < 0.1 and codes[side, 0].std() < 0.4
    assert np.mean(np.abs(codes[:, 0] - 1) < 1) < 0.03
    np.testing.assert_allclose(codes[:, 2].mean(), 50, atol=1.0)
    np.testing.assert_allclose(codes[:, 2].std(), 10, rtol=0.1)


def test_unfitted_flow_leaves_normal_vectors_as_they_are():
    noise = np.random.default_rng(3).standard_normal((7, 5), dtype=np.float32)
    np.testing.assert_array_equal(LatentFlow(5, SMALL).sample(7, seed=3), noise)


@pytest.mark.parametrize("width", [0.2, 3.0])
def test_integration_against_a_flow_in_closed_form(width):
    """Between normal vectors and those of another width the velocity is known, and vectors are stretched by it."""

    def velocity(inputs):
        points, angles = inputs
        sine, cosine = tf.sin(angles), tf.cos(angles)
        return points * sine * cosine * (width**2 - 1) / (cosine**2 + (width * sine) ** 2)

    errors = []
    for steps in (32, 64):
        flow = LatentFlow(2, dataclasses.replace(SMALL, integration_steps=steps))
        flow.network = velocity
        expected = width * np.random.default_rng(0).standard_normal((10, 2), dtype=np.float32)
        errors.append(np.abs(flow.sample(10, seed=0) / expected - 1).max())
    # Second order: half the step, a quarter of the error.
    assert errors[0] < 0.02 and 3 < errors[0] / errors[1] < 6


def test_same_seeds_same_codes_from_a_file_too():
    means = np.random.default_rng(0).normal(size=(100, 3))
    first, again = (LatentFlow(3, dataclasses.replace(SMALL, steps=20)) for _ in range(2))
    for flow in (first, again):
        flow.fit(means, 0.1 * np.ones_like(means))
    read, record = LatentFlow.decode(first.encode({"origin": "test"}))
    assert record == {"origin": "test"} and read.settings == first.settings
    for other in (again, read):
        np.testing.assert_array_equal(other.sample(5, seed=2), first.sample(5, seed=2))
    assert np.abs(first.sample(5, seed=3) - first.sample(5, seed=2)).max() > 0.1
