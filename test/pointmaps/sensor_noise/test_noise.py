# SPDX-License-Identifier: Apache-2.0
"""A camera measures its own errors: truth of simulated sensors, and scenes without surfaces."""

import json

import cv2
import numpy as np
import pytest

from sam3d_ros.core.errors import InputError
from sam3d_ros.core.sensors import MODELS, STRUCTURED_LIGHT
from sam3d_ros.pointmaps.sensor_noise.noise import FIRST_FRAMES, RangeNoise, recognised
from sam3d_ros.world.rendering.render import Renderer
from sam3d_ros.world.rendering.sensors import depth_sensor, field
from sam3d_ros.world.suites import make_episode

SENSORS = ('structured_light', 'active_stereo', 'tof', 'white')
FRAMES = 4


@pytest.fixture(scope='module')
def world():
    """A few frames of a table as an ideal camera sees it: camera and renderings."""
    episode = make_episode('spaced', 3, frames=FRAMES)
    renderer = Renderer(episode.objects, episode.surroundings, episode.light)
    views = zip(episode.T_fixed_cam, episode.T_fixed_obj, episode.present, strict=True)
    return episode.camera, [renderer.render(episode.camera, *view) for view in views]


def seen(world, name):
    """Return the depth images that a sensor makes of the world."""
    camera, renderings = world
    sensor = depth_sensor(name)
    return [
        sensor.measure(rendering, camera, np.random.default_rng([5, number]))
        for number, rendering in enumerate(renderings)
    ]


def measured(images, K, start):
    noise = RangeNoise(start)
    for depth_m in images:
        noise.update(depth_m, K)
    return noise


@pytest.mark.parametrize('name', SENSORS)
@pytest.mark.parametrize('start', ['own', 'structured_light'])
def test_spread_and_grain_are_the_simulated_ones(world, name, start):
    truth = MODELS[name]
    first = truth if start == 'own' else MODELS[start]
    noise = measured(seen(world, name), world[0].K, first)
    model, range_m = noise.model, noise.range_m
    assert noise.tiles > 20
    assert float(model.axial_sigma(range_m) / truth.axial_sigma(range_m)) == pytest.approx(1, 0.15)
    for window in (3, 9, 25):
        assert model.left_after(window) == pytest.approx(truth.left_after(window), rel=0.15)
    assert model.name == first.name and model.lateral_px == first.lateral_px


def bush(seed, size_px):
    """Return the depth of many small leaves at all angles, with the sensor's noise."""
    rng = np.random.default_rng(seed)
    depth = np.full((480, 640), 1.5, np.float32)
    row, column = np.mgrid[:480, :640].astype(np.float32)
    count = int(40 * depth.size / (12 * np.pi * size_px**2))
    for number in range(count):
        x, y, turn = rng.uniform(0, (640, 480, 180))
        axes = 2 * rng.uniform(0.5, 1.5, 2) * size_px
        tilt = rng.normal(0, 0.7, 2) / 570
        left, top = (max(int(v - axes.max()), 0) for v in (x, y))
        part = np.s_[top : int(y + axes.max()) + 1, left : int(x + axes.max()) + 1]
        leaf = np.zeros(depth[part].shape, np.uint8)
        cv2.ellipse(leaf, ((x - left, y - top), (axes[0], axes[1]), turn), 1, -1)
        surface = 1.3 - 0.7 * number / count
        surface = surface + tilt[0] * (column[part] - x) + tilt[1] * (row[part] - y)
        np.copyto(depth[part], surface.astype(np.float32), where=leaf > 0)
    sigma = STRUCTURED_LIGHT.axial_sigma(depth)
    return np.asarray(depth + sigma * field(STRUCTURED_LIGHT.grain, depth.shape, rng), np.float32)


@pytest.mark.parametrize('size_px', [8, 15, 30])
def test_leaves_teach_nothing(size_px):
    K = np.array([[570.0, 0, 320], [0, 570, 240], [0, 0, 1]])
    assert measured([bush(s, size_px) for s in range(3)], K, STRUCTURED_LIGHT).model == (
        STRUCTURED_LIGHT
    )


def test_random_depth_and_waves_teach_nothing(world):
    rng, K = np.random.default_rng(0), world[0].K
    random = [rng.uniform(0.5, 2.0, (480, 640)).astype(np.float32) for _ in range(3)]
    waves = [1 + 0.02 * field(((10.0, 1.0),), (480, 640), rng) for _ in range(3)]
    for images in (random, waves):
        noise = measured(images, K, STRUCTURED_LIGHT)
        assert noise.model == STRUCTURED_LIGHT and noise.tiles == 0 and np.isnan(noise.range_m)


def test_an_ideal_camera_stays_ideal(world):
    images = seen(world, 'tof')
    assert measured(images, world[0].K, MODELS['ideal']).model == MODELS['ideal']
    truth = [rendering.depth_m for rendering in world[1]]
    assert measured(truth, world[0].K, STRUCTURED_LIGHT).model == STRUCTURED_LIGHT


def test_the_state_is_json_and_goes_on_as_if_never_saved(world):
    images, K = seen(world, 'active_stereo'), world[0].K
    whole = measured(images, K, STRUCTURED_LIGHT)
    saved = json.loads(json.dumps(measured(images[:2], K, STRUCTURED_LIGHT).state()))
    resumed = RangeNoise.from_state(saved, STRUCTURED_LIGHT)
    assert resumed.model != STRUCTURED_LIGHT
    for depth_m in images[2:]:
        resumed.update(depth_m, K)
    assert resumed.model == whole.model and resumed.state() == whole.state()
    with pytest.raises(InputError, match='begun with'):
        RangeNoise.from_state(saved, MODELS['tof'])
    with pytest.raises(InputError, match='format 0'):
        RangeNoise.from_state({**saved, 'format': 0}, STRUCTURED_LIGHT)


def test_the_same_frames_give_the_same_and_later_ones_are_measured_now_and_then(world):
    image, K = seen(world, 'tof')[0], world[0].K
    first, second = (measured([image] * FIRST_FRAMES, K, STRUCTURED_LIGHT) for _ in range(2))
    assert first.model == second.model
    tiles = first.tiles
    for _ in range(FIRST_FRAMES - 1):
        first.update(image, K)
        assert first.tiles == tiles
    first.update(image, K)
    assert first.tiles > tiles


def test_images_of_another_size_begin_anew(world):
    images, K = seen(world, 'tof'), world[0].K
    noise = measured(images, K, STRUCTURED_LIGHT)
    noise.update(images[0][:400], K)
    assert noise.model == measured([images[0][:400]], K, STRUCTURED_LIGHT).model


@pytest.mark.parametrize('name', [name for name in MODELS if name != 'ideal'])
def test_every_camera_looks_like_itself(name):
    found, distance = recognised(MODELS[name], 0.8)
    assert distance == 0 and MODELS[found].grain == MODELS[name].grain
