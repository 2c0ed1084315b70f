# SPDX-License-Identifier: Apache-2.0
"""Structure functions: closed form against simulated fields; planes do not show."""

import numpy as np
import pytest

from sam3d_ros.core.sensors import MODELS
from sam3d_ros.pointmaps.sensor_noise import structure
from sam3d_ros.world.rendering.sensors import field

K = np.array([[570.0, 0, 319.5], [0, 570.0, 239.5], [0, 0, 1]])
PLAIN = MODELS['lidar']  # no jitter to speak of on a wall, no steps


def plane(slope=0.3, size=(480, 640)):
    row, column = np.mgrid[: size[0], : size[1]]
    y, x = (row - K[1, 2]) / K[1, 1], (column - K[0, 2]) / K[0, 0]
    return (1.0 / (1.0 + slope * y + 0.1 * x)).astype(np.float32)


@pytest.mark.parametrize('scale_px', [0.0, 2.0, 8.0])
def test_the_closed_form_is_what_simulated_fields_give(scale_px):
    rng = np.random.default_rng(0)
    seen = []
    for _ in range(4):
        image = field(((scale_px, 1.0),), (480, 640), rng)
        pyramid = {1: image}
        for block in (2, 4, 8, 16):
            pyramid[block] = structure.halved(pyramid[block // 2])
        seen.append(
            [
                np.nanmean(np.square(structure._differences(pyramid[block], shift)))
                for block, shift in structure.LADDER
            ]
        )
    told = structure.response((scale_px,))[:, 0]
    wide = told > 0.05
    np.testing.assert_allclose(np.mean(seen, 0)[wide], told[wide], rtol=0.12)


def test_planes_with_holes_stay_planes():
    disparity = 1 / plane()
    holed = disparity.copy()
    holed[np.random.default_rng(0).random(holed.shape) < 0.1] = np.nan
    halved = structure.halved(holed)
    np.testing.assert_allclose(
        halved, np.where(np.isnan(halved), np.nan, structure.halved(disparity)), rtol=1e-6
    )
    assert np.isnan(halved).mean() < 0.06


def test_noise_of_the_model_measures_as_one_on_a_slanted_plane():
    rng, depth = np.random.default_rng(1), plane()
    depth += PLAIN.axial_sigma(depth) * field(PLAIN.grain, depth.shape, rng)
    moments = structure.measure(depth, K, PLAIN)
    assert moments is not None
    mean = moments.sums.sum(0) / moments.counts.sum(0)
    np.testing.assert_allclose(mean[:6], structure.usual(PLAIN)[:6], rtol=0.15)


def test_nothing_is_made_of_an_exact_plane_of_no_returns_or_of_a_small_image():
    assert structure.measure(plane(), K, PLAIN) is None
    assert structure.measure(np.full((480, 640), 0.9, np.float32), K, PLAIN) is None
    assert structure.measure(np.full((480, 640), np.nan, np.float32), K, PLAIN) is None
    assert structure.measure(plane(size=(48, 64)), K, PLAIN) is None
