# SPDX-License-Identifier: Apache-2.0
"""Surfels of frames, and how views vote on them."""

import numpy as np
import pytest

from sam3d_ros.masks3d.surfels import Surfels
from sam3d_ros.masks3d.voting import look


@pytest.fixture(scope='module')
def seen(views) -> Surfels:
    surfels = Surfels()
    for frame, _ in views[:3]:
        surfels.add(frame)
    return surfels


def test_surfels_lie_on_the_surface_one_to_a_voxel(seen) -> None:
    points = seen.points_fixed
    assert len(np.unique(np.floor(points / seen.spacing_m), axis=0)) == len(points)
    top = (np.abs(points[:, 0]) < 0.03) & (np.abs(points[:, 1]) < 0.04) & (points[:, 2] > 0.095)
    assert np.abs(points[top, 2] - 0.1).max() < 1e-3
    assert np.median(seen.normals_fixed[top][:, 2]) > 0.999
    assert np.abs(seen.colors[top] - [200, 40, 40]).max() < 1


def test_surfels_keep_their_places_and_are_bounded(views) -> None:
    surfels = Surfels(most=5000)
    surfels.add(views[0][0])
    before = surfels.points_fixed
    surfels.add(views[1][0])
    assert len(surfels) == 5000
    assert np.abs(surfels.points_fixed[: len(before)] - before).max() < surfels.spacing_m


def test_a_mask_takes_only_part_of_a_frame(views) -> None:
    frame, index = views[0]
    surfels = Surfels()
    surfels.add(frame, index == 1)
    assert surfels.points_fixed[:, 0].min() > 0.045


def test_only_what_is_seen_votes(views, seen) -> None:
    frame, index = views[-1]
    votes = look(seen, frame).votes(index == 0, negative=0.15)
    points = seen.points_fixed
    left = (
        (points[:, 0] < -0.049)
        & (np.abs(points[:, 2] - 0.05) < 0.03)
        & (np.abs(points[:, 1]) < 0.05)
    )
    assert left.any()
    assert np.abs(votes[left]).max() < 1e-6  # turned away from this view
    top = (np.abs(points[:, 0]) < 0.04) & (np.abs(points[:, 1]) < 0.04) & (points[:, 2] > 0.095)
    assert votes[top].min() > 0.1
    other = (points[:, 0] > 0.06) & (points[:, 2] > 0.078)
    assert np.median(votes[other]) < -0.05
    assert votes[other].max() <= 0
