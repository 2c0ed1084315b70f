# SPDX-License-Identifier: Apache-2.0
"""Sensor data and TF to frames: rectified colour, a pointmap in it, its place and gravity."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sam3d_ros.core.errors import InputError
from sam3d_ros.core.sensors import STRUCTURED_LIGHT, SensorModel, sensor_model
from sam3d_ros.core.types import Camera, Float32Array, FloatArray, Frame
from sam3d_ros.geometry.cameras import pointmap_from_depth
from sam3d_ros.geometry.transform_tree import TransformTree
from sam3d_ros.geometry.transforms import apply
from sam3d_ros.pointmaps.config import PointmapConfig
from sam3d_ros.pointmaps.depth import register, same_camera, within_range
from sam3d_ros.pointmaps.inputs import ColorImage, DepthImage, PointCloud
from sam3d_ros.pointmaps.lattice import close_lattice
from sam3d_ros.pointmaps.lidar import depth_from_cloud
from sam3d_ros.pointmaps.noise import RangeNoise
from sam3d_ros.pointmaps.rectification import rectify_color, rectify_depth

# The housing of a camera reaches so far from its optical centre.
_HOUSING_M = 0.2


class FrameBuilder:
    """Builds the frames of one camera; keeps nothing between them but how noisy the camera is.

    Every method raises InputError for data that cannot be used, and TransformError for TF that
    is missing: an ExtrapolationError whose ``is_future`` is true may still be cured by waiting.
    """

    def __init__(self, config: PointmapConfig | None = None) -> None:
        self._config = config or PointmapConfig()
        self.noise = RangeNoise(start_model(self._config, STRUCTURED_LIGHT))
        """What the depth camera has shown of its errors; one that was saved may be put here."""

    def forget(self) -> None:
        """Measure the camera's errors anew, as for the first frame."""
        self.noise = RangeNoise(start_model(self._config, STRUCTURED_LIGHT))

    def from_depth(
        self,
        color: ColorImage,
        depth: DepthImage,
        tree: TransformTree,
        fixed_frame: str | None = None,
    ) -> Frame:
        """Return the frame of a colour and a depth image.

        :param tree: all of TF that is known; an empty tree makes the camera the fixed frame.
        :param fixed_frame: None = as configured, see :meth:`fixed_frame_of`.
        """
        source = depth.lens
        if source is None:
            source = color.lens
            if depth.frame_id != color.frame_id or depth.depth_m.shape != color.rgb.shape[:2]:
                raise InputError(
                    f'no CameraInfo for depth of {_size(depth.depth_m)} in frame '
                    f'"{depth.frame_id}" beside colour of {_size(color.rgb)} in '
                    f'"{color.frame_id}"',
                    wanted="depth's own CameraInfo, or depth registered to colour",
                    remedy='Publish the CameraInfo beside the depth image.',
                )
        camera = color.lens.rectified
        straight = rectify_depth(depth.depth_m, source)
        if depth.frame_id == color.frame_id and same_camera(source.rectified, camera):
            return self._measured(color, close_lattice(straight), tree, fixed_frame)
        T_color_depth = self._between(color, depth, tree)
        registered = register(straight, source.rectified, T_color_depth, camera)
        return self._measured(color, registered, tree, fixed_frame)

    def from_cloud(
        self,
        color: ColorImage,
        cloud: PointCloud,
        tree: TransformTree,
        fixed_frame: str | None = None,
    ) -> Frame:
        """Return the frame of a colour image and a cloud, e.g. of a LiDAR.

        The cloud is moved as one body by TF between both stamps; motion while it was swept
        remains.
        """
        points = cloud.points_m.reshape(-1, 3)
        points_cam = apply(self._between(color, cloud, tree), points)
        # What is out of range is no return either, and hides nothing.
        near, far = self._config.min_depth_m, self._config.max_depth_m
        with np.errstate(invalid='ignore'):
            points_cam = points_cam[(points_cam[:, 2] >= near) & (points_cam[:, 2] <= far)]
        camera, options = color.lens.rectified, self._config.lidar
        model = start_model(self._config, sensor_model('lidar'))
        depth, sensor = depth_from_cloud(points_cam, camera, options, model)
        return self._frame(color, depth, tree, fixed_frame, sensor)

    def fixed_frame_of(self, tree: TransformTree, frame_id: str) -> str:
        """Return the fixed frame: the configured one, else the root above the camera."""
        return self._config.fixed_frame or tree.root(frame_id)

    def _measured(
        self, color: ColorImage, depth_m: Float32Array, tree: TransformTree, fixed: str | None
    ) -> Frame:
        """Return the frame of a depth image, which also tells the camera's errors."""
        frame = self._frame(color, depth_m, tree, fixed, self.noise.model)
        if not self._config.measure_noise:
            return frame
        self.noise.update(frame.depth_m, frame.camera.K)
        return replace(frame, sensor=self.noise.model)

    def _frame(
        self,
        color: ColorImage,
        depth_m: Float32Array,
        tree: TransformTree,
        fixed: str | None,
        sensor: SensorModel,
    ) -> Frame:
        fixed = fixed or self.fixed_frame_of(tree, color.frame_id)
        T_fixed_cam = np.eye(4)
        if fixed != color.frame_id:
            T_fixed_cam = tree.lookup(fixed, color.frame_id, color.stamp_ns)
        near, far = self._config.min_depth_m, self._config.max_depth_m
        camera: Camera = color.lens.rectified
        return Frame(
            stamp_ns=color.stamp_ns,
            frame_id=color.frame_id,
            camera=camera,
            rgb=rectify_color(color.rgb, color.lens),
            pointmap=pointmap_from_depth(within_range(depth_m, near, far), camera),
            fixed_frame=fixed,
            T_fixed_cam=T_fixed_cam,
            up_cam=self._up(tree, fixed, color.frame_id, T_fixed_cam),
            sensor=sensor,
        )

    def _between(
        self, color: ColorImage, other: DepthImage | PointCloud, tree: TransformTree
    ) -> FloatArray:
        """Return T_color_other; what moves between both stamps is undone through the root."""
        if other.frame_id == color.frame_id:
            return np.eye(4)
        here, there = (color.frame_id, color.stamp_ns), (other.frame_id, other.stamp_ns)
        return tree.lookup_between(*here, *there, tree.root(color.frame_id))

    def _up(
        self, tree: TransformTree, fixed: str, frame_id: str, T_fixed_cam: FloatArray
    ) -> FloatArray | None:
        """Return +z of the fixed frame in the optical frame, when that means gravity."""
        if self._config.up == 'unknown' or fixed == frame_id:
            return None
        if self._config.up == 'auto' and _is_housing(tree, fixed, frame_id, T_fixed_cam):
            return None
        return np.array(T_fixed_cam[2, :3])


