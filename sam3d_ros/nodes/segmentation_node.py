# SPDX-License-Identifier: Apache-2.0
"""The node that segments frames and tracks the instances: frames and prompts to tracks."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from geometry_msgs.msg import PointStamped
from sam3d_msgs.srv import AddPrompt, ClearScene, LoadScene
from sensor_msgs.msg import RegionOfInterest

from sam3d_ros.core.errors import PromptError, Sam3dError, TransformError
from sam3d_ros.core.registry import load_backend
from sam3d_ros.core.types import (
    BoxPrompt,
    ExemplarPrompt,
    Frame,
    Instance,
    PointPrompt,
    Prompt,
    Scene,
    Tracks,
)
from sam3d_ros.export.scene_files import read_scene
from sam3d_ros.geometry.cameras import project
from sam3d_ros.geometry.transforms import apply, inverse
from sam3d_ros.messages.headers import vector
from sam3d_ros.messages.prompts import box_from, prompt_from, stamp_from
from sam3d_ros.messages.topics import OVERLAY
from sam3d_ros.nodes.bus import Bus
from sam3d_ros.nodes.config import PromptConfig
from sam3d_ros.nodes.links import CLAIMS, FRAMES, TRACKS, Arrival
from sam3d_ros.nodes.overlay import overlay_bytes
from sam3d_ros.nodes.program import run
from sam3d_ros.nodes.prompting import StandingPrompts
from sam3d_ros.nodes.recent_frames import RecentFrames
from sam3d_ros.nodes.stage_node import StageNode
from sam3d_ros.segmentation.config import SegmentationConfig
from sam3d_ros.tracking.config import TrackingConfig


class SegmentationNode(StageNode):
    """Frames to tracks; prompts by service, by RViz's Publish Point and by image click."""

    def __init__(self, bus: Bus | None = None, **arguments: Any) -> None:
        groups = {
            'segmentation': SegmentationConfig,
            'tracking': TrackingConfig,
            'prompts': PromptConfig,
        }
        super().__init__('segmentation', groups, bus, live=('segmentation',), **arguments)

    def build(self) -> None:
        """Load the backends and offer the results."""
        segmentation, tracking = self.config('segmentation'), self.config('tracking')
        self._segmenter = load_backend('segmentation', segmentation.backend)(segmentation)
        self._tracker = load_backend('tracking', tracking.backend)(tracking)
        prompts = self.config('prompts')
        self._shown = RecentFrames(prompts.keep_frames)
        phrases = prompts.text.split(',')
        self._prompts = StandingPrompts(tuple(text.strip() for text in phrases if text.strip()))
        self._claims = self.publish_link(CLAIMS)
        self._tracks = self.publish_link(TRACKS)
        self._overlay = self.publish_topic(OVERLAY)

    def connect(self) -> None:
        """Listen to frames and prompts."""
        self.follow(FRAMES)
        self.listen(PointStamped, 'clicked_point', self._on_clicked_point)
        self.listen(PointStamped, '~/prompt/point_px', self._on_point_px)
        self.listen(RegionOfInterest, '~/prompt/box', self._on_box)
        self.serve(AddPrompt, '~/add_prompt', self._add_prompt)
        self.serve(ClearScene, '~/clear', self._clear)
        self.serve(LoadScene, '~/load', self._load)

    def process(self, item: tuple[Arrival[Frame]]) -> None:
        """Segment and track one frame."""
        frame = item[0].get()
        self._claims.send(None, frame)
        instances = self._prompts.segment(self._segmenter, frame)
        tracks = self._tracker.update(frame, instances)
        self._shown.add(frame, tracks)
        self._tracks.send(tracks, frame)
        if self._overlay.get_subscription_count() > 0:
            self._overlay.publish(overlay_bytes(frame, tracks))

    def forget(self) -> None:
        """Forget tracks and prompts of a time that is over; ids go on."""
        self._tracker.reset()
        self._prompts.clear()
        self._shown.clear()

    def reconfigure(self) -> None:
        """Take new options of the segmentation; tracks stay."""
        config = self.config('segmentation')
        self._segmenter = load_backend('segmentation', config.backend)(config)

    def _prompt(self, prompt: Prompt, stamp_ns: int | None = None) -> list[str]:
        """Answer a prompt whose pixels are of the frame of ``stamp_ns`` (None = the latest).

        Return the ids of the tracks that it selects.
        """
        frame, tracks = self._shown.at(stamp_ns)
        if isinstance(prompt, ExemplarPrompt):
            prompt = replace(prompt, frame=frame)
            frame, tracks = self._shown.at(None)
        answer = self._prompts.add(prompt, self._segmenter, frame)
        return [str(track.id) for track in tracks.items if _shows(tracks, track.instance, answer)]

    def _add_prompt(self, request: Any, response: Any) -> str:
        prompt = prompt_from(request.prompt)
        stamp_ns = stamp_from(request.prompt)
        response.track_ids = self.ask_worker(lambda: self._prompt(prompt, stamp_ns))
        return '' if response.track_ids else 'a new object; its id comes with the next frames'

    def _on_point_px(self, message: PointStamped) -> None:
        point = (float(message.point.x), float(message.point.y))
        self._prompt_from_topic(lambda: PointPrompt((point,), (1,)))

    def _on_box(self, message: RegionOfInterest) -> None:
        self._prompt_from_topic(lambda: BoxPrompt(box_from(message)))

    def _on_clicked_point(self, message: PointStamped) -> None:
        """Take a click in RViz: its frame is RViz's fixed frame, its stamp is not the image's."""
        self._prompt_from_topic(lambda: self._clicked(message))

    def _prompt_from_topic(self, make: Callable[[], Prompt]) -> None:
        """Serve a prompt that nobody waits for an answer to; the log has it."""

        def serve() -> None:
            try:
                ids = self._prompt(make())
                what = f'object {", ".join(ids)}' if ids else 'a new object'
                self.get_logger().info(f'the prompt selects {what}')
            except Sam3dError as error:
                self.get_logger().warning(f'prompt not served: {error}')

        self.tell_worker(serve)

    def _clicked(self, message: PointStamped) -> PointPrompt:
        frame, _ = self._shown.at(None)
        point, frame_id = vector(message.point), message.header.frame_id.removeprefix('/')
        if frame_id == frame.fixed_frame:
            point = apply(inverse(frame.T_fixed_cam), point)
        elif frame_id != frame.frame_id:
            raise TransformError(
                f'a point in frame "{frame_id}"',
                wanted=f'"{frame.fixed_frame}" or "{frame.frame_id}"',
                remedy=f'Set the Fixed Frame of RViz to {frame.fixed_frame}.',
            )
        pixel = project(point, frame.camera)
        if not np.isfinite(pixel).all():
            raise PromptError('a point behind the camera', wanted='a point in the image')
        return PointPrompt(((float(pixel[0]), float(pixel[1])),), (1,))

    def _clear(self, request: Any, response: Any) -> str:
        self.ask_worker(self._forget_all)
        return 'tracks and prompts forgotten'

    def _forget_all(self) -> None:
        self._tracker.clear()
        self._prompts.clear()

    def _load(self, request: Any, response: Any) -> str:
        """Take over the objects of a saved scene as confirmed tracks."""
        scene = read_scene(Path(request.path))
        self.ask_worker(lambda: self._adopt(scene))
        response.ids = [str(item.id) for item in scene.objects]
        return f'{len(response.ids)} tracks taken over'

    def _adopt(self, scene: Scene) -> None:
        # Born now: what is older may be of the time before a clear, and is kept out elsewhere.
        born_ns = scene.stamp_ns if self.last_stamp_ns is None else self.last_stamp_ns + 1
        for item in scene.objects:
            points = apply(item.T_fixed_obj, item.mesh.vertices_m.astype(np.float64))
            color = item.mesh.colors.mean(axis=0)
            self._tracker.adopt(item.id, points, color, born_ns)


def _shows(tracks: Tracks, index: int, answer: Instance) -> bool:
    """Return whether the mask of a track's instance is mostly that of ``answer``."""
    if index < 0:
        return False
    mask = tracks.instances.items[index].mask
    return bool(2 * (mask & answer.mask).sum() > (mask | answer.mask).sum())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the node until Ctrl-C."""
    return run(lambda: [SegmentationNode()], arguments)


if __name__ == '__main__':
    sys.exit(main())
