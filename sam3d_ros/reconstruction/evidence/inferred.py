# SPDX-License-Identifier: Apache-2.0
"""Range for masks without returns: the front of a body that stands on the support.

The frame is told where it is, how sure that is, and that it was not measured, so that all that
follows treats it as it treats any inferred range: it has a surface, and proves no free space.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sam3d_ros.core.types import (
    BoolArray,
    Camera,
    Float32Array,
    Frame,
    Instance,
    Instances,
)
from sam3d_ros.geometry.cameras import rays
from sam3d_ros.reconstruction.evidence.bodies import LEAST_COVERED, Outline
from sam3d_ros.reconstruction.evidence.kept_bodies import KeptBodies

FEW = 0.5
"""Share of a mask's pixels with a return from which on it is what its returns say."""
HARDLY = 0.3
"""Share of a mask's pixels with a return of the thing itself below which it has no depth."""
LEAST_OWN = 30
"""Fewer returns are no surface."""
LEAST_PX = 300
OVER_M, OVER_SIGMAS = 0.012, 4.0
"""Returns this high over the support are not the support's, seen through the thing."""
BEHIND = 1.5
"""Returns so many widths behind the foot are of what is behind the thing."""
EDGE_SHARE = 0.01
"""Silhouettes this near to the image's edge, over its width, may go on beyond it."""
AROUND, LEAST_SUPPORT = 0.25, 0.6
"""So far around it, over its width, at least this share of what was measured is what it is thought
to stand on."""
FOOT_PX = 3
FOOT_HIDDEN = 0.25
"""So far below its lower rim most of a thing must not border on another one."""
RIM_SIGMA_PX, FOOT_SIGMA, OWN_SIGMA, RAGGED_SIGMA = 2.0, 0.12, 0.06, 1.5
"""One sigma of the distance of a body's axis: of its lower rim; and over its width, by the foot
alone, with returns of its own, and for the share of the mask that no body covers."""


def with_bodies(frame: Frame, instances: Instances, kept: KeptBodies) -> Frame:
    """Return a frame in which things that return hardly any range have one, inferred.

    A mask whose foot is hidden, that stands on nothing, or in which no body fits is left alone.

    :param frame: one observation.
    :param instances: its masks, with what they stand on.
    :param kept: the bodies of frames before.
    """
    pointmap: Float32Array | None = None
    sigma_m: Float32Array | None = None
    measured: BoolArray | None = None
    for item in instances.items:
        found = _body_range(frame, item, instances, kept)
        if found is None:
            continue
        if pointmap is None or sigma_m is None or measured is None:
            pointmap, sigma_m = frame.pointmap.copy(), frame.sigma_m.copy()
            whole = np.ones(frame.depth_m.shape, bool)
            measured = whole if frame.measured is None else frame.measured.copy()
        part, depth_m, far_sigma_m, own = found
        known = np.isfinite(depth_m)
        pointmap[part][item.mask[part] & ~own] = np.nan
        pointmap[part][known] = rays(frame.camera)[part][known] * depth_m[known, None]
        sigma_m[part][known], measured[part][known] = far_sigma_m, False
    if pointmap is None:
        return frame
    return replace(frame, pointmap=pointmap, range_sigma_m=sigma_m, measured=measured)


