# SPDX-License-Identifier: Apache-2.0
"""What a track remembers of its pose: better views are taken, doubt is kept."""

from types import SimpleNamespace

import numpy as np
import pytest

from sam3d_ros.reconstruction.config import ReconstructionConfig
from sam3d_ros.reconstruction.memory import TrackMemory
from sam3d_ros.reconstruction.pose.layout import PoseUpdate
from sam3d_ros.reconstruction.pose.pose_covariance import ALIKE
from sam3d_ros.reconstruction.pose.pose_filter import WANDER_M, WANDER_RAD, diagonal

CONFIG = ReconstructionConfig()
SMALL = np.diag(np.square([0.001] * 3 + [0.01] * 3))


def follow(memory, twist, before, after, covariance=SMALL, alike=ALIKE):
    """Let a memory with a shape see one measured update."""
    memory.refined = False
    update = PoseUpdate(np.asarray(twist, float), covariance, before, after, alike)
    memory.follow(update, np.eye(3), 7, CONFIG)


def known(covariance=SMALL):
    memory = TrackMemory()
    memory.shape = SimpleNamespace(mesh=SimpleNamespace(vertices_m=np.eye(3), symmetry=None))
    memory.pose.covariance = covariance
    return memory


def test_a_pose_is_kept_when_the_score_does_not_rise():
    memory = known()
    follow(memory, [0.002, 0, 0, 0, 0, 0], 0.9, 0.9)
    assert not memory.refined
    np.testing.assert_array_equal(memory.T_fixed_obj, np.eye(4))
    np.testing.assert_array_equal(memory.pose.covariance, SMALL)


def test_a_small_correction_is_taken_in_part():
    memory = known()
    follow(memory, [0.002, 0, 0, 0, 0, 0], 0.8, 0.9)
    assert memory.refined
    assert 0 < memory.T_fixed_obj[0, 3] < 0.002


def test_many_views_make_the_pose_surer_by_what_they_do_not_share():
    memory, shared = known(), known()
    for _ in range(30):
        follow(memory, np.zeros(6), 0.8, 0.9)
        follow(shared, np.zeros(6), 0.8, 0.9, alike=1.0)
    sigmas = np.sqrt(np.diag(memory.pose.covariance) / np.diag(SMALL))
    assert (sigmas < 1.0).all() and (sigmas >= ALIKE).all()
    np.testing.assert_allclose(shared.pose.covariance, SMALL, rtol=1e-6)


def test_a_leap_that_explains_much_is_a_move():
    memory = known()
    follow(memory, [0.1, 0, 0, 0, 0, 0], 0.1, 0.9)
    assert memory.refined
    assert memory.T_fixed_obj[0, 3] == pytest.approx(0.1)
    assert memory.moved_ns == 7
    # Of one view, and a measured pose wanders from view to view.
    np.testing.assert_allclose(memory.pose.covariance, SMALL + diagonal(WANDER_M, WANDER_RAD))


def test_a_leap_that_explains_little_is_doubt():
    memory = known()
    follow(memory, [0.1, 0, 0, 0, 0, 0], 0.80, 0.85)
    assert not memory.refined
    np.testing.assert_array_equal(memory.T_fixed_obj, np.eye(4))
    assert np.sqrt(memory.pose.covariance[0, 0]) > 0.1
    assert memory.pose.covariance[1, 1] == SMALL[1, 1]
