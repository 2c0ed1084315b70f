# SPDX-License-Identifier: Apache-2.0
"""Stored views keep what segmentation sees; cameras for training vary around the measured ones."""

import numpy as np
import pytest

from sam3d_ros.core.sensors import MODELS
from sam3d_ros.training import views
from sam3d_ros.training.sensors import draw_sensor
from sam3d_ros.training.views import draw, load, store
from sam3d_ros.world.sources import ProceduralSource


@pytest.fixture(scope='module')
def drawn():
    return list(draw(views.SUITES.index('spaced'), 2, ProceduralSource(views.BOXY)))


def test_views_are_on_the_working_grid_with_their_sensor_on_it(drawn):
    for view in drawn:
        assert view.instances.shape == view.frame.depth_m.shape == (240, 320)
        assert view.instances.max() >= 3
        full = MODELS[view.frame.sensor.name]
        assert view.frame.sensor.lateral_px == pytest.approx(full.lateral_px / 2)
    assert not np.array_equal(drawn[0].frame.rgb, drawn[1].frame.rgb)


def test_a_view_comes_back_within_the_stored_step(drawn, tmp_path):
    view = drawn[0]
    store(tmp_path / 'view.npz', view)
    again = load(tmp_path / 'view.npz')
    assert np.array_equal(again.frame.rgb, view.frame.rgb)
    assert np.array_equal(again.instances, view.instances)
    assert again.frame.sensor == view.frame.sensor
    np.testing.assert_allclose(again.frame.pointmap, view.frame.pointmap, atol=1.1e-4)
    assert (again.frame.up_cam is None) == (view.frame.up_cam is None)
    assert not list(tmp_path.glob('*.part'))


def test_things_stand_where_their_labels_are(drawn):
    view = drawn[0]
    depth = np.nan_to_num(view.frame.depth_m)
    for k in range(1, view.instances.max() + 1):
        on = (view.instances == k) & (depth > 0)
        if on.sum() > 200:
            assert np.ptp(np.quantile(depth[on], [0.1, 0.9])) < 0.4


def test_drawn_sensors_vary_around_the_measured_ones_and_repeat():
    first, second = (
        [draw_sensor(np.random.default_rng(k)).model for k in range(200)] for _ in range(2)
    )
    assert first == second
    kinds = {model.name for model in first}
    assert {'active_stereo', 'structured_light', 'tof', 'white'} <= kinds
    spread = [
        model.floor_m / MODELS[model.name].floor_m for model in first if model.kind != 'ideal'
    ]
    assert 0.2 < min(spread) < 0.7 and 1.4 < max(spread) < 4
    assert np.median(spread) == pytest.approx(1, abs=0.15)
    for model in first:
        assert sum(share for _, share in model.grain) == pytest.approx(1)
