# SPDX-License-Identifier: Apache-2.0
"""What a depth image says about points that ought to be there: confirmed, hidden, seen through."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sam3d_ros.core.sensors import SensorModel
from sam3d_ros.core.types import BoolArray, Camera, Float32Array, FloatArray, Frame, IndexArray

CONFIRMING_SIGMAS = 4.0
"""A return this many sigmas of the sensor off, and a slack, still confirms a surface."""


@dataclass(frozen=True, slots=True, eq=False)
class DepthVerdict:
    """The verdict on N points; the three masks are disjoint, a point without data is in none.

    :param rows: (N,) int32 image row of each point, 0 where it is out of view.
    :param columns: (N,) int32 image column, 0 where it is out of view.
    :param in_view: (N,) bool, projects into the image.
    :param confirmed: (N,) bool, the sensor saw a surface at the point.
    :param hidden: (N,) bool, the sensor saw a surface in front of the point.
    :param seen_through: (N,) bool, the sensor saw a surface behind the point: nothing is there.
    """

    rows: IndexArray
    columns: IndexArray
    in_view: BoolArray
    confirmed: BoolArray
    hidden: BoolArray
    seen_through: BoolArray


def judge(
    points_cam: FloatArray,
    camera: Camera,
    depth_m: Float32Array,
    tolerance_m: FloatArray | float,
    measured: BoolArray | None = None,
) -> DepthVerdict:
    """Compare (N, 3) optical points with (H, W) z-depth (metres, NaN = no return).

    :param points_cam: (N, 3) points, optical frame, metres.
    :param camera: whose depth it is.
    :param depth_m: (H, W) float32 z-depth, metres, NaN = no return.
    :param tolerance_m: scalar or (N,) distance along z within which a return confirms a point.
    :param measured: (H, W) bool, False where a range was inferred, which sees through nothing;
        None = all were measured.
    """
    pixels = _pixels(points_cam, camera)
    return _verdict(points_cam[:, 2], pixels, depth_m, tolerance_m, measured)


def judge_frame(
    points_cam: FloatArray, frame: Frame, slack_m: float, sigmas: float = CONFIRMING_SIGMAS
) -> DepthVerdict:
    """Compare (N, 3) optical points with a frame, by the errors that it says its ranges have.

    :param points_cam: (N, 3) points, optical frame, metres.
    :param frame: one observation.
    :param slack_m: how far the points themselves may be off, by their spacing, slope or pose.
    :param sigmas: how many sigmas a return may be off besides.
    """
    z, pixels = points_cam[:, 2], _pixels(points_cam, frame.camera)
    tolerance_m = depth_tolerance(z, frame.sensor, slack_m, sigmas)
    if frame.range_sigma_m is not None:
        said_m = frame.range_sigma_m[pixels[:2]]
        tolerance_m = np.where(np.isfinite(said_m), slack_m + sigmas * said_m, tolerance_m)
    return _verdict(z, pixels, frame.depth_m, tolerance_m, frame.measured)


def _pixels(points_cam: FloatArray, camera: Camera) -> tuple[IndexArray, IndexArray, BoolArray]:
    """Return (N,) rows and columns, 0 where points are out of view, and which are in view."""
    z = points_cam[:, 2]
    in_front = z > 1e-6
    safe_z = np.where(in_front, z, 1.0)
    columns = np.rint(points_cam[:, 0] / safe_z * camera.fx + camera.cx)
    rows = np.rint(points_cam[:, 1] / safe_z * camera.fy + camera.cy)
    in_view = in_front & (columns >= 0) & (columns < camera.width)
    in_view &= (rows >= 0) & (rows < camera.height)
    columns = np.where(in_view, columns, 0).astype(np.int32)
    rows = np.where(in_view, rows, 0).astype(np.int32)
    return rows, columns, in_view


def _verdict(
    z: FloatArray,
    pixels: tuple[IndexArray, IndexArray, BoolArray],
    depth_m: Float32Array,
    tolerance_m: FloatArray | float,
    measured: BoolArray | None,
) -> DepthVerdict:
    rows, columns, in_view = pixels
    beyond_m = np.where(in_view, depth_m[rows, columns] - z, np.nan)
    with np.errstate(invalid='ignore'):
        confirmed = np.abs(beyond_m) <= tolerance_m
        hidden = beyond_m < -tolerance_m
        seen_through = beyond_m > tolerance_m
    if measured is not None:
        seen_through &= measured[rows, columns]
    return DepthVerdict(rows, columns, in_view, confirmed, hidden, seen_through)


def depth_tolerance(
    z_m: FloatArray, sensor: SensorModel, slack_m: float, sigmas: float = CONFIRMING_SIGMAS
) -> FloatArray:
    """Return the (N,) float64 metres within which single returns confirm points at a depth.

    :param z_m: (N,) depths of the points, metres.
    :param sensor: what measured the depth they are compared with.
    :param slack_m: how far the points themselves may be off, by their spacing, slope or pose.
    :param sigmas: how many sigmas of the sensor a return may be off besides.
    """
    noise = sensor.axial_sigma(np.asarray(z_m, np.float32)).astype(np.float64)
    return np.asarray(slack_m + sigmas * noise)
