# SPDX-License-Identifier: Apache-2.0
"""Messages that belong together to frames: what live nodes and the readers of recordings call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sam3d_ros.core.errors import BackendError
from sam3d_ros.core.notes import Notes
from sam3d_ros.core.registry import make_backend
from sam3d_ros.core.types import Frame
from sam3d_ros.geometry.transform_tree import TransformTree
from sam3d_ros.pointmaps.config import PointmapConfig
from sam3d_ros.pointmaps.decoding import Decoder, Foreign
from sam3d_ros.pointmaps.frames import build_frame, fixed_frame_of
from sam3d_ros.pointmaps.inputs import ColorImage, DepthImage, PointCloud
from sam3d_ros.pointmaps.odometry.own_places import OwnPlaces
from sam3d_ros.pointmaps.plausibility import suspected_axes
from sam3d_ros.pointmaps.ray_camera import suspected_calibration
from sam3d_ros.pointmaps.sources.ranges import Measurement, RangeSource, Several

SENSED = ('auto', 'depth', 'points', 'fused')
"""Values of ``pointmaps.range`` that need a sensor of range."""


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


def kind_of(message: Any) -> str:
    """Return what a message is to range sources: ``points`` or ``depth``."""
    return 'points' if hasattr(message, 'point_step') else 'depth'


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
        self.config = config or PointmapConfig()
        self._notes = notes or Notes()
        self._is_looked_at = False
        self.decoder = Decoder(self.config, self._notes, foreign)
        self._sources: dict[str, RangeSource] = {}
        self._first_depth = ''
        self._places = OwnPlaces(self.config, self._notes)

    def frame(
        self,
        color: Arrived,
        others: Sequence[Arrived],
        tree: TransformTree,
        fixed_frame: str | None = None,
        *,
        is_look: bool = False,
    ) -> Frame:
        """Return the frame of a colour image and what measured range around its stamp.

        :param color: the colour image; it needs its CameraInfo.
        :param others: depth images and clouds: one, several that are fused, or none where a
            network infers range from colour alone.
        :param tree: all of TF that is known.
        :param fixed_frame: None = as configured.
        :param is_look: it only tells how good its source is, and own odometry passes over it.
        :raises InputError: when a message cannot be used; the error names its topic.
        :raises TransformError: when TF does not say where the sensors were, and odometry, where it
            has to, not where the camera is.
        """
        image, items = self.decoded(color, others)
        measured: Measurement | None = next(iter(items.values()), None)
        kind = 'color' if measured is None else kind_of(others[0].message)
        if len(items) > 1 or (items and self.config.range == 'fused'):
            measured, kind = Several(items), 'fused'
        topic = others[0].topic if kind == 'depth' else ''
        ranges = self.source(kind, topic).range_of(image, measured, tree)
        frame = build_frame(image, ranges, tree, fixed_frame, self.config)
        topics = ', '.join(items) or color.topic
        if not self._is_looked_at:
            for topic, item in items.items():
                if isinstance(item, PointCloud):
                    self._compare_rays(item, image, topic)
        self._look_at(frame, topics, tree)
        # A cloud does not begin odometry, but comes to where a depth camera began it.
        is_depth = any(isinstance(item, DepthImage) for item in items.values())
        is_placed = not is_look and (is_depth or self._places.are_needed)
        return self._places.placed(frame, tree) if is_placed else frame

    def decoded(
        self, color: Arrived, others: Sequence[Arrived]
    ) -> tuple[ColorImage, dict[str, DepthImage | PointCloud]]:
        """Return an image, and by topic what measured range around its stamp.

        :param color: the colour image; it needs its CameraInfo.
        :param others: depth images and clouds.
        :raises InputError: when a message cannot be used; the error names its topic.
        """
        image = self.decoder.color(color.message, color.info, color.topic, color.stamp_ns)
        return image, {other.topic: self._measurement(other) for other in others}

    def fixed_frame_of(self, tree: TransformTree, frame_id: str) -> str:
        """Return the frame that objects are kept in: the configured one, else the root of TF.

        :param tree: all of TF that is known.
        :param frame_id: optical frame of the camera.
        """
        return fixed_frame_of(tree, frame_id, self.config)

    @property
    def needs_every_frame(self) -> bool:
        """Whether own odometry follows the camera: it is lost where frames are left out."""
        return self._places.are_needed

    def source(self, kind: str, topic: str = '') -> RangeSource:
        """Return the range source for a kind of measurement, the same one each time.

        Of several depth cameras each has one of its own, since it measures the camera's errors.

        :param kind: ``depth``, ``points``, ``fused`` or, for colour alone, ``color``.
        :param topic: of the depth image; empty = that of the first camera to come.
        :raises BackendError: when there is no backend of the configured name, or it needs more
            than colour.
        """
        name = self.config.range
        if kind == 'color' and name in SENSED:
            raise BackendError(
                f'colour alone, and pointmaps.range = "{name}"',
                wanted='a depth image, a cloud, or a network that infers range',
                remedy='Set pointmaps.range, e.g. to depth_anything; docs/range.md says which.',
            )
        if name == 'auto' or (kind == 'fused' and name in SENSED):
            name = kind
        self._first_depth = self._first_depth or topic
        is_other = name == 'depth' and topic not in ('', self._first_depth)
        key = f'{name} {topic}' if is_other else name
        if key not in self._sources:
            self._sources[key] = make_backend('range', name, self.config)
        return self._sources[key]

    def forget(self) -> None:
        """Forget what range sources and odometry have learned, as before the first frame."""
        self._places.forget()
        for source in self._sources.values():
            source.forget()

    def _measurement(self, other: Arrived) -> DepthImage | PointCloud:
        if kind_of(other.message) == 'points':
            return self.decoder.cloud(other.message, other.topic, other.stamp_ns)
        return self.decoder.depth(other.message, other.info, other.topic, other.stamp_ns)

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
            near, far = self.config.min_depth_m, self.config.max_depth_m
            self._notes.add(
                f'{topic}: a frame without any depth within [{near:g}, {far:g}] m '
                '(pointmaps.min_depth_m, max_depth_m): nothing can be found in it',
                about=f'no depth {topic}',
            )
        elif not self._is_looked_at:
            self._is_looked_at = True
            if suspicion := suspected_axes(frame, tree):
                self._notes.add(suspicion)
