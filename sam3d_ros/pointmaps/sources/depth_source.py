# SPDX-License-Identifier: Apache-2.0
"""Range from depth images, registered to colour where they are not."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sam3d_ros.core.errors import InputError
from sam3d_ros.core.types import Float32Array
from sam3d_ros.geometry.transform_tree import TransformTree
from sam3d_ros.pointmaps.config import PointmapConfig
from sam3d_ros.pointmaps.inputs import ColorImage, DepthImage
from sam3d_ros.pointmaps.rectification import rectify_depth
from sam3d_ros.pointmaps.sensor_noise.noise import RangeNoise
from sam3d_ros.pointmaps.sources.depth import register, same_camera, within_range
from sam3d_ros.pointmaps.sources.lattice import close_lattice
from sam3d_ros.pointmaps.sources.ranges import (
    Measurement,
    RangeMap,
    start_model,
    transform_between,
)


class DepthSource:
    """Backend ``depth``; measures the errors of the camera on the way."""

    def __init__(self, config: PointmapConfig) -> None:
        self._config = config
        self.noise = self._unmeasured()

    def forget(self) -> None:
        """Measure the camera's errors anew, as for the first image."""
        self.noise = self._unmeasured()

    def range_of(
        self, color: ColorImage, measured: Measurement | None, tree: TransformTree
    ) -> RangeMap:
        """See :class:`RangeSource`.

        :param color: the image.
        :param measured: the depth image that came with it.
        :param tree: all of TF that is known.
        :raises InputError: without a CameraInfo, for an image that is not registered to colour.
        """
        assert isinstance(measured, DepthImage)
        near, far = self._config.min_depth_m, self._config.max_depth_m
        depth_m = within_range(_as_seen_by(color, measured, tree), near, far)
        if self._config.measure_noise:
            self.noise.update(depth_m, color.lens.rectified.K)
        return RangeMap(depth_m, self.noise.model)

    def _unmeasured(self) -> RangeNoise:
        return RangeNoise(start_model(self._config, 'structured_light'))


def _as_seen_by(color: ColorImage, depth: DepthImage, tree: TransformTree) -> Float32Array:
    """Return (H, W) float32 z-depth in the rectified colour camera, metres, NaN = none."""
    source = depth.lens
    if source is None:
        source = color.lens
        if depth.frame_id != color.frame_id or depth.depth_m.shape != color.rgb.shape[:2]:
            raise InputError(
                f'no CameraInfo for depth of {_size(depth.depth_m)} in frame '
                f'"{depth.frame_id}" beside colour of {_size(color.rgb)} in "{color.frame_id}"',
                wanted="depth's own CameraInfo, or depth registered to colour",
                remedy='Publish the CameraInfo beside the depth image.',
            )
    camera = color.lens.rectified
    straight = rectify_depth(depth.depth_m, source)
    if depth.frame_id == color.frame_id and same_camera(source.rectified, camera):
        return close_lattice(straight)
    T_color_depth = transform_between(color, depth, tree)
    return register(straight, source.rectified, T_color_depth, camera)


def _size(image: npt.NDArray[np.generic]) -> str:
    return f'{image.shape[1]}x{image.shape[0]}'
