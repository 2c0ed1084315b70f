# SPDX-License-Identifier: Apache-2.0
"""The standard suites keep what they promise, seed by seed."""

from itertools import combinations

import numpy as np
import pytest

from sam3d_ros.cli.recordings.world import SUITES as NAMES
from sam3d_ros.core.errors import ConfigurationError
from sam3d_ros.geometry.transforms import apply
from sam3d_ros.world.rendering.render import Renderer
from sam3d_ros.world.setting.placing import Body, shared_volume
from sam3d_ros.world.sources import ScanSource
from sam3d_ros.world.suites import DEMO_FAMILIES, SUITES, make_episode
from sam3d_ros.world.truth import occlusion


def circles(episode):
    moved = [
        apply(T, solid.vertices_m.astype(float))[:, :2]
        for T, solid in zip(episode.T_fixed_obj[0], episode.objects, strict=True)
    ]
    middles = np.array([(m.min(axis=0) + m.max(axis=0)) / 2 for m in moved])
    radii = [np.linalg.norm(m - c, axis=1).max() for m, c in zip(moved, middles, strict=True)]
    return middles, np.array(radii)


def view(episode):
    """Return distance, elevation (deg) and arc (deg) of the camera about the objects."""
    target = episode.T_fixed_obj[0, :, :3, 3].mean(axis=0)
    offset = episode.T_fixed_cam[:, :3, 3] - target
    distance = np.linalg.norm(offset, axis=1)
    elevation = np.degrees(np.arcsin(offset[:, 2] / distance))
    azimuth = np.unwrap(np.arctan2(offset[:, 1], offset[:, 0]))
    return distance, elevation, np.degrees(azimuth[-1] - azimuth[0])


def check_view(episode, frames=5):
    distance, elevation, arc = view(episode)
    assert len(distance) == frames and abs(arc) == pytest.approx(14, abs=1e-6)
    assert distance.min() >= 0.75 and distance.max() <= 1.05
    assert elevation.min() >= 28 and elevation.max() <= 55
    assert episode.sensor.model.name == 'structured_light'


def check_standing(episode):
    for T, solid in zip(episode.T_fixed_obj[0], episode.objects, strict=True):
        lowest = apply(T, solid.vertices_m.astype(float))[:, 2].min()
        assert lowest == pytest.approx(episode.support_z_m, abs=1e-6)


@pytest.mark.parametrize('seed', range(3))
def test_spaced(seed):
    episode = make_episode('spaced', seed)
    middles, radii = circles(episode)
    assert len(radii) == 5
    for i, j in combinations(range(5), 2):
        assert np.linalg.norm(middles[i] - middles[j]) > radii[i] + radii[j]
    check_view(episode)
    check_standing(episode)


@pytest.mark.parametrize('seed', range(2))
def test_clutter(seed):
    episode = make_episode('clutter', seed)
    middles, radii = circles(episode)
    assert len(radii) == 9 and np.linalg.norm(middles, axis=1).max() <= 0.2
    bodies = [Body(solid) for solid in episode.objects]
    poses = episode.T_fixed_obj[0]
    for i, j in combinations(range(9), 2):
        reach = radii[i] + radii[j]
        assert np.linalg.norm(middles[i] - middles[j]) >= 0.62 * reach - 1e-6
        assert shared_volume(bodies[i], poses[i], bodies[j], poses[j]) <= 0.01
    check_view(episode)
    check_standing(episode)


def test_piled():
    episode = make_episode('piled', 0)
    assert len(episode.objects) == 12
    check_view(episode)


def test_lidar_stands_on_the_floor():
    episode = make_episode('lidar', 0)
    assert episode.lidar is not None and episode.support_z_m == 0.0
    assert len(episode.objects) == 5
    check_standing(episode)


def test_demo_shows_its_families_on_a_table():
    episode = make_episode('demo', 3)
    assert tuple(solid.family for solid in episode.objects) == DEMO_FAMILIES
    assert len(episode.stamps_ns) == 40 and (np.diff(episode.stamps_ns) == 10**8).all()
    assert min(solid.extents_m.min() for solid in episode.objects) > 0.017
    drawn = Renderer(episode.objects)
    for T in episode.T_fixed_cam[::4]:
        masks = drawn.masks(episode.camera, T, episode.T_fixed_obj[0])
        assert occlusion(*masks).max() < 0.35, 'no object hides another'
    assert episode.support_z_m > 0.6 and (episode.camera.width, episode.camera.height) == (
        640,
        480,
    )
    check_standing(episode)


@pytest.mark.parametrize('name', SUITES)
def test_same_seed_same_episode(name):
    first, second = make_episode(name, 5, frames=2), make_episode(name, 5, frames=2)
    assert [solid.name for solid in first.objects] == [solid.name for solid in second.objects]
    assert np.array_equal(first.T_fixed_obj, second.T_fixed_obj)
    assert np.array_equal(first.T_fixed_cam, second.T_fixed_cam)
    assert np.array_equal(first.camera.K, second.camera.K)
    assert len({solid.name for solid in first.objects}) == len(first.objects)


def test_hand_held_camera_changes_the_path_only():
    orbit = make_episode('spaced', 1, frames=20)
    hand = make_episode('spaced', 1, frames=20, is_hand_held=True)
    assert np.array_equal(orbit.T_fixed_obj, hand.T_fixed_obj)
    assert np.array_equal(orbit.camera.K, hand.camera.K)
    heights = hand.T_fixed_cam[:, 2, 3]
    assert np.ptp(heights) > 0.003 and np.ptp(orbit.T_fixed_cam[:, 2, 3]) < 1e-9


def test_frames_change_the_sampling_not_the_world():
    short, long = make_episode('spaced', 1, frames=2), make_episode('spaced', 1, frames=9)
    assert np.array_equal(short.T_fixed_obj[0], long.T_fixed_obj[0])
    assert np.allclose(short.T_fixed_cam[[0, -1]], long.T_fixed_cam[[0, -1]])


def test_scans_come_from_the_test_split(shared_data):
    source = ScanSource(shared_data / 'objects')
    episode = make_episode('spaced', 0, source)
    assert episode.source == source.description and 'test' in episode.source
    check_view(episode)
    check_standing(episode)


@pytest.mark.parametrize('name', ['single', 'shelf'])
def test_scattered_views_show_the_same_world_from_elsewhere(name):
    orbit = make_episode(name, 1, frames=3)
    scattered = make_episode(name, 1, frames=3, is_scattered=True)
    assert np.array_equal(orbit.T_fixed_obj, scattered.T_fixed_obj)
    assert np.array_equal(orbit.T_fixed_cam[0], scattered.T_fixed_cam[0])
    assert len(np.unique(scattered.T_fixed_cam[:, :3, 3].round(3), axis=0)) == 3


def test_the_command_line_knows_every_suite():
    assert tuple(SUITES) == NAMES


def test_unknown_suite_is_named():
    with pytest.raises(ConfigurationError, match='moon'):
        make_episode('moon', 0)