def start_model(config: PointmapConfig, otherwise: SensorModel) -> SensorModel:
    """Return the configured sensor model, or the other one where it is chosen automatically."""
    return otherwise if config.sensor == 'auto' else sensor_model(config.sensor)


def require_transforms(
    tree: TransformTree, fixed_frame: str, color: tuple[str, int], other: tuple[str, int]
) -> None:
    """Raise the TransformError that building a frame would; cheap, without decoded data.

    :param color: frame and stamp (ns) of the colour image.
    :param other: frame and stamp (ns) of the depth image or cloud.
    """
    if fixed_frame != color[0]:
        tree.lookup(fixed_frame, *color)
    if other[0] != color[0]:
        tree.lookup_between(*color, *other, tree.root(color[0]))


def _is_housing(tree: TransformTree, fixed: str, frame_id: str, T_fixed_cam: FloatArray) -> bool:
    """Return whether the fixed frame may be of the camera itself: near, and always the same.

    However its axes are turned: lenses are tilted in their housings, and housings on stands.
    """
    is_near = float(np.linalg.norm(T_fixed_cam[:3, 3])) < _HOUSING_M
    return is_near and not tree.moves(fixed, frame_id)


def _size(image: Float32Array | np.ndarray) -> str:  # type: ignore[type-arg]
    return f'{image.shape[1]}x{image.shape[0]}'
