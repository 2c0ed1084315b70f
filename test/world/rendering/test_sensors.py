# SPDX-License-Identifier: Apache-2.0
"""Sensor noise has the size, growth, steps and gaps that its sources state."""

import numpy as np
import pytest
from worlds import GREY, LIGHT

from sam3d_ros.core.errors import ConfigurationError
from sam3d_ros.world.cameras import pinhole
from sam3d_ros.world.rendering.render import Renderer, Rendering
from sam3d_ros.world.rendering.sensors import depth_sensor, incidence
from sam3d_ros.world.setting.surroundings import slab

CAMERA = pinhole(320, 240)
SENSOR = depth_sensor('white')


def facing(depth_m, tilt_rad=0.0):
    """Return a rendering of a plane across the optical axis, turned about y."""
    normal = np.array([np.sin(tilt_rad), 0.0, -np.cos(tilt_rad)], np.float32)
    columns = (np.arange(320) - CAMERA.cx) / CAMERA.fx
    z = depth_m * normal[2] / (normal[0] * columns + normal[2])
    depth = np.tile(z.astype(np.float32), (240, 1))
    shape = (240, 320)
    return Rendering(
        np.zeros((*shape, 3), np.uint8), depth, np.broadcast_to(normal, (*shape, 3)),
        np.zeros(shape, np.uint8), np.zeros((0, *shape), bool),
        np.full(shape, 0.9, np.float32), np.zeros(shape, np.float32),
        np.zeros(shape, np.float32), depth,
    )  # fmt: skip


def box_before_wall():
    """Return a rendering of a 20 cm square at 0.8 m before a wall at 1.2 m."""
    wall = slab('wall', np.array([-1, -1, 1.2]), np.array([1, 1, 1.3]), GREY, 1.0)
    box = slab('box', np.array([-0.1, -0.1, 0.8]), np.array([0.1, 0.1, 0.82]), GREY, 1.0)
    return Renderer([], [wall, box], LIGHT).render(CAMERA, np.eye(4), np.zeros((0, 4, 4)))


def middle(image):
    return image[80:160, 120:200]


def noise(depth_m, tilt_rad=0.0):
    drawn = facing(depth_m, tilt_rad)
    measured = SENSOR.measure(drawn, CAMERA, np.random.default_rng(0))
    return float(np.nanstd(middle(measured - drawn.depth_m)))


@pytest.mark.parametrize('depth_m', [0.6, 1.0, 2.0, 3.0])
def test_axial_noise_grows_with_the_square_of_depth(depth_m):
    step = 2.85e-3 * depth_m**2
    expected = np.hypot(0.0012 + 0.0019 * (depth_m - 0.4) ** 2, step / np.sqrt(12))
    assert noise(depth_m) == pytest.approx(expected, rel=0.1)


def test_tilted_surfaces_are_noisier():
    assert noise(1.0, np.radians(70)) > 1.5 * noise(1.0)


def test_depth_comes_in_disparity_steps():
    measured = SENSOR.measure(facing(2.0), CAMERA, np.random.default_rng(1))
    levels = np.unique(middle(measured))
    assert np.diff(levels).min() == pytest.approx(2.85e-3 * 4, rel=0.1)
    units = 1 / SENSOR.model.step / levels
    assert np.allclose(units, np.rint(units), atol=1e-3)


def test_grazed_and_distant_surfaces_return_nothing():
    for tilt, share in [(60, 0.0), (88, 1.0)]:
        drawn = facing(1.0, np.radians(tilt))
        theta = middle(incidence(drawn, CAMERA))
        lost = middle(np.isnan(SENSOR.measure(drawn, CAMERA, np.random.default_rng(2))))
        assert lost[np.abs(theta - np.radians(tilt)) < 0.02].mean() == pytest.approx(
            share, abs=0.02
        )
    assert np.isnan(SENSOR.measure(facing(6.0), CAMERA, np.random.default_rng(2))).all()
    assert np.isnan(SENSOR.measure(facing(0.3), CAMERA, np.random.default_rng(2))).all()


def test_shadow_is_left_of_things_and_as_wide_as_the_disparity():
    drawn = box_before_wall()
    lost = np.isnan(SENSOR.measure(drawn, CAMERA, np.random.default_rng(3)))[120]
    edge = int(np.argmax(drawn.depth_m[120] < 1.0))
    width = CAMERA.fx * SENSOR.model.baseline_m * (1 / 0.8 - 1 / 1.2)
    assert lost[int(edge - width) + 3 : edge - 3].all()
    assert not lost[int(edge - width) - 30 : int(edge - width) - 6].any()
    assert not lost[edge + 3 : edge + 20].any()


def test_edges_are_ragged_by_about_a_pixel():
    drawn = box_before_wall()
    measured = SENSOR.measure(drawn, CAMERA, np.random.default_rng(4))
    is_near, was_near = measured < 1.0, drawn.depth_m < 1.0
    flipped = np.nonzero((is_near != was_near)[90:150] & ~np.isnan(measured[90:150]))
    edges = np.nonzero(np.diff(was_near[120]))[0]
    distance = np.abs(flipped[1][:, None] - edges).min(axis=1)
    assert len(flipped[1]) > 20 and distance.max() <= 5 and distance.mean() < 2


def test_ideal_is_exact_and_sensors_go_by_name():
    drawn = facing(1.0)
    measured = depth_sensor('ideal').measure(drawn, CAMERA, np.random.default_rng(0))
    assert measured is drawn.depth_m
    with pytest.raises(ConfigurationError, match='sonar'):
        depth_sensor('sonar')