def _body_range(
    frame: Frame, item: Instance, instances: Instances, kept: KeptBodies
) -> tuple[tuple[slice, slice], Float32Array, float, BoolArray] | None:
    """The part of the image that shows a thing; in it (h, w) z-depth of its body where its returns
    do not say it, NaN elsewhere, the one-sigma error of that, and which returns are its own.

    None where these say enough, or nothing says enough.
    """
    left, top, right, bottom = item.box_px
    room = min(left, top, frame.camera.width - right, frame.camera.height - bottom)
    if item.support < 0 or room < EDGE_SHARE * frame.camera.width:
        return None
    part = slice(top, bottom), slice(left, right)
    mask = item.mask[part]
    area = np.count_nonzero(mask)
    returned = mask & np.isfinite(frame.depth_m[part])
    if area < LEAST_PX or np.count_nonzero(returned) >= FEW * area:
        return None
    support = instances.supports[item.support]
    if not _support_is_around(frame, item, instances):
        return None
    K = frame.camera.K.copy()
    K[:2, 2] -= left, top
    camera = Camera(right - left, bottom - top, K)
    outline = Outline.of(mask, camera, support)
    if outline is None:
        return None
    points_m, sigma_m = frame.pointmap[part], frame.sigma_m[part]
    own = _own(points_m, sigma_m, returned, outline)
    has_own = own.sum() >= LEAST_OWN
    if own.sum() >= HARDLY * area or not (has_own or _foot_is_seen(item, instances)):
        return None
    points = points_m[own].astype(np.float64)
    own_m = points[:: max(len(points) // 200, 1)] if has_own else None
    body = kept.body(outline, own_m, frame)
    if body.covered < LEAST_COVERED:
        return None
    front_m = body.depth_m(camera)
    depth_m = np.where(mask & np.isfinite(front_m) & ~own, front_m, np.float32(np.nan))
    if not np.isfinite(depth_m).any():
        return None
    distance_m = float(np.linalg.norm(body.origin_m))
    # A pixel at the lower rim covers more of the support the flatter it is looked at.
    steepness = max(support.offset_m / distance_m, 0.05)
    rim_m = RIM_SIGMA_PX * distance_m / (frame.camera.fx * steepness)
    ragged = RAGGED_SIGMA * (1.0 - body.covered)
    width_m = 2.0 * float(body.radii_m.max())
    shape_m = width_m * ((OWN_SIGMA if has_own else FOOT_SIGMA) + ragged)
    return part, depth_m, float(shape_m if has_own else np.hypot(rim_m, shape_m)), own


def _own(
    points_m: Float32Array, sigma_m: Float32Array, returned: BoolArray, outline: Outline
) -> BoolArray:
    """(h, w) bool: returns of the thing itself, not of what is seen through it."""
    points = points_m[returned].astype(np.float64)
    over_m = OVER_M + OVER_SIGMAS * sigma_m[returned]
    is_over = points @ outline.up + outline.support.offset_m > over_m
    is_near = (points - outline.foot_m) @ outline.away < BEHIND * outline.width_m
    own = np.zeros(returned.shape, bool)
    own[returned] = is_over & is_near
    return own


def _support_is_around(frame: Frame, item: Instance, instances: Instances) -> bool:
    """Whether the support is what was measured around a mask's lower half."""
    left, top, right, bottom = item.box_px
    reach = max(int(AROUND * (right - left)), FOOT_PX)
    rows, columns = (
        slice((top + bottom) // 2, bottom + reach),
        slice(max(left - reach, 0), right + reach),
    )
    around = np.isfinite(frame.depth_m[rows, columns])
    for each in instances.items:
        around &= ~each.mask[rows, columns]
    support = instances.supports[item.support]
    points = frame.pointmap[rows, columns][around]
    over_m = points @ support.normal.astype(np.float32) + np.float32(support.offset_m)
    near = np.abs(over_m) < OVER_M + OVER_SIGMAS * frame.sigma_m[rows, columns][around]
    return len(near) >= LEAST_OWN and float(near.mean()) >= LEAST_SUPPORT


def _foot_is_seen(item: Instance, instances: Instances) -> bool:
    """Whether what shows right below a mask is no other thing."""
    height = item.mask.shape[0]
    lowest = height - 1 - np.argmax(item.mask[::-1], axis=0)
    columns = np.flatnonzero(item.mask.any(axis=0))
    rows = np.minimum(lowest[columns] + FOOT_PX, height - 1)
    hidden = [other.mask[rows, columns] for other in instances.items if other is not item]
    return not hidden or float(np.any(hidden, axis=0).mean()) < FOOT_HIDDEN
