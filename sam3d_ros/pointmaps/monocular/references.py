# SPDX-License-Identifier: Apache-2.0
"""Ranges that are known without a network, for it to be aligned to: measured, standing, moving.

What a depth camera or LiDAR measured; the plane that things stand on, where its height is known;
and points that a camera moved by a robot saw from two places, over TF. Each says how far it may be
off, and, where it knows nothing, what is missing.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from sam3d_ros.core.errors import ConfigurationError, InputError
from sam3d_ros.core.types import BoolArray, ByteArray, Camera, Float32Array, FloatArray
from sam3d_ros.geometry.cameras import rays
from sam3d_ros.geometry.transform_tree import TransformTree
from sam3d_ros.geometry.transforms import inverse
from sam3d_ros.pointmaps.config import PointmapConfig
from sam3d_ros.pointmaps.inputs import ColorImage
from sam3d_ros.pointmaps.sources.ranges import RangeMap

_MOST = 5000
# How well a height is known that somebody typed, metres; and TF, radians.
_HEIGHT_M, _TILT_RAD = 0.01, 0.005
# Corners that are followed; px that one is off; and how far forth and back may be apart.
_CORNERS, _APART_PX, _OFF_PX, _ROUND_PX = 400, 12, 0.7, 0.7
# So many images are remembered, while so many of their corners are still seen.
_ANCHORS, _FEWEST = 3, 20
# Below this angle between both sights a place is not known; above the other one a new image is
# remembered.
_LEAST_RAD, _NEXT_RAD = np.radians(1.0), np.radians(4.0)
# How far both sights of a thing that stands still may miss each other, px.
_MISS_PX = 2.0


@dataclass(frozen=True, slots=True, eq=False)
class References:
    """Ranges of some pixels of a rectified image.

    :param at: (N,) flat index of each pixel.
    :param depth_m: (N,) z-depth, metres.
    :param sigma_m: (N,) one-sigma error of it, metres.
    """

    at: npt.NDArray[np.intp]
    depth_m: FloatArray
    sigma_m: FloatArray


def measured_references(ranges: RangeMap) -> References:
    """Return what was measured in an image, the rims of its holes among it.

    :param ranges: of the image.
    :raises InputError: where nothing was.
    """
    depth_m = ranges.depth_m
    at = np.flatnonzero(np.isfinite(depth_m))
    if not len(at):
        raise InputError('no measured range', wanted='a depth image or cloud that sees something')
    at = at[:: max(len(at) // _MOST, 1)]
    z = depth_m.ravel()[at]
    sigma_m = ranges.errors_m.ravel()[at]
    return References(at, z.astype(np.float64), sigma_m.astype(np.float64))


def support_references(
    color: ColorImage, tree: TransformTree, config: PointmapConfig
) -> References:
    """Return the range of a level plane in every pixel that looks down on it.

    Only some pixels show the plane; who aligns to it finds out which.

    :param color: the image.
    :param tree: all of TF that is known.
    :param config: ``support_height`` says where the plane is.
    :raises InputError: when height or TF are not known, or the plane is not in view.
    """
    if not config.support_height:
        raise InputError('pointmaps.support_height is empty', wanted='the height of the support')
    try:
        height_m = float(config.support_height)
    except ValueError as error:
        raise ConfigurationError(
            f'pointmaps.support_height = "{config.support_height}"', wanted='metres'
        ) from error
    camera = color.lens.rectified
    T_fixed_cam = camera_place(color, tree, config)
    down = rays(camera).reshape(-1, 3).astype(np.float64) @ T_fixed_cam[2, :3]
    above_m = T_fixed_cam[2, 3] - height_m
    with np.errstate(divide='ignore', invalid='ignore'):
        depth_m = -above_m / down
    near, far = config.min_depth_m, config.max_depth_m
    at = np.flatnonzero((above_m > 0) & (down < 0) & (depth_m > near) & (depth_m < far))
    if not len(at):
        raise InputError(
            f'no pixel looks down on a plane at {height_m:g} m in "{tree.root(color.frame_id)}"',
            wanted='a camera above pointmaps.support_height that sees it',
        )
    at = at[:: max(len(at) // _MOST, 1)]
    z = depth_m[at]
    slant = np.sqrt(1.0 + np.square(1.0 / down[at]))
    sigma_m = z * np.hypot(_HEIGHT_M / above_m, _TILT_RAD * slant)
    return References(at, z, sigma_m)


class MovedReferences:
    """Points that a moving camera saw from two places, which TF knows: the robot is the ruler.

    Corners are followed from one image to the next (Lucas, Kanade, IJCAI 1981) and placed where
    both lines of sight meet. What moves by itself makes lines that miss each other, or is an
    outlier for who aligns to it.

    :param config: whose fixed frame it is.
    """

    def __init__(self, config: PointmapConfig) -> None:
        self._config = config
        self.forget()

    def forget(self) -> None:
        """Begin with the next image."""
        self._anchors: list[_Anchor] = []
        self._latest: ByteArray | None = None

    def of(self, color: ColorImage, tree: TransformTree) -> References:
        """Return places of corners in an image, after the ones before.

        :param color: the image.
        :param tree: all of TF that is known.
        :raises InputError: when the camera has not moved enough, or TF does not say how.
        """
        T_fixed_cam = camera_place(color, tree, self._config)
        gray = np.asarray(cv2.cvtColor(color.rectified, cv2.COLOR_RGB2GRAY), np.uint8)
        before, self._latest = self._latest, gray
        if before is None:
            self._anchors = [_Anchor.of(gray, T_fixed_cam)]
            raise InputError('the first image of a camera', wanted='a second one, from elsewhere')
        camera = color.lens.rectified
        found, newest_rad = [], 0.0
        for anchor in self._anchors:
            anchor.follow(before, gray)
            T_now_anchor = inverse(T_fixed_cam) @ anchor.T_fixed_cam
            z, angle, miss_px = _meetings(anchor.corners, anchor.seen, T_now_anchor, camera)
            newest_rad = float(np.median(angle)) if len(angle) else _NEXT_RAD
            column, row = np.rint(anchor.seen).astype(np.intp).T
            good = (angle > _LEAST_RAD) & (miss_px < _MISS_PX) & (z > self._config.min_depth_m)
            good &= (column >= 0) & (column < camera.width) & (row >= 0) & (row < camera.height)
            at, z, angle = (row * camera.width + column)[good], z[good], angle[good]
            found.append((at, z, z * (np.sqrt(2) * _OFF_PX / camera.fx) / np.sin(angle)))
        way_m = float(np.linalg.norm((inverse(T_fixed_cam) @ self._anchors[0].T_fixed_cam)[:3, 3]))
        if newest_rad >= _NEXT_RAD:
            kept = [anchor for anchor in self._anchors if len(anchor.seen) >= _FEWEST]
            self._anchors = [*kept[1 - _ANCHORS :], _Anchor.of(gray, T_fixed_cam)]
        at, z, sigma_m = (np.concatenate(each) for each in zip(*found, strict=True))
        if not len(at):
            raise InputError(
                'no corner was seen from two places that are far enough apart: the camera moved '
                f'by {way_m:.3f} m',
                wanted='motion across the line of sight, a tenth of the range or so',
            )
        return References(at, z, sigma_m)


@dataclass(slots=True, eq=False)
class _Anchor:
    """An image whose corners are followed: where they were, where they are now, and its place."""

    gray: ByteArray
    corners: Float32Array
    seen: Float32Array
    T_fixed_cam: FloatArray

    @classmethod
    def of(cls, gray: ByteArray, T_fixed_cam: FloatArray) -> _Anchor:
        found = cv2.goodFeaturesToTrack(gray, _CORNERS, 0.01, _APART_PX)
        corners = np.zeros((0, 2), np.float32)
        if found is not None:
            corners = np.asarray(found.reshape(-1, 2), np.float32)
        return cls(gray, corners, corners, T_fixed_cam)

    def follow(self, before: ByteArray, now: ByteArray) -> None:
        """Find the corners in an image; what does not lead back to where it came from is lost."""
        guess, kept = _followed(before, now, self.seen, self.seen)
        # From the anchor itself, so that nothing drifts; and back again.
        seen, found = _followed(self.gray, now, self.corners, guess)
        back, again = _followed(now, self.gray, seen, self.corners)
        kept &= found & again & (np.abs(back - self.corners).max(axis=1, initial=0) < _ROUND_PX)
        self.corners, self.seen = self.corners[kept], seen[kept]


def _followed(
    before: ByteArray, now: ByteArray, corners: Float32Array, guess: Float32Array
) -> tuple[Float32Array, BoolArray]:
    """Return (N, 2) where corners went, and which of them were found."""
    if not len(corners):
        return corners, np.zeros(0, bool)
    moved, found, _ = cv2.calcOpticalFlowPyrLK(
        before,
        now,
        corners.reshape(-1, 1, 2),
        guess.reshape(-1, 1, 2).copy(),
        winSize=(21, 21),
        maxLevel=3,
        flags=cv2.OPTFLOW_USE_INITIAL_FLOW,
    )
    return np.asarray(moved.reshape(-1, 2), np.float32), np.asarray(found.ravel() == 1)


def _meetings(
    first: Float32Array, now: Float32Array, T_now_first: FloatArray, camera: Camera
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return where lines of sight meet: z-depth now, their angle, and by how many px they miss.

    From z1 R a + t = z2 b follows z2 = (R a x t) . n / |n|^2 with n = R a x b.
    """
    K_inv = np.linalg.inv(camera.K)
    a, b = (
        np.concatenate([pixels, np.ones((len(pixels), 1))], axis=1) @ K_inv.T
        for pixels in (first, now)
    )
    a, t = a @ T_now_first[:3, :3].T, T_now_first[:3, 3]
    n = np.cross(a, b)
    square = np.maximum((n * n).sum(axis=1), 1e-18)
    z = (np.cross(a, t) * n).sum(axis=1) / square
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    angle = np.arcsin(np.clip(np.sqrt(square) / lengths, 0, 1))
    miss_m = np.abs(n @ t) / np.sqrt(square)
    return z, angle, miss_m / np.maximum(z, 1e-9) * camera.fx


def camera_place(color: ColorImage, tree: TransformTree, config: PointmapConfig) -> FloatArray:
    """Return T_fixed_cam (4, 4) at an image's stamp.

    :param color: the image.
    :param tree: all of TF that is known.
    :param config: may name the fixed frame.
    :raises InputError: when no TF is above the camera.
    :raises TransformError: when TF does not say where it was.
    """
    fixed = config.fixed_frame or tree.root(color.frame_id)
    if fixed == color.frame_id:
        raise InputError(
            f'no TF above "{color.frame_id}"', wanted='TF that says where the camera is'
        )
    return tree.lookup(fixed, color.frame_id, color.stamp_ns)
