# SPDX-License-Identifier: Apache-2.0
"""A view: the part of one frame that says something about one object."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from sam3d_ros.core.sensors import STRUCTURED_LIGHT, SensorModel
from sam3d_ros.core.types import (
    BoolArray,
    ByteArray,
    Camera,
    Float32Array,
    FloatArray,
    Frame,
    Instances,
    Plane,
)
from sam3d_ros.geometry.shapes.meshes import cross

CROP_MARGIN = 0.6
NORMAL_STEP_PX = 2
RIM_PX = 2
FLYING_M, FLYING_SIGMAS = 0.01, 4.0
"""A rim pixel this far, and this many sigmas, behind its nearest neighbour is not the object."""
FARTHEST_PX = 1e5
"""Farther than any two pixels are apart."""


@dataclass(frozen=True, slots=True, eq=False)
class WholeFrame:
    """The frame that a view was cropped from, for backends that look beyond the object.

    :param rgb: (H, W, 3) uint8.
    :param pointmap: (H, W, 3) float32, metres, optical frame, NaN = no return.
    :param left: first column of the view.
    :param top: first row of the view.
    """

    rgb: ByteArray
    pointmap: Float32Array
    left: int
    top: int


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """One frame cropped around one object.

    ``ref`` is whatever frame the object stands still in over all views put together: the fixed
    frame for a static object, its own object frame once it was seen to move. One view alone may
    use the optical frame (identity).

    :param pointmap: (h, w, 3) float32, metres, optical frame, NaN = no return.
    :param rgb: (h, w, 3) uint8.
    :param mask: (h, w) bool, the object's own pixels.
    :param foreign: (h, w) bool, pixels of other objects (not of supports or background).
    :param camera: the pinhole model of the crop (its principal point may lie outside).
    :param T_ref_cam: (4, 4) float64, optical frame to ref.
    :param up_cam: (3,) float64 unit, optical frame: against gravity, else the normal of the
        dominant support, else -y.
    :param support: the plane the object stands on, optical frame, or None.
    :param sensor: what the errors of the pointmap look like.
    :param measured: (h, w) bool, False where range was inferred, which proves no free space;
        None = all was measured.
    :param range_sigma_m: (h, w) float32 one-sigma error of each range, metres; None = that of
        ``sensor``.
    :param frame: what it was cropped from, where a backend wants that.
    """

    pointmap: Float32Array
    rgb: ByteArray
    mask: BoolArray
    foreign: BoolArray
    camera: Camera
    T_ref_cam: FloatArray
    up_cam: FloatArray
    support: Plane | None = None
    sensor: SensorModel = STRUCTURED_LIGHT
    measured: BoolArray | None = None
    range_sigma_m: Float32Array | None = None
    frame: WholeFrame | None = None

    @property
    def own(self) -> BoolArray:
        """(h, w) bool: own pixels with a range."""
        seen: BoolArray = self.mask & np.isfinite(self.pointmap[..., 2])
        return seen

    @property
    def returned(self) -> BoolArray:
        """(h, w) bool: own pixels whose range was measured."""
        return self.own if self.measured is None else self.own & self.measured


def best_view(views: Sequence[View]) -> View:
    """Return the view that shows most of an object, of those with a whole frame where some have.

    :param views: of one object, at least one.
    """
    return max(views, key=lambda view: (view.frame is not None, np.count_nonzero(view.mask)))


def crop_view(frame: Frame, instances: Instances, index: int, *, with_frame: bool = False) -> View:
    """Return the view of ``instances.items[index]`` with ``frame``'s fixed frame as ref.

    The crop reaches ``CROP_MARGIN`` of the mask's longer side beyond its box, so that the whole
    object volume projects into it.

    :param with_frame: whether it holds on to the whole frame too.
    """
    instance = instances.items[index]
    left, top, right, bottom = _crop_box(instance.box_px, frame.camera)
    part = (slice(top, bottom), slice(left, right))
    mask = np.ascontiguousarray(instance.mask[part])
    foreign = np.zeros_like(mask)
    for other, item in enumerate(instances.items):
        if other != index:
            foreign |= item.mask[part]
    K = frame.camera.K.copy()
    K[0, 2] -= left
    K[1, 2] -= top
    support = instances.supports[instance.support] if instance.support >= 0 else None
    sigma_m = frame.range_sigma_m
    return View(
        pointmap=_without_flying(frame, part, mask),
        rgb=np.ascontiguousarray(frame.rgb[part]),
        mask=mask,
        foreign=foreign & ~mask,
        camera=Camera(right - left, bottom - top, K),
        T_ref_cam=frame.T_fixed_cam,
        up_cam=_up(frame.up_cam, instances.supports),
        support=support,
        sensor=_sensor(frame, part, mask),
        measured=None if frame.measured is None else np.ascontiguousarray(frame.measured[part]),
        range_sigma_m=None if sigma_m is None else np.ascontiguousarray(sigma_m[part]),
        frame=WholeFrame(frame.rgb, frame.pointmap, left, top) if with_frame else None,
    )


def _sensor(frame: Frame, part: tuple[slice, slice], mask: BoolArray) -> SensorModel:
    """The sensor of a mask's returns; ranges that are inferred are all off by the same."""
    if frame.measured is None or not mask.any() or frame.measured[part][mask].mean() > 0.5:
        return frame.sensor
    return replace(frame.sensor, grain=((FARTHEST_PX, 1.0),))


