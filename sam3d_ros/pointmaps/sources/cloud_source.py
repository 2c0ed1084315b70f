# SPDX-License-Identifier: Apache-2.0
"""Range from clouds, of a LiDAR or any other, seen from the colour camera."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sam3d_ros.geometry.transform_tree import TransformTree
from sam3d_ros.pointmaps.config import PointmapConfig
from sam3d_ros.pointmaps.inputs import ColorImage, PointCloud
from sam3d_ros.pointmaps.sources.depth import within_range
from sam3d_ros.pointmaps.sources.deskew import as_seen_at_once
from sam3d_ros.pointmaps.sources.lidar import depth_from_cloud
from sam3d_ros.pointmaps.sources.ranges import (
    Measurement,
    RangeMap,
    start_model,
)


class CloudSource:
    """Backend ``points``; keeps nothing between clouds."""

    noise = None

    def __init__(self, config: PointmapConfig) -> None:
        self._config = config

    def forget(self) -> None:
        """Nothing is learned from clouds."""

    def range_of(
        self, color: ColorImage, measured: Measurement | None, tree: TransformTree
    ) -> RangeMap:
        """See :class:`RangeSource`.

        Motion while the cloud was swept is undone, where its points say when they were measured.

        :param color: the image.
        :param measured: the cloud that came with it.
        :param tree: all of TF that is known.
        """
        assert isinstance(measured, PointCloud)
        points_cam = as_seen_at_once(color, measured, tree)
        # What is out of range is no return either, and hides nothing.
        near, far = self._config.min_depth_m, self._config.max_depth_m
        with np.errstate(invalid='ignore'):
            points_cam = points_cam[(points_cam[:, 2] >= near) & (points_cam[:, 2] <= far)]
        model = start_model(self._config, 'lidar')
        camera = color.lens.rectified
        found = depth_from_cloud(points_cam, color.rectified, camera, self._config.lidar, model)
        return replace(found, depth_m=within_range(found.depth_m, near, far))
