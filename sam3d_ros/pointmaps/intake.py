# SPDX-License-Identifier: Apache-2.0
"""Messages that belong together to frames: what live nodes and the readers of recordings call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from sam3d_ros.core.notes import Notes
from sam3d_ros.core.registry import make_backend
from sam3d_ros.core.types import Frame
from sam3d_ros.geometry.transform_tree import TransformTree
from sam3d_ros.pointmaps.config import PointmapConfig
from sam3d_ros.pointmaps.decoding import Decoder, Foreign
from sam3d_ros.pointmaps.frames import build_frame, fixed_frame_of
from sam3d_ros.pointmaps.inputs import ColorImage, PointCloud
from sam3d_ros.pointmaps.plausibility import suspected_axes
from sam3d_ros.pointmaps.ray_camera import suspected_calibration
from sam3d_ros.pointmaps.sources.ranges import Measurement, RangeSource


@dataclass(frozen=True, slots=True, eq=False)
class Arrived:
    """A sensor message and what belongs to it.

    :param topic: where it came from.
    :param message: an Image, CompressedImage or PointCloud2.
    :param info: its CameraInfo; None where there is none.
    :param stamp_ns: its stamp, ns; that in its header need not count.
    """

    topic: str
    message: Any
    info: Any | None
    stamp_ns: int


class Intake:
    """Makes frames of the messages of one camera; keeps of them what its range source learns.

    :param config: options of the stage.
    :param notes: takes what was assumed, and what looks wrong, once each.
    :param foreign: see :class:`Decoder`.
    :raises ConfigurationError: when an option cannot be read.
    """

    def __init__(
        self,
        config: PointmapConfig | None = None,
        notes: Notes | None = None,
        foreign: Foreign | None = None,
    ) -> None:
        self._config = config or PointmapConfig()
        self._notes = notes or Notes()
        self._is_looked_at = False
        self.decoder = Decoder(self._config, self._notes, foreign)
        self._sources: dict[str, RangeSource] = {}

    def frame(
        self, color: Arrived, other: Arrived, tree: TransformTree, fixed_frame: str | None = None
    ) -> Frame:
        """Return the frame of a colour image and a depth image or cloud.

        :param color: the colour image; it needs its CameraInfo.
        :param other: the depth image or cloud.
        :param tree: all of TF that is known.
        :param fixed_frame: None = as configured.
        :raises InputError: when a message cannot be used; the error names its topic.
        :raises TransformError: when TF does not say where both sensors were.
        """
        image = self.decoder.color(color.message, color.info, color.topic, color.stamp_ns)
        source, measured = self._measurement(other)
        ranges = source.range_of(image, measured, tree)
        frame = build_frame(image, ranges, tree, fixed_frame, self._config)
        if not self._is_looked_at and isinstance(measured, PointCloud):
            self._compare_rays(measured, image, other.topic)
        self._look_at(frame, other.topic, tree)
        return frame

    def fixed_frame_of(self, tree: TransformTree, frame_id: str) -> str:
        """Return the frame that objects are kept in: the configured one, else the root of TF.

        :param tree: all of TF that is known.
        :param frame_id: optical frame of the camera.
        """
        return fixed_frame_of(tree, frame_id, self._config)

    def source(self, kind: str) -> RangeSource:
        """Return the range source for a kind of measurement, the same one each time.

        :param kind: ``depth`` or ``points``.
        :raises BackendError: when there is no backend of the configured name.
        """
        name = kind if self._config.range == 'auto' else self._config.range
        if name not in self._sources:
            self._sources[name] = make_backend('range', name, self._config)
        return self._sources[name]

    def forget(self) -> None:
        """Forget what range sources have learned, as before the first frame."""
        for source in self._sources.values():
            source.forget()

    def _measurement(self, other: Arrived) -> tuple[RangeSource, Measurement]:
        """Return who reads a depth image or cloud, and it decoded."""
        if hasattr(other.message, 'point_step'):
            cloud = self.decoder.cloud(other.message, other.topic, other.stamp_ns)
            return self.source('points'), cloud
        depth = self.decoder.depth(other.message, other.info, other.topic, other.stamp_ns)
        return self.source('depth'), depth

    def _compare_rays(self, cloud: PointCloud, image: ColorImage, topic: str) -> None:
        """Note a CameraInfo that is not of the camera whose pixels a cloud has."""
        is_same = cloud.points_m.shape[:-1] == image.rgb.shape[:2]
        if is_same and cloud.frame_id == image.frame_id:
            suspicion = suspected_calibration(cloud.points_m, image.lens)
            if suspicion:
                self._notes.add(f'{topic}: {suspicion}')

    def _look_at(self, frame: Frame, topic: str, tree: TransformTree) -> None:
        """Note frames without depth, and axes that look wrong in the first one that has some."""
        if np.isnan(frame.depth_m).all():
            near, far = self._config.min_depth_m, self._config.max_depth_m
            self._notes.add(
                f'{topic}: a frame without any depth within [{near:g}, {far:g}] m '
                '(pointmaps.min_depth_m, max_depth_m): nothing can be found in it',
                about=f'no depth {topic}',
            )
        elif not self._is_looked_at:
            self._is_looked_at = True
            if suspicion := suspected_axes(frame, tree):
                self._notes.add(suspicion)
