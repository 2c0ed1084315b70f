# SPDX-License-Identifier: Apache-2.0
"""Where range ends, a colour image has an edge: what tells a LiDAR from a camera without depth.

As in Levinson and Thrun, "Automatic Online Calibration of Cameras and Lasers" (RSS 2013), but
solved as registration: an edge of an image is a plane through the camera's centre, on which the
point where the LiDAR's range jumps must lie.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from scipy.spatial import KDTree

from sam3d_ros.core.types import ByteArray, Camera, FloatArray
from sam3d_ros.geometry.cameras import project
from sam3d_ros.geometry.registration import Matches
from sam3d_ros.geometry.transforms import apply, inverse

NEIGHBOURS = 12
JUMP_M, JUMP_SHARE = 0.05, 0.05
"""Neighbouring returns whose ranges differ by this and that share, or more, are of two things."""
MOST_PITCHES = 5.0
"""Neighbours farther apart than so many typical distances do not say where one of them ends."""
SAME_WAY = 0.95
"""Cosine; a neighbour in the same direction as a nearer one is not next to a return."""
STRONG_SHARE, OVER_GRAIN, WEAK = 0.08, 5.0, 0.5
"""At most such a share of the pixels have strong gradients, all of which are so many times the
median, which is grain; weaker ones by this factor go on from these."""
LEAST_COSINE = 0.6
"""Of the angle between the way along which range jumps and that across the edge of the image."""
PIXEL_SIGMA = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class RangeEdges:
    """Where the range of a LiDAR jumps.

    :param points: (E, 3) of the nearer surface, where it ends, metres, the LiDAR's frame.
    :param across: (E, 3) unit directions from there to what is farther.
    :param sigma_m: (E,) how far off along these the end may be.
    """

    points: FloatArray
    across: FloatArray
    sigma_m: FloatArray


def range_edges(points: FloatArray) -> RangeEdges:
    """Return where range jumps between neighbouring returns.

    :param points: (N, 3) of one sweep, metres, about the LiDAR's centre.
    """
    ranges = np.linalg.norm(points, axis=1)
    points, ranges = points[ranges > 0], ranges[ranges > 0]
    if len(points) <= NEIGHBOURS:
        return RangeEdges(np.zeros((0, 3)), np.zeros((0, 3)), np.zeros(0))
    rays = points / ranges[:, None]
    away, nearest = KDTree(rays).query(rays, NEIGHBOURS + 1)
    away, nearest = away[:, 1:], nearest[:, 1:]
    is_close = away < MOST_PITCHES * np.median(away[:, 0])
    jump = JUMP_M + JUMP_SHARE * ranges[:, None]
    is_beyond = (ranges[nearest] - ranges[:, None] > jump) & is_close
    at = np.flatnonzero(is_beyond.any(axis=1))
    ways = (rays[nearest[at]] - rays[at, None]) / np.maximum(away[at], 1e-9)[..., None]
    cosines = np.einsum('eic,ejc->eij', ways, ways)
    # Only of returns next to each other the end lies anywhere between, however it was found.
    is_next = ~np.tril(cosines > SAME_WAY, -1).any(axis=2)
    row, column = np.nonzero(is_beyond[at] & is_next)
    is_behind = (cosines[row, column] < -SAME_WAY) & is_close[at][row]
    has_behind = is_behind.any(axis=1)
    row, column = row[has_behind], column[has_behind]
    behind = is_behind[has_behind].argmax(axis=1)
    near = at[row]
    far, gap = nearest[near, column], away[near, column]
    # The inverse range of a plane is linear: a slope that goes on is no end.
    inverse_m = 1.0 / ranges
    slope = (inverse_m[near] - inverse_m[nearest[near, behind]]) / away[near, behind]
    goes_on_m = 1.0 / np.maximum(inverse_m[near] + slope * gap, 1e-6)
    ends = np.flatnonzero(ranges[far] > goes_on_m + jump[near, 0])
    row, column, near, far, gap = (each[ends] for each in (row, column, near, far, gap))
    middle = rays[near] + rays[far]
    middle *= (ranges[near] / np.linalg.norm(middle, axis=1))[:, None]
    return RangeEdges(middle, ways[row, column], ranges[near] * gap / np.sqrt(12.0))


class ImageEdges:
    """Where the brightness of an image jumps, and for every pixel which edge is nearest.

    :param rgb: (H, W, 3) uint8.
    """

    def __init__(self, rgb: ByteArray) -> None:
        gray = cv2.GaussianBlur(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), (5, 5), 1.2)
        du, dv = (cv2.Sobel(gray, cv2.CV_16S, *order) for order in ((1, 0), (0, 1)))
        slope = np.hypot(du.astype(np.float32), dv.astype(np.float32))
        strong = max(
            float(np.quantile(slope, 1.0 - STRONG_SHARE)), OVER_GRAIN * float(np.median(slope))
        )
        edges = cv2.Canny(du, dv, WEAK * strong, max(strong, 1.0), L2gradient=True)
        self.places: npt.NDArray[np.intp] = np.argwhere(edges)[:, ::-1]
        """(P, 2) u, v of the edges."""
        slopes = np.stack([du, dv], axis=-1)[edges > 0].astype(np.float64)
        self.across = slopes / np.maximum(np.linalg.norm(slopes, axis=1, keepdims=True), 1e-9)
        """(P, 2) unit directions in which brightness changes there."""
        _, labels = cv2.distanceTransformWithLabels(
            np.where(edges > 0, 0, 255).astype(np.uint8),
            cv2.DIST_L2,
            cv2.DIST_MASK_5,
            labelType=cv2.DIST_LABEL_PIXEL,
        )
        of = np.zeros(int(labels.max()) + 1, np.intp)
        of[labels[edges > 0]] = np.arange(len(self.places))
        self._nearest = of[labels]

    def nearest(self, u: FloatArray, v: FloatArray) -> npt.NDArray[np.intp]:
        """Return which edge is nearest to (N,) places inside the image, by its number.

        :param u: columns, px.
        :param v: rows, px.
        """
        return np.asarray(self._nearest[np.rint(v).astype(np.intp), np.rint(u).astype(np.intp)])


@dataclass(frozen=True, slots=True, eq=False)
class EdgeView:
    """A sweep and an image of one time.

    :param ends: where range jumps.
    :param edges: where brightness does.
    :param camera: of the image.
    :param T_cam_lidar: (4, 4) where the LiDAR is thought to be.
    """

    ends: RangeEdges
    edges: ImageEdges
    camera: Camera
    T_cam_lidar: FloatArray


class EdgeMatcher:
    """Matches ends of range with the nearest edges of images; see :class:`Matcher`.

    :param views: of all times.
    """

    def __init__(self, views: Sequence[EdgeView]) -> None:
        self._views = [view for view in views if len(view.edges.places)]

    def matches(self, T: FloatArray, gate_m: float) -> Matches:
        """Return points, planes and heights in the LiDAR's frame, moved by ``T``."""
        found = [(np.zeros((0, 3)), np.zeros(0), np.zeros((0, 3)), np.zeros(0))]
        total = 0
        for view in self._views:
            camera, T_cam = view.camera, view.T_cam_lidar @ T
            p = apply(T_cam, view.ends.points)
            u, v = project(p, camera).T
            inside = np.flatnonzero(
                (p[:, 2] > 0.05) & (u > 0) & (v > 0) & (u < camera.width - 1)
                & (v < camera.height - 1)
            )  # fmt: skip
            total += len(inside)
            p, u, v = p[inside], u[inside], v[inside]
            z = p[:, 2]
            at = view.edges.nearest(u, v)
            place, (nu, nv) = view.edges.places[at], view.edges.across[at].T
            # How the end moves in the image when it goes on to what is farther.
            way = view.ends.across[inside] @ T_cam[:3, :3].T
            way_u = camera.fx * (way[:, 0] - way[:, 2] * p[:, 0] / z)
            way_v = camera.fy * (way[:, 1] - way[:, 2] * p[:, 1] / z)
            cosine = np.abs(way_u * nu + way_v * nv) / np.maximum(np.hypot(way_u, way_v), 1e-9)
            x, y = (place[:, 0] - camera.cx) / camera.fx, (place[:, 1] - camera.cy) / camera.fy
            a, b = nu * camera.fx, nv * camera.fy
            normals = np.column_stack([a, b, -(a * x + b * y)])
            normals /= np.linalg.norm(normals, axis=1, keepdims=True)
            heights = np.einsum('nc,nc->n', normals, p)
            away_px = np.hypot(u - place[:, 0], v - place[:, 1])
            good = (cosine > LEAST_COSINE) & (away_px * z < gate_m * camera.fx)
            sigma_m = np.hypot(view.ends.sigma_m[inside], PIXEL_SIGMA * z / camera.fx)
            back = inverse(view.T_cam_lidar)
            found.append(
                (
                    apply(back, p[good]),
                    heights[good],
                    normals[good] @ back[:3, :3].T,
                    sigma_m[good],
                )
            )
        points, heights, normals, sigma_m = (
            np.concatenate(parts) for parts in zip(*found, strict=True)
        )
        return Matches(points, heights, normals, sigma_m, len(points) / max(total, 1))
