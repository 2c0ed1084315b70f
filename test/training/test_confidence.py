# SPDX-License-Identifier: Apache-2.0
"""The logistic fit finds the law that its lessons were drawn from."""

import numpy as np
import pytest

pytest.importorskip('open3d', reason='worlds need the extra: train')

from sam3d_ros.training.confidence import fit


def test_a_known_law_is_found_again():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(40_000, 3)).astype(np.float32)
    weights = np.array([0.5, 2.0, -1.0])
    chance = 1.0 / (1.0 + np.exp(-(0.7 + features @ weights)))
    offset, found = fit(features, rng.random(len(chance)) < chance)
    assert offset == pytest.approx(0.7, abs=0.08)
    np.testing.assert_allclose(found, weights, atol=0.08)
