# SPDX-License-Identifier: Apache-2.0
import dataclasses

import numpy as np
import pytest

from sam3d_ros.segmentation.partition.affinity import trained_network
from sam3d_ros.training.perceptrons import Examples, Recipe, accuracy, save, train

RECIPE = Recipe(members=2, hidden=(12, 8), epochs=12, batch=64)


@pytest.fixture(scope='module')
def ring() -> Examples:
    """Examples that no straight line separates: inside or outside of a circle."""
    features = np.random.default_rng(0).normal(size=(3000, 2)).astype(np.float32)
    return Examples(features, (features**2).sum(1) < 1.4, np.ones(3000, np.float32))


def test_training_learns_and_is_repeatable(ring):
    network = train(ring, RECIPE)
    assert accuracy(network, ring) > 0.93
    again = train(ring, RECIPE)
    assert all((a == b).all() for a, b in zip(network.weights, again.weights, strict=True))


def test_the_mean_of_members_is_one_network(ring):
    both = train(ring, RECIPE).log_odds(ring.features)
    single = [
        train(ring, dataclasses.replace(RECIPE, members=1, seed=seed)).log_odds(ring.features)
        for seed in (0, 1)
    ]
    np.testing.assert_allclose(both, np.mean(single, axis=0), atol=1e-4)


def test_a_saved_network_has_the_form_of_the_shipped_one(ring, tmp_path):
    save(train(ring, RECIPE), tmp_path / 'net.npz')
    with np.load(tmp_path / 'net.npz') as stored:
        assert len(stored.files) == 2 * len(trained_network().weights)
        assert stored['weight_2'].shape[1] == trained_network().weights[-1].shape[1] == 1
