# SPDX-License-Identifier: Apache-2.0
"""Surfels: the surface that depth frames have shown, one point to a voxel, with normal and colour.

They stand where the radiance field stands in SA3D: what a mask can be laid on in three dimensions.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from sam3d_ros.core.types import BoolArray, Float32Array, FloatArray, Frame
from sam3d_ros.geometry.transforms import apply

SPACING_M = 0.004
"""Side of a voxel: about three pixels of a 640x480 camera at a metre."""
MOST_SURFELS = 400_000
"""As many as 4 m of tabletop; what comes later is left out."""
NORMAL_WINDOW_PX = 5

_BITS = 21  # of each voxel coordinate in a key: four kilometres to each side


class Surfels:
    """Surface points of a scene in the fixed frame, thinned to one for each voxel.

    :param spacing_m: side of a voxel.
    :param most: surfels that are kept at all.
    """

    def __init__(self, spacing_m: float = SPACING_M, most: int = MOST_SURFELS) -> None:
        self.spacing_m = spacing_m
        self._most = most
        self._keys = np.empty(0, np.int64)
        self._sums = np.empty((0, 10))  # weight, weighted point, normal and colour

    def __len__(self) -> int:
        return len(self._keys)

    @property
    def points_fixed(self) -> FloatArray:
        """(N, 3) float64 mean place of the returns in each voxel, fixed frame, metres."""
        points: FloatArray = self._sums[:, 1:4] / self._sums[:, :1]
        return points

    @property
    def normals_fixed(self) -> FloatArray:
        """(N, 3) float64 unit normals towards the cameras, fixed frame; zero where unknown."""
        normals = self._sums[:, 4:7]
        length = np.linalg.norm(normals, axis=1, keepdims=True)
        unit: FloatArray = normals / np.maximum(length, 1e-12)
        return unit

    @property
    def colors(self) -> FloatArray:
        """(N, 3) float64 mean RGB, 0..255."""
        colors: FloatArray = self._sums[:, 7:10] / self._sums[:, :1]
        return colors

    def add(self, frame: Frame, mask: BoolArray | None = None) -> None:
        """Take in the surface that a frame shows; near and precise returns count more.

        Surfels keep their place in the arrays: new ones come after the known ones.

        :param frame: one observation.
        :param mask: (H, W) bool, which pixels count; None = all with a return.
        """
        seen = np.isfinite(frame.depth_m) if mask is None else mask & np.isfinite(frame.depth_m)
        points = apply(frame.T_fixed_cam, frame.pointmap[seen].astype(np.float64))
        if not len(points):
            return
        weight = 1.0 / np.square(np.maximum(frame.sigma_m[seen].astype(np.float64), 1e-4))
        normals = normals_of(frame.pointmap)[seen].astype(np.float64) @ frame.T_fixed_cam[:3, :3].T
        values = np.concatenate([points, normals, frame.rgb[seen]], axis=1)
        rows = np.concatenate([np.ones((len(values), 1)), values], axis=1) * weight[:, None]
        keys, voxel = np.unique(voxel_keys(points, self.spacing_m), return_inverse=True)
        sums = np.stack([np.bincount(voxel, row, len(keys)) for row in rows.T], axis=1)
        order = np.argsort(self._keys, kind='stable')
        at = np.searchsorted(self._keys, keys, sorter=order)
        place = order[np.minimum(at, len(order) - 1)] if len(order) else np.zeros_like(at)
        known = self._keys[place] == keys if len(order) else np.zeros(len(keys), bool)
        self._sums[place[known]] += sums[known]
        room = max(0, self._most - len(self._keys))
        self._keys = np.concatenate([self._keys, keys[~known][:room]])
        self._sums = np.concatenate([self._sums, sums[~known][:room]])

    def chosen(self, which: BoolArray) -> Surfels:
        """Return some of the surfels, (N,) bool, as surfels of their own."""
        some = Surfels(self.spacing_m, self._most)
        some._keys, some._sums = self._keys[which], self._sums[which]
        return some


def voxel_keys(points: FloatArray, spacing_m: float) -> npt.NDArray[np.int64]:
    """Return the (N,) int64 numbers of the voxels that (N, 3) points lie in."""
    cells = np.floor(points / spacing_m).astype(np.int64) + (1 << (_BITS - 1))
    keys: npt.NDArray[np.int64] = (cells[:, 0] << 2 * _BITS) | (cells[:, 1] << _BITS) | cells[:, 2]
    return keys


def normals_of(pointmap: Float32Array) -> Float32Array:
    """Return (H, W, 3) float32 unit normals towards the camera, optical frame; zero = unknown.

    :param pointmap: (H, W, 3) metres, NaN = no return; it is smoothed over a few pixels first.
    """
    valid = np.isfinite(pointmap[..., 2])
    filled = np.where(valid[..., None], pointmap, np.float32(0))
    window = (NORMAL_WINDOW_PX, NORMAL_WINDOW_PX)
    share = cv2.blur(valid.astype(np.float32), window)
    smooth = cv2.blur(filled, window) / np.maximum(share, 1e-6)[..., None]
    across = np.gradient(smooth, axis=1)
    down = np.gradient(smooth, axis=0)
    normals = np.cross(down, across)
    length = np.linalg.norm(normals, axis=-1, keepdims=True)
    whole = valid & (share > 0.5)
    normals = np.where(whole[..., None], normals / np.maximum(length, 1e-12), 0)
    facing = np.sign(-(normals * filled).sum(axis=-1, keepdims=True))
    return np.asarray(normals * facing, np.float32)
