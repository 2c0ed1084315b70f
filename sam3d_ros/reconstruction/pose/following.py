# SPDX-License-Identifier: Apache-2.0
"""Masks without a segmenter: where known shapes are seen in a frame that nobody segments.

A shape is drawn where it is thought to be; its mask is where the sensor measured that surface.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from sam3d_ros.core.types import (
    BoolArray,
    Camera,
    FloatArray,
    Frame,
    Instance,
    Instances,
    Track,
    Tracks,
)
from sam3d_ros.geometry.masks import mask_box
from sam3d_ros.geometry.transforms import apply
from sam3d_ros.geometry.visibility import CONFIRMING_SIGMAS, depth_tolerance
from sam3d_ros.reconstruction.evidence.raster import render_depth
from sam3d_ros.reconstruction.shape import Shape

STEP_PX = 2
"""Every so many pixels a shape is drawn: what its outline loses, registration does not need."""
SLACK_M = 0.01
"""How far a completed surface may be off, and an object may have moved since the frame before."""
LEAST_MASK_PX = 100


@dataclass(frozen=True, slots=True, eq=False)
class Expected:
    """A shape and where it is thought to be: ``T_cam_obj`` (4, 4) float64, optical frame."""

    shape: Shape
    T_cam_obj: FloatArray


def followed(frame: Frame, before: Tracks, expected: Mapping[int, Expected]) -> Tracks:
    """Return the tracks of the frame before with masks of where their shapes are seen now.

    A track that the frame before did not show, that has no shape, or of which too little is seen
    has no mask. Nothing is counted for or against a track: nobody looked for others.

    :param frame: not segmented.
    :param before: all living tracks after the frame before.
    :param expected: shapes by the id of their track.
    """
    items: list[Instance] = []
    tracks: list[Track] = []
    for track in before.items:
        seen = None
        if track.instance >= 0 and track.id in expected:
            seen = _seen(before.instances.items[track.instance], expected[track.id], frame)
        if seen is None:
            tracks.append(replace(track, instance=-1))
        else:
            tracks.append(replace(track, instance=len(items), last_seen_ns=frame.stamp_ns))
            items.append(seen)
    return Tracks(frame.stamp_ns, Instances(frame.stamp_ns, tuple(items)), tuple(tracks))


def _seen(known: Instance, expected: Expected, frame: Frame) -> Instance | None:
    """The instance of the frame before as it is seen now, None where too little of it is."""
    mask = visible_mask(expected, frame)
    box = mask_box(mask)
    if box is None or np.count_nonzero(mask) < LEAST_MASK_PX:
        return None
    return replace(known, mask=mask, box_px=box, support=-1)


def visible_mask(expected: Expected, frame: Frame) -> BoolArray:
    """Return the (H, W) mask of where the sensor measured a shape's surface.

    :param expected: the shape where it is thought to be.
    :param frame: what the sensor saw.
    """
    mask = np.zeros(frame.depth_m.shape, bool)
    mesh, camera = expected.shape.coarse, frame.camera
    vertices = apply(expected.T_cam_obj, mesh.vertices_m)
    if vertices[:, 2].min() <= 0:
        return mask
    u = vertices[:, 0] / vertices[:, 2] * camera.fx + camera.cx
    v = vertices[:, 1] / vertices[:, 2] * camera.fy + camera.cy
    left, right = np.clip([u.min(), u.max() + 1], 0, camera.width).astype(int)
    top, bottom = np.clip([v.min(), v.max() + 1], 0, camera.height).astype(int)
    if left >= right or top >= bottom:
        return mask
    measured = frame.depth_m[top:bottom:STEP_PX, left:right:STEP_PX]
    K = camera.K.copy()
    K[:2, 2] -= left, top
    K[:2] /= STEP_PX
    drawn = render_depth(vertices, mesh.faces, Camera(measured.shape[1], measured.shape[0], K))
    tolerance = depth_tolerance(np.where(np.isfinite(drawn), drawn, 1.0), frame.sensor, SLACK_M)
    if frame.range_sigma_m is not None:
        said_m = frame.range_sigma_m[top:bottom:STEP_PX, left:right:STEP_PX]
        tolerance = np.where(np.isfinite(said_m), SLACK_M + CONFIRMING_SIGMAS * said_m, tolerance)
    with np.errstate(invalid='ignore'):
        near = np.abs(measured - drawn) < tolerance
    grown = near.repeat(STEP_PX, axis=0).repeat(STEP_PX, axis=1)
    mask[top:bottom, left:right] = grown[: bottom - top, : right - left]
    return mask
