# SPDX-License-Identifier: Apache-2.0
"""The node that makes frames: colour, depth or cloud, CameraInfo and TF to pointmaps."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from rclpy.publisher import Publisher

from sam3d_ros.core.errors import InputError, TransformError
from sam3d_ros.core.notes import Notes
from sam3d_ros.core.registry import with_options
from sam3d_ros.core.types import Frame
from sam3d_ros.messages.cdr import encode
from sam3d_ros.messages.headers import nanoseconds
from sam3d_ros.messages.topics import CAMERA_INFO, POINTS, TF, Topic
from sam3d_ros.nodes.bus import Bus
from sam3d_ros.nodes.config import InputConfig
from sam3d_ros.nodes.links import FRAMES, Arrival
from sam3d_ros.nodes.pointmap.inputs import SensorData, SensorInputs, input_topics
from sam3d_ros.nodes.pointmap.live_clocks import LiveClocks
from sam3d_ros.nodes.program import run
from sam3d_ros.nodes.stage_node import StageNode
from sam3d_ros.pointmaps.config import PointmapConfig
from sam3d_ros.pointmaps.frames import require_transforms
from sam3d_ros.pointmaps.intake import Arrived, Intake
from sam3d_ros.pointmaps.sensor_noise.noise_file import keep, restored
from sam3d_ros.pointmaps.sources.ranges import RangeSource
from sam3d_ros.ros.diagnostics import Status
from sam3d_ros.ros.tf import FixedFrameChoice, LiveTransforms, TransformWait
from sam3d_ros.ros.upstream import decode_by_cv_bridge
from sam3d_ros.session.config import SessionConfig
from sam3d_ros.sinks.messages import odometry_messages, pointmap_messages

CHECK_PERIOD_S = 0.1
"""How often waiting images are checked for a passed deadline."""
FOLLOW_PERIOD_S = 0.2
"""How soon a publisher of another reliability is followed."""
KEEP_PERIOD_S = 5.0
"""How often what the camera showed of its errors is kept."""
REPORT_PERIOD_S = 4.0
"""How often missing inputs are reported."""


class PointmapNode(StageNode):
    """Sensor topics and TF to frames of one camera.

    Where there are several, each has a node; ``pointmaps.camera_id`` goes before its topics.
    """

    def __init__(self, bus: Bus | None = None, **arguments: Any) -> None:
        groups = {
            'pointmaps': with_options('range', PointmapConfig),
            'inputs': InputConfig,
            'session': SessionConfig,
        }
        super().__init__('pointmap', groups, bus, **arguments)

    def build(self) -> None:
        """Make the frame builder and offer frames, and clouds for those who look."""
        self._config: PointmapConfig = self.config('pointmaps')
        self._intake = Intake(self._config, Notes(self.get_logger().warning), decode_by_cv_bridge)
        camera = self._config.camera_id
        self._frames = self.publish_link(replace(FRAMES, topic=FRAMES.topic.of(camera)))
        self._clouds = {
            topic: self.publish_topic(topic.of(camera)) for topic in (POINTS, CAMERA_INFO)
        }
        self._noise_file = self._resume_noise()
        self._own: dict[Topic, Publisher] = {}
        self._sends_tf = True

    def _resume_noise(self) -> Path | None:
        """Go on from what the camera showed of its errors before; return where that is kept."""
        folder = self.config('session').folder
        kept = f'{folder}/noise_{self._config.camera_id or "camera"}.json' if folder else ''
        name = self._config.noise_file or kept
        source = self._source()
        if not name or source.noise is None:
            return None
        file = Path(name).expanduser()
        source.noise = restored(file, source.noise.model, self.get_logger().warning)
        return file

    def _keep_noise(self) -> None:
        noise = self._source().noise
        if self._noise_file is not None and noise is not None:
            keep(self._noise_file, noise, self.get_logger().warning)

    def _source(self) -> RangeSource:
        inputs: InputConfig = self.config('inputs')
        kind, topic = _kind(inputs, self._config), ''
        if kind == 'depth':
            # Of several depth cameras it is the first, whichever sends before the others.
            topic = input_topics(self, inputs, self._config.camera_id)[1]
        return self._intake.source(kind, topic)

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
        # Apart, so that a sensor which TF does not know holds nobody up.
        self._looks = TransformWait(self._check, self._ready, 2 * inputs.tf_wait_s)
        self._transforms = LiveTransforms(
            self, self._recheck, self._clocks.stamp_tf, self._config.tf_namespace
        )
        self.on_close(self._transforms.close)
        self._fixed = FixedFrameChoice(
            self._transforms.tree,
            self._config.fixed_frame,
            inputs.tf_wait_s,
            may_move=lambda: self._transforms.may_move,
        )
        self._inputs = SensorInputs(
            self,
            inputs,
            self._clocks,
            self._take,
            self._on_jump_back,
            self._config.camera_id,
            fuses=self._config.range == 'fused',
        )
        self._jumped_back = False
        self._camera = ''
        self.on_close(self._inputs.close)
        self.every(CHECK_PERIOD_S, self._recheck)
        self.every(FOLLOW_PERIOD_S, self._inputs.follow_publishers)
        self.every(REPORT_PERIOD_S, self._report)
        self.every(KEEP_PERIOD_S, lambda: self.tell_worker(self._keep_noise))
        self.on_close(self._keep_noise)

    def process(self, item: SensorData) -> None:
        """Make one frame for all who want it."""
        frame = self._frame(item)
        self._frames.send(frame, frame.stamp_ns)
        # Publish the public cloud and its CameraInfo while somebody listens.
        if self._is_seen():
            for topic, message in pointmap_messages(frame):
                self._clouds[topic].publish(encode(message, topic.type))

    def _frame(self, item: SensorData) -> Frame:
        color, others = self._arrived(item)
        frame = self._intake.frame(
            color, others, self._transforms.tree, self._fixed.chosen, is_look=item.is_look
        )
        self._tell_place(frame)
        if len(others) == 1:
            self._inputs.choice.judge(others[0].topic, frame)
        return frame

    def _status(self) -> Status:
        status = super()._status()
        return replace(status, values=status.values | {'range from': self._inputs.range_from})

    def _look(self, item: SensorData) -> None:
        """Make a frame only to learn how much of the image its source knows."""
        self._frame(item)

    def _tell_place(self, frame: Frame) -> None:
        """Publish where own odometry says that the camera is, if it has to."""
        told = dict(odometry_messages(frame, self._transforms.tree))
        if told and self._sends_tf and TF not in told:
            self._sends_tf = False
            self.get_logger().warning(
                f'somebody sends TF above {frame.frame_id}: own odometry does not any more, and '
                'objects stay in its frame; start anew to keep them in that of TF'
            )
        for topic, message in told.items():
            if topic != TF or self._sends_tf:
                if topic not in self._own:
                    self._own[topic] = self.publish_topic(topic)
                self._own[topic].publish(encode(message, topic.type))

    def _check(self, item: SensorData) -> None:
        """Raise TransformError as long as TF does not say where both sensors were."""
        color, others = self._arrived(item)
        frame_of = self._intake.decoder.frame_of
        camera = self._camera_of(item)
        fixed = self._fixed(camera)
        if fixed is None:
            raise TransformError(self._transforms.elsewhere.complaint or 'no TF yet')
        here = (camera, color.stamp_ns)
        require_transforms(self._transforms.tree, fixed, here, here)
        for other in others:
            there = (frame_of(other.message, other.topic), other.stamp_ns)
            require_transforms(self._transforms.tree, fixed, here, there)

    def _arrived(self, item: SensorData) -> tuple[Arrived, list[Arrived]]:
        """Return colour and ranges with what belongs to each."""
        color_ns, *stamps = (
            nanoseconds(m.header.stamp) for m in (item.color, *(r.message for r in item.ranges))
        )
        return Arrived(self._inputs.color_topic, item.color, item.color_info, color_ns), [
            Arrived(each.topic, each.message, each.info, stamp_ns)
            for each, stamp_ns in zip(item.ranges, stamps, strict=True)
        ]

    def _camera_of(self, item: SensorData) -> str:
        """Return the frame of colour.

        :raises InputError: when it has none.
        """
        return self._intake.decoder.frame_of(item.color, self._inputs.color_topic)

    def _ready(self, item: SensorData, is_late: bool = False) -> None:
        """Have a frame made: when it is asked for, where nobody outside of this process looks."""
        if item.is_look:
            self.tell_worker(partial(self._look, item))
        elif (
            self.bus is None
            or self._frames.is_heard
            or self._is_seen()
            or self._intake.needs_every_frame
        ):
            self.offer(item, is_late=is_late)
        else:
            frame = self.when_asked(partial(self._frame, item))
            self._frames.announce(Arrival(nanoseconds(item.color.header.stamp), frame))

    def _recheck(self) -> None:
        """Go on with what waits for TF."""
        self._waiting.recheck()
        self._looks.recheck()

    def _on_jump_back(self) -> None:
        """Forget images of a time that is over; frames that go back tell the stages behind."""
        self._waiting.clear()
        self._looks.clear()
        self._jumped_back = True

    def _take(self, item: SensorData) -> None:
        if self._jumped_back:
            self._jumped_back = False
            self._transforms.forget_after(nanoseconds(item.color.header.stamp))
        try:
            camera = self._camera_of(item)
            for each in item.ranges:
                self._intake.decoder.frame_of(each.message, each.topic)
        except InputError as error:
            self._failed(error)
        else:
            self._camera = camera
            self._transforms.search(camera)
            (self._looks if item.is_look else self._waiting).put(item)

    def _report(self) -> None:
        """Say what is missing, if anything is."""
        complaint = self._inputs.complaint()
        for waiting in (self._looks, self._waiting):
            dropped, waiting.dropped = waiting.dropped, 0
            if dropped and waiting.reason:
                complaint = f'{dropped} images dropped for want of TF: {waiting.reason}'
        complaint = complaint or self._fixed.complaint(self._camera)
        self.health.missing(complaint)
        if complaint:
            self.get_logger().warning(complaint)

    def _is_seen(self) -> bool:
        return any(output.get_subscription_count() > 0 for output in self._clouds.values())


def _kind(inputs: InputConfig, config: PointmapConfig) -> str:
    """Return which kind of source it is whose camera's errors are kept."""
    if config.range == 'fused':
        return 'fused'
    return 'depth' if inputs.source == 'auto' else inputs.source


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the node until Ctrl-C."""
    return run(lambda: [PointmapNode()], arguments)


if __name__ == '__main__':
    sys.exit(main())
