# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

import numpy as np
import pytest

from sam3d_ros.core.types import Camera, Plane
from sam3d_ros.geometry.cameras import pointmap_from_depth, rays
from sam3d_ros.reconstruction.config import EvidenceConfig
from sam3d_ros.reconstruction.evidence import Evidence, build_evidence
from sam3d_ros.reconstruction.views import View
from sam3d_ros.reconstruction.volume_input import CHANNELS, LARGEST_VOXEL_M, volume_input

RADIUS_M = 0.05


def ball_view() -> View:
    """A ball 0.7 m ahead on a table that the camera sees from 45 degrees above."""
    camera = Camera(160, 120, np.array([[260.0, 0, 79.5], [0, 260.0, 59.5], [0, 0, 1]]))
    direction = rays(camera).astype(np.float64)
    centre = np.array([0.0, 0.0, 0.7])
    up = np.array([0.0, -1.0, -1.0]) / np.sqrt(2)
    table = (up @ (centre - RADIUS_M * up)) / (direction @ up)
    a, b = (direction**2).sum(-1), direction @ centre
    inside = b**2 - a * (centre @ centre - RADIUS_M**2)
    mask = inside > 0
    depth = np.where(mask, (b - np.sqrt(np.maximum(inside, 0))) / a, table)
    return View(
        pointmap=pointmap_from_depth(depth.astype(np.float32), camera),
        rgb=np.zeros((120, 160, 3), np.uint8),
        mask=mask,
        foreign=np.zeros_like(mask),
        camera=camera,
        T_ref_cam=np.eye(4),
        up_cam=up,
        support=Plane(up, float(RADIUS_M - up @ centre)),
    )


@pytest.fixture(scope='module')
def ball() -> Evidence:
    return build_evidence([ball_view()], EvidenceConfig())


def channel(evidence: Evidence, name: str) -> np.ndarray:
    return volume_input(evidence)[CHANNELS.index(name)]


def test_flags_are_copied(ball: Evidence) -> None:
    for name in ('free', 'outside', 'occluded', 'blocked', 'unseen', 'below'):
        assert np.array_equal(channel(ball, name), 255 * getattr(ball, name)), name
        assert name in ('blocked', 'unseen') or channel(ball, name).any(), name


def test_distance_runs_over_the_truncation(ball: Evidence) -> None:
    back = (channel(ball, 'distance') / 127.5 - 1.0) * ball.truncation_m
    assert np.abs(back - ball.distance_m).max() <= ball.truncation_m / 255 + 1e-6


def test_height_is_zero_below_and_grows_by_a_voxel(ball: Evidence) -> None:
    height = channel(ball, 'height').astype(int)
    assert not height[ball.below > 0].any()
    column = height[24, 24]
    steps = np.diff(column[column > 0])
    assert np.abs(steps - 255 / ball.grid.size).max() <= 1.0


def test_no_support_is_a_height_of_zero(ball: Evidence) -> None:
    assert not channel(replace(ball, support_m=None), 'height').any()


def test_voxel_tells_the_size(ball: Evidence) -> None:
    expected = round(255 * ball.grid.voxel_m / LARGEST_VOXEL_M)
    assert (channel(ball, 'voxel') == expected).all() and 0 < expected < 255
    large = replace(ball, grid=replace(ball.grid, voxel_m=0.5))
    assert (channel(large, 'voxel') == 255).all()
