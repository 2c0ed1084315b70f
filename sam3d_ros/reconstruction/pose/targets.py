# SPDX-License-Identifier: Apache-2.0
"""The objects of a frame made ready for registration: points, pixels and shapes in one batch.

Every object has as many rows as the largest may have; what is not there is marked. Pixels of all
crops lie in one row, in which each object has its own part.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from sam3d_ros.core.sensors import SensorModel
from sam3d_ros.core.types import BoolArray, Camera, Float32Array, FloatArray
from sam3d_ros.reconstruction.shape import SAMPLES as SHAPE_SAMPLES
from sam3d_ros.reconstruction.shape import Shape
from sam3d_ros.reconstruction.views import View

SAMPLES = 600
"""Observed points of an object that are registered."""
MARGIN = 0.3
"""So much of the longer side of a mask is looked at around it."""
THROUGH_M, THROUGH_SIGMAS = 0.004, 3.0
"""A return this far, and this many sigmas, behind a vertex says that the vertex is not there."""

PixelIndex = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Sight:
    """What the views say about (B, V) vertices of the shapes.

    :param vertices: (B, V, 3) optical frames.
    :param front: they face the camera.
    :param pixel: index of the pixel that each projects to, that of the first where there is none.
    :param own: that pixel is the object's.
    :param outside_px: how far that pixel is from the mask, px.
    :param beyond_m: measured depth less the vertex's, metres, NaN = no return there.
    :param sigmas: one-sigma error of a return at the vertex, metres.
    :param confirmed: the sensor saw a surface there.
    :param through: the sensor saw through it.
    """

    vertices: FloatArray
    front: BoolArray
    pixel: PixelIndex
    own: BoolArray
    outside_px: Float32Array
    beyond_m: FloatArray
    sigmas: FloatArray
    confirmed: BoolArray
    through: BoolArray


@dataclass(frozen=True, slots=True, eq=False)
class Targets:
    """B objects, their shapes, and what the views show of them.

    :param shapes: their surfaces, each in its own frame.
    :param sensors: what measured them.
    :param points: (B, P, 3) float64 observed points, optical frames; 0 where there is none.
    :param valid: (B, P) where there is one.
    :param sigmas: (B, P) their one-sigma errors along the optical axis, metres.
    :param vertices: (B, V, 3) float64 samples of the shapes, 0 where there is none.
    :param normals: (B, V, 3) of the samples.
    :param sampled: (B, V) where there is one.
    :param cameras: (B, 6, 1) fx, fy, cx, cy, width, height of the crops.
    :param first: (B, 1) the object's first pixel in the arrays below.
    :param depth_m: pixels of all crops: z-depth, NaN = no return.
    :param range_sigma_m: their one-sigma errors, metres, NaN = those of the sensor's model; None =
        those of all.
    :param own: bool, the object's own.
    :param outside_px: float32, distance to the nearest own pixel.
    """

    shapes: tuple[Shape, ...]
    sensors: tuple[SensorModel, ...]
    points: FloatArray
    valid: BoolArray
    sigmas: FloatArray
    vertices: FloatArray
    normals: FloatArray
    sampled: BoolArray
    cameras: FloatArray
    first: PixelIndex
    depth_m: Float32Array
    range_sigma_m: Float32Array | None
    own: BoolArray
    outside_px: Float32Array

    @classmethod
    def of(cls, seen: Sequence[tuple[Shape, View]]) -> Targets:
        """Return shapes and the views that show them as one batch.

        :param seen: at least one; every view has own pixels with a return.
        """
        shapes = tuple(shape for shape, _ in seen)
        views = [_near_part(view) for _, view in seen]
        sensors = tuple(view.sensor for view in views)
        chosen = [_own_pixels(view) for view in views]
        own_points = [
            view.pointmap.reshape(-1, 3)[at].astype(np.float64)
            for view, at in zip(views, chosen, strict=True)
        ]
        points, valid = _stacked(own_points, SAMPLES)
        sigmas, range_sigma_m = _sigmas(sensors, points[..., 2]), None
        if any(view.range_sigma_m is not None for view in views):
            for row, (view, at) in enumerate(zip(views, chosen, strict=True)):
                if view.range_sigma_m is not None:
                    sigmas[row, : len(at)] = view.range_sigma_m.ravel()[at]
            range_sigma_m = np.concatenate([_said_sigma(view) for view in views])
        vertices, sampled = _stacked([shape.samples[0] for shape in shapes], SHAPE_SAMPLES)
        normals, _ = _stacked([shape.samples[1] for shape in shapes], SHAPE_SAMPLES)
        cameras = [(v.camera.fx, v.camera.fy, v.camera.cx, v.camera.cy) for v in views]
        sizes = [(view.camera.width, view.camera.height) for view in views]
        pixels = np.array([width * height for width, height in sizes])
        return cls(
            shapes=shapes,
            sensors=sensors,
            points=points,
            valid=valid,
            sigmas=sigmas,
            vertices=vertices,
            normals=normals,
            sampled=sampled,
            cameras=np.array([(*c, *s) for c, s in zip(cameras, sizes, strict=True)])[..., None],
            first=(np.cumsum(pixels) - pixels)[:, None],
            depth_m=np.concatenate([view.pointmap[..., 2].ravel() for view in views]),
            range_sigma_m=range_sigma_m,
            own=np.concatenate([view.mask.ravel() for view in views]),
            outside_px=np.concatenate([_outside_px(view.mask).ravel() for view in views]),
        )

    @property
    def focal_px(self) -> FloatArray:
        """(B, 1) focal lengths along columns, px."""
        return self.cameras[:, 0]

    def at(self, rows: PixelIndex) -> Targets:
        """Return some of the objects.

        :param rows: (b,) their places in this batch.
        """
        return replace(
            self,
            shapes=tuple(self.shapes[row] for row in rows),
            sensors=tuple(self.sensors[row] for row in rows),
            points=self.points[rows],
            valid=self.valid[rows],
            sigmas=self.sigmas[rows],
            vertices=self.vertices[rows],
            normals=self.normals[rows],
            sampled=self.sampled[rows],
            cameras=self.cameras[rows],
            first=self.first[rows],
        )

    def nearest(
        self, observed: FloatArray, known: PixelIndex
    ) -> tuple[FloatArray, FloatArray, FloatArray, PixelIndex]:
        """Return the nearest vertices: (B, P) how far, (B, P, 3) where, normals, (B, P) which.

        :param observed: (B, P, 3) points in the shapes' frames.
        :param known: (B, P) the vertices where they are known already, rows of -1 where not.
        """
        index = known.copy()
        local, normals = np.zeros(observed.shape), np.zeros(observed.shape)
        for row, shape in enumerate(self.shapes):
            used = self.valid[row]
            if known[row, 0] < 0:
                _, index[row, used] = shape.tree.query(observed[row, used])
            chosen = index[row, used]
            local[row, used] = shape.mesh.vertices_m[chosen]
            normals[row, used] = shape.normals[chosen]
        apart = np.where(self.valid[..., None], observed - local, 0.0)
        near = np.sqrt(np.einsum('bpc,bpc->bp', apart, apart))
        return near, local, normals, index

    def look(self, T_cam_shape: FloatArray) -> Sight:
        """Return what the views say about the samples of the shapes.

        :param T_cam_shape: (B, 4, 4) where the shapes are.
        """
        R_t = T_cam_shape[:, :3, :3].transpose(0, 2, 1)
        vertices = self.vertices @ R_t + T_cam_shape[:, None, :3, 3]
        front = (np.einsum('bvc,bvc->bv', self.normals @ R_t, vertices) < 0) & self.sampled
        fx, fy, cx, cy, width, height = self.cameras.transpose(1, 0, 2)
        z = vertices[..., 2]
        ahead = np.where(z > 1e-6, z, np.inf)
        columns = np.rint(vertices[..., 0] / ahead * fx + cx)
        rows = np.rint(vertices[..., 1] / ahead * fy + cy)
        in_view = (z > 1e-6) & (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
        in_view &= self.sampled
        place = np.where(in_view, rows * width + columns, 0.0).astype(np.intp)
        pixel = place + self.first
        beyond = np.where(in_view, self.depth_m[pixel] - z, np.nan)
        sigmas = _sigmas(self.sensors, z)
        if self.range_sigma_m is not None:
            said = self.range_sigma_m[pixel]
            sigmas = np.where(np.isfinite(said), said, sigmas)
        tolerance = THROUGH_M + THROUGH_SIGMAS * sigmas
        with np.errstate(invalid='ignore'):
            confirmed, through = np.abs(beyond) <= tolerance, beyond > tolerance
        own, outside = self.own[pixel], self.outside_px[pixel]
        return Sight(vertices, front, pixel, own, outside, beyond, sigmas, confirmed, through)

    def inward(self, sight: Sight) -> FloatArray:
        """Return (B, V, 3) the directions, image axes, in which the distance to the mask grows.

        Central differences over the crops, one-sided at their borders.

        :param sight: of this batch.
        """
        width, height = self.cameras[:, 4].astype(np.intp), self.cameras[:, 5].astype(np.intp)
        row, column = np.divmod(sight.pixel - self.first, width)
        slopes = np.zeros(sight.vertices.shape)
        one = np.ones_like(width)
        for axis, (at, size, step) in enumerate(((column, width, one), (row, height, width))):
            ahead, behind = (at + 1 < size).astype(np.intp), (at > 0).astype(np.intp)
            rise = self.outside_px[sight.pixel + ahead * step]
            rise = rise - self.outside_px[sight.pixel - behind * step]
            slopes[..., axis] = rise / np.maximum(ahead + behind, 1)
        return slopes


def _near_part(view: View) -> View:
    """The part of a view around the mask: far from it no vertex of the shape is expected."""
    left, top, columns, rows = cv2.boundingRect(view.mask.view(np.uint8))
    margin = int(MARGIN * max(columns, rows)) + 4
    left, right = max(left - margin, 0), min(left + columns + margin, view.camera.width)
    top, bottom = max(top - margin, 0), min(top + rows + margin, view.camera.height)
    part = (slice(top, bottom), slice(left, right))
    K = view.camera.K.copy()
    K[:2, 2] -= left, top
    return replace(
        view,
        pointmap=view.pointmap[part],
        mask=np.ascontiguousarray(view.mask[part]),
        range_sigma_m=None if view.range_sigma_m is None else view.range_sigma_m[part],
        camera=Camera(right - left, bottom - top, K),
    )


def _own_pixels(view: View) -> PixelIndex:
    pixels = np.flatnonzero(view.own)
    if len(pixels) > SAMPLES:
        pixels = pixels[np.linspace(0, len(pixels) - 1, SAMPLES).astype(np.intp)]
    return pixels


def _said_sigma(view: View) -> Float32Array:
    if view.range_sigma_m is None:
        return np.full(view.mask.size, np.nan, np.float32)
    return view.range_sigma_m.ravel()


def _outside_px(mask: BoolArray) -> Float32Array:
    outside = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 3)
    return np.asarray(outside, np.float32)


def _stacked(parts: Sequence[FloatArray], most: int) -> tuple[FloatArray, BoolArray]:
    """(B, most, 3) of parts of up to ``most`` rows, and (B, most) which rows there are.

    With as many rows always, sums go the same way whoever else is in the batch.
    """
    stacked, used = np.zeros((len(parts), most, 3)), np.zeros((len(parts), most), bool)
    for row, part in enumerate(parts):
        stacked[row, : len(part)], used[row, : len(part)] = part, True
    return stacked, used


def _sigmas(sensors: Sequence[SensorModel], depth_m: FloatArray) -> FloatArray:
    """(B, n) one-sigma errors along the optical axis at depths, metres."""
    if all(sensor is sensors[0] for sensor in sensors):
        return sensors[0].axial_sigma(depth_m).astype(np.float64)
    return np.stack(
        [
            sensor.axial_sigma(depths).astype(np.float64)
            for sensor, depths in zip(sensors, depth_m, strict=True)
        ]
    )
