# SPDX-License-Identifier: Apache-2.0
"""Episodes with an object that slides away or is taken away."""

import numpy as np
import pytest

from sam3d_ros.world.episode import outermost, stamps, with_moved, with_removed, with_rings
from sam3d_ros.world.suites import make_episode


def test_the_outermost_object_slides_outward_and_stays_on_the_support():
    episode = make_episode('spaced', 2, frames=7)
    index = outermost(episode)
    moved = with_moved(episode, index, 0.12)
    path = moved.T_fixed_obj[:, index, :3, 3]
    middle = episode.T_fixed_obj[0, :, :3, 3].mean(axis=0)
    away = np.linalg.norm((path - middle)[:, :2], axis=1)
    assert away[-1] - away[0] == pytest.approx(0.12) and (np.diff(away) >= -1e-12).all()
    assert np.allclose(path[:, 2], path[0, 2])
    others = np.arange(5) != index
    assert np.array_equal(moved.T_fixed_obj[:, others], episode.T_fixed_obj[:, others])
    assert away[0] == away[1] and away[-1] == away[-2], 'still before and after'


def test_an_object_is_gone_from_its_frame_on():
    episode = with_removed(make_episode('single', 0, frames=4), 0, 2)
    assert episode.present[:, 0].tolist() == [True, True, False, False]


def test_rings_and_stamps():
    for rings in (8, 16):
        assert with_rings(make_episode('lidar', 0, frames=1), rings).lidar.rings == rings
    assert np.diff(stamps(3)).tolist() == [100_000_000] * 2
