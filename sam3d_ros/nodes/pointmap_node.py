# SPDX-License-Identifier: Apache-2.0
"""The node that makes frames: colour, depth or cloud, CameraInfo and TF to pointmaps."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from sam3d_ros.core.errors import ConfigurationError, InputError, TransformError
from sam3d_ros.core.notes import Notes
from sam3d_ros.core.types import Frame
from sam3d_ros.messages.cameras import encode_camera
from sam3d_ros.messages.cdr import encode
from sam3d_ros.messages.clouds import encode_pointmap
from sam3d_ros.messages.headers import header_message, nanoseconds
from sam3d_ros.messages.topics import CAMERA_INFO, POINTS
from sam3d_ros.messages.types import StoreTypes
from sam3d_ros.messages.typestore import typestore
from sam3d_ros.nodes.bus import Bus
from sam3d_ros.nodes.config import InputConfig
from sam3d_ros.nodes.inputs import SensorData, SensorInputs, input_topics
from sam3d_ros.nodes.links import FRAMES
from sam3d_ros.nodes.live_clocks import LiveClocks
from sam3d_ros.nodes.program import run
from sam3d_ros.nodes.stage_node import StageNode
from sam3d_ros.pointmaps.config import PointmapConfig
from sam3d_ros.pointmaps.frames import require_transforms
from sam3d_ros.pointmaps.intake import Arrived, Intake
from sam3d_ros.pointmaps.noise_file import keep, restored
from sam3d_ros.ros.tf import FixedFrameChoice, LiveTransforms, TransformWait
from sam3d_ros.ros.upstream import decode_by_cv_bridge

CHECK_PERIOD_S = 0.1
"""How often waiting images are checked for a passed deadline."""
FOLLOW_PERIOD_S = 0.2
"""How soon a publisher of another reliability is followed."""
REPORT_PERIOD_S = 4.0
"""How often missing inputs are reported."""


class PointmapNode(StageNode):
    """Sensor topics and TF to frames of one camera.

    Where there are several, each has a node; ``pointmaps.camera_id`` goes before its topics.
    """

    def __init__(self, bus: Bus | None = None, **arguments: Any) -> None:
        groups = {'pointmaps': PointmapConfig, 'inputs': InputConfig}
        super().__init__('pointmap', groups, bus, **arguments)

    def build(self) -> None:
        """Make the frame builder and offer frames, and clouds for those who look."""
        self._config: PointmapConfig = self.config('pointmaps')
        self._intake = Intake(self._config, Notes(self.get_logger().warning), decode_by_cv_bridge)
        self._keep_noise()
        camera = self._config.camera_id
        if not re.fullmatch(r'([A-Za-z]\w*)?', camera, re.ASCII):
            raise ConfigurationError(
                f'pointmaps.camera_id = "{camera}"',
                wanted='letters, digits and underscores, a letter first: topics begin with it',
            )
        self._frames = self.publish_link(replace(FRAMES, topic=FRAMES.topic.of(camera)))
        self._points = self.publish_topic(POINTS.of(camera))
        self._camera_info = self.publish_topic(CAMERA_INFO.of(camera))

    def _keep_noise(self) -> None:
        """Go on from what the camera showed of its errors before, and keep it at the end."""
        if not self._config.noise_file:
            return
        file, say = Path(self._config.noise_file).expanduser(), self.get_logger().warning
        source = self._intake.source(self.config('inputs').source)
        if source.noise is not None:
            noise = source.noise = restored(file, source.noise.model, say)
            self.on_close(lambda: keep(file, noise, say))

    def connect(self) -> None:
        """Listen to the sensors and to TF."""
        inputs: InputConfig = self.config('inputs')
        say = self.get_logger().warning
        topics = input_topics(self, inputs, self._config.camera_id)
        self._clocks = LiveClocks(self._config, inputs.slop_s, topics, say)
        # Twice as long: the first images also wait for the choice of the fixed frame.
        self._waiting = TransformWait(
            self._check, self._ready, 2 * inputs.tf_wait_s, late=partial(self._ready, is_late=True)
        )
        self._transforms = LiveTransforms(
            self, self._waiting.recheck, self._clocks.stamp_tf, self._config.tf_namespace
        )
        self._fixed = FixedFrameChoice(
            self._transforms.tree, self._config.fixed_frame, inputs.tf_wait_s
        )
        self._inputs = SensorInputs(
            self, inputs, self._clocks, self._take, self._on_jump_back, self._config.camera_id
        )
        self._jumped_back = False
        self._camera = ''
        self.on_close(self._transforms.close)
        self.on_close(self._inputs.close)
        self.every(CHECK_PERIOD_S, self._waiting.recheck)
        self.every(FOLLOW_PERIOD_S, self._inputs.follow_publishers)
        self.every(REPORT_PERIOD_S, self._report)

    def process(self, item: SensorData) -> None:
        """Build one frame."""
        color, other = self._arrived(item)
        frame = self._intake.frame(color, other, self._transforms.tree, self._fixed.chosen)
        self._frames.send(frame, frame)
        self._show(frame)

    def forget(self) -> None:
        """Nothing is kept between frames but TF, which heard of the jump itself."""

    def _check(self, item: SensorData) -> None:
        """Raise TransformError as long as TF does not say where both sensors were."""
        color, other = self._arrived(item)
        frames = self._frames_of(item)
        fixed = self._fixed(frames[0])
        if fixed is None:
            raise TransformError(self._transforms.elsewhere.complaint or 'no TF yet')
        here, there = (frames[0], color.stamp_ns), (frames[1], other.stamp_ns)
        require_transforms(self._transforms.tree, fixed, here, there)

    def _arrived(self, item: SensorData) -> tuple[Arrived, Arrived]:
        """Return colour and range with what belongs to each."""
        color_ns, range_ns = (nanoseconds(m.header.stamp) for m in (item.color, item.range))
        return (
            Arrived(self._inputs.color_topic, item.color, item.color_info, color_ns),
            Arrived(self._inputs.range_topic, item.range, item.range_info, range_ns),
        )

    def _frames_of(self, item: SensorData) -> tuple[str, str]:
        """Return the frames of colour and range.

        :raises InputError: when one has none.
        """
        frame_of = self._intake.decoder.frame_of
        return (
            frame_of(item.color, self._inputs.color_topic),
            frame_of(item.range, self._inputs.range_topic),
        )

    def _ready(self, item: SensorData, is_late: bool = False) -> None:
        self.offer(nanoseconds(item.color.header.stamp), item, is_late=is_late)

    def _on_jump_back(self) -> None:
        """Forget images of a time that is over; frames that go back tell the stages behind."""
        self._waiting.clear()
        self._jumped_back = True

    def _take(self, item: SensorData) -> None:
        if self._jumped_back:
            self._jumped_back = False
            self._transforms.forget_after(nanoseconds(item.color.header.stamp))
        try:
            camera, _ = self._frames_of(item)
        except InputError as error:
            self._failed(error)
        else:
            self._camera = camera
            self._transforms.search(camera)
            self._waiting.put(item)

    def _report(self) -> None:
        """Say what is missing, if anything is."""
        dropped, self._waiting.dropped = self._waiting.dropped, 0
        complaint = self._inputs.complaint()
        if dropped and self._waiting.reason:
            complaint = f'{dropped} images dropped for want of TF: {self._waiting.reason}'
        complaint = complaint or self._fixed.complaint(self._camera)
        self.health.missing(complaint)
        if complaint:
            self.get_logger().warning(complaint)

    def _show(self, frame: Frame) -> None:
        """Publish the public cloud and its CameraInfo while somebody listens."""
        classes, header = typestore().types, header_message(_TYPES, frame.stamp_ns, frame.frame_id)
        if self._points.get_subscription_count() > 0:
            field = classes['sensor_msgs/msg/PointField']
            cloud = encode_pointmap(frame.pointmap, frame.rgb, classes[POINTS.type], field, header)
            self._points.publish(encode(cloud, POINTS.type))
        if self._camera_info.get_subscription_count() > 0:
            roi = classes['sensor_msgs/msg/RegionOfInterest']
            info = encode_camera(frame.camera, classes[CAMERA_INFO.type], roi, header)
            self._camera_info.publish(encode(info, CAMERA_INFO.type))


_TYPES = StoreTypes()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the node until Ctrl-C."""
    return run(lambda: [PointmapNode()], arguments)


if __name__ == '__main__':
    sys.exit(main())
