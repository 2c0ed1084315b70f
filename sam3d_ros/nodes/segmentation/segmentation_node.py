# SPDX-License-Identifier: Apache-2.0
"""The optional node that segments for the session, in another process or on another machine.

It remembers nothing: what it finds in a frame it publishes as anybody's segmenter may, and the
session goes on by itself when nothing comes.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from sam3d_ros.core.interfaces import Segmenter
from sam3d_ros.core.registry import close, make_backend, with_options
from sam3d_ros.core.types import Frame, Tracks
from sam3d_ros.messages.cdr import encode
from sam3d_ros.messages.results.instances import tracks_message
from sam3d_ros.messages.topics import EXTERNAL_INSTANCES
from sam3d_ros.messages.types import StoreTypes
from sam3d_ros.nodes.bus import Bus
from sam3d_ros.nodes.links import FRAMES, Arrival, receive
from sam3d_ros.nodes.program import run
from sam3d_ros.nodes.stage_node import StageNode
from sam3d_ros.segmentation.config import SegmentationConfig
from sam3d_ros.session.config import PromptConfig, SessionConfig
from sam3d_ros.session.prompts.standing import StandingPrompts


class SegmentationNode(StageNode):
    """Frames to instances: everything, or what the phrases of the configuration name."""

    def __init__(self, bus: Bus | None = None, **arguments: Any) -> None:
        groups = {
            'segmentation': with_options('segmentation', SegmentationConfig),
            'prompts': PromptConfig,
            'session': SessionConfig,
        }
        super().__init__('segmentation', groups, bus, live=('segmentation',), **arguments)

    def build(self) -> None:
        """Load the backend and offer what it finds."""
        self._prompts = StandingPrompts(self.config('prompts').phrases)
        self._found = self.publish_topic(EXTERNAL_INSTANCES)
        self._segmenter = self._made()

    def connect(self) -> None:
        """Listen to the frames of all cameras."""
        for camera in self.config('session').camera_ids:
            frames = replace(FRAMES, topic=FRAMES.topic.of(camera))
            take = partial(self.offer, source=camera)
            self.on_close(receive(self, frames, self.bus, take))

    def release(self) -> None:
        """End the worker, and let go of the backend."""
        is_built = self.is_configured
        super().release()
        if is_built:
            close(self._segmenter)

    def process(self, item: Arrival[Frame]) -> None:
        """Segment one frame and publish what is found."""
        frame = item.get()
        if frame is None:
            return
        instances = self._prompts.segment(self._segmenter, frame)
        tracks = Tracks(frame.stamp_ns, instances)
        size_px = (frame.camera.width, frame.camera.height)
        message = tracks_message(StoreTypes(), tracks, frame.frame_id, size_px)
        self._found.publish(encode(message, EXTERNAL_INSTANCES.type))

    def reconfigure(self) -> None:
        """Take new options of the backend."""
        former, self._segmenter = self._segmenter, self._made()
        close(former)

    def _made(self) -> Segmenter:
        config = self.config('segmentation')
        made: Segmenter = make_backend('segmentation', config.backend, config)
        return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the node until Ctrl-C."""
    return run(lambda: [SegmentationNode()], arguments)


if __name__ == '__main__':
    sys.exit(main())