def _without_flying(frame: Frame, part: tuple[slice, slice], mask: BoolArray) -> Float32Array:
    """A part of a pointmap, without the mask's rim pixels far behind their neighbours in the mask.

    Sensors mix object and background at depth edges, and masks leak over them.
    """
    pointmap = frame.pointmap[part].copy()
    depth = pointmap[..., 2]
    own = np.where(mask & np.isfinite(depth), depth, np.float32(np.inf))
    window = np.ones((2 * RIM_PX + 1, 2 * RIM_PX + 1), np.uint8)
    nearest = np.asarray(cv2.erode(own, window, borderType=cv2.BORDER_REPLICATE), np.float32)
    rim = mask & (cv2.erode(mask.astype(np.uint8), window) == 0)
    if frame.range_sigma_m is None:
        sigma_m = frame.sensor.axial_sigma(nearest)
    else:
        sigma_m = frame.range_sigma_m[part]
    with np.errstate(invalid='ignore'):
        flying = rim & (depth > nearest + FLYING_M + FLYING_SIGMAS * sigma_m)
    pointmap[flying] = np.nan
    return pointmap


def _crop_box(box: tuple[int, int, int, int], camera: Camera) -> tuple[int, int, int, int]:
    left, top, right, bottom = box
    margin = int(CROP_MARGIN * max(right - left, bottom - top)) + 4
    return (
        max(left - margin, 0),
        max(top - margin, 0),
        min(right + margin, camera.width),
        min(bottom + margin, camera.height),
    )


def _up(up_cam: FloatArray | None, supports: tuple[Plane, ...]) -> FloatArray:
    """Against gravity, else the dominant (first) support's normal, else -y."""
    if up_cam is not None:
        return up_cam
    return supports[0].normal if supports else np.array([0.0, -1.0, 0.0])


def view_normals(view: View) -> Float32Array:
    """Return (h, w, 3) float32 unit normals towards the camera, optical frame, NaN = none.

    Cross product of central differences of the pointmap, itself averaged over 3x3 own pixels.
    """
    normals = np.full(view.pointmap.shape, np.nan, np.float32)
    own = view.own
    rows, columns = (np.flatnonzero(own.any(axis=axis)) for axis in (1, 0))
    if len(rows):
        box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
        normals[box] = _normals(view.pointmap[box], own[box])
    return normals


def _normals(pointmap: Float32Array, own: BoolArray) -> Float32Array:
    """(h, w, 3) normals of the own pixels of a crop."""
    weight = cv2.blur(own.astype(np.float32), (3, 3), borderType=cv2.BORDER_CONSTANT)
    inside = np.where(own[..., None], pointmap, np.float32(0))
    with np.errstate(invalid='ignore', divide='ignore'):
        mean = cv2.blur(inside, (3, 3), borderType=cv2.BORDER_CONSTANT) / weight[..., None]
        smooth = np.where(own[..., None], mean, np.nan).astype(np.float32)
        s = NORMAL_STEP_PX
        padded = np.pad(smooth, ((s, s), (s, s), (0, 0)), constant_values=np.nan)
        across = _difference(padded[s:-s, 2 * s :], smooth, padded[s:-s, : -2 * s])
        down = _difference(padded[2 * s :, s:-s], smooth, padded[: -2 * s, s:-s])
        normal = cross(down.reshape(-1, 3), across.reshape(-1, 3)).reshape(smooth.shape)
        normal /= np.sqrt(np.einsum('ijk,ijk->ij', normal, normal))[..., None]
    away = np.einsum('ijk,ijk->ij', normal, smooth) > 0
    normal[away] *= -1
    return normal


def _difference(after: Float32Array, here: Float32Array, before: Float32Array) -> Float32Array:
    """Central difference, one-sided where one neighbour is missing (at the object's rim)."""
    ahead, behind = after - here, here - before
    both = 0.5 * (ahead + behind)
    return np.where(np.isfinite(both), both, np.where(np.isfinite(ahead), ahead, behind))
