# SPDX-License-Identifier: Apache-2.0
"""Masks in 3D of living tracks: what one frame adds wrongly, later ones vote away."""

import numpy as np
import pytest

from sam3d_ros.core.types import Instance, Instances
from sam3d_ros.geometry.masks import mask_box
from sam3d_ros.geometry.transforms import apply
from sam3d_ros.masks3d.confidence import MOST, normals_at
from sam3d_ros.tracking.config import TrackingConfig
from sam3d_ros.tracking.overlap import OverlapTracker


def instances_of(frame, *masks):
    items = [Instance(mask, 1.0, mask_box(mask), 'truth') for mask in masks]
    return Instances(frame.stamp_ns, tuple(items))


def test_normals_are_those_of_the_planes_that_pixels_show(views) -> None:
    frame, index = views[0]
    rows, columns = np.nonzero(index == 0)
    points = apply(frame.T_fixed_cam, frame.pointmap[rows, columns].astype(np.float64))
    normals = normals_at(frame.pointmap, rows, columns) @ frame.T_fixed_cam[:3, :3].T
    top = (points[:, 2] > 0.0995) & (np.abs(points[:, :2]) < 0.03).all(axis=1)
    assert top.sum() > 20
    assert normals[top, 2] == pytest.approx(1.0, abs=1e-3)
    assert (np.linalg.norm(normals, axis=1) < 1 + 1e-6).all()
    corner = normals_at(np.full((4, 4, 3), np.nan, np.float32), np.array([0]), np.array([3]))
    assert (corner == 0).all()


def test_what_one_view_melts_falls_apart_in_the_next_ones(views) -> None:
    tracker = OverlapTracker(TrackingConfig())
    first, index = views[0]
    tracker.update(first, instances_of(first, index >= 0))
    shares = []
    for frame, index in views[1:4] * 3:
        tracks = tracker.update(frame, instances_of(frame, index == 0, index == 1))
        surface = tracker.state()['memories'][0]['sighting']
        shares.append(float((np.asarray(surface['points_fixed'])[:, 0] > 0.055).mean()))
    assert {track.id for track in tracks.items if track.instance >= 0} == {1, 2}
    assert shares[0] > 0.15
    assert shares[-1] < 0.5 * shares[0]


def test_confidence_grows_where_views_agree_and_no_further(views) -> None:
    tracker = OverlapTracker(TrackingConfig())
    for frame, index in [views[0]] * 9:
        tracker.update(frame, instances_of(frame, index == 0))
    surface = tracker.state()['memories'][0]['sighting']
    points, confidence = (np.asarray(surface[name]) for name in ('points_fixed', 'confidence'))
    top = (points[:, 2] > 0.095) & (np.abs(points[:, :2]) < 0.03).all(axis=1)
    assert confidence[top] == pytest.approx(MOST)
    assert confidence.max() <= MOST
