# SPDX-License-Identifier: Apache-2.0
"""Backends ``sam2_video``, ``sam3_video`` and ``edgetam_video``: the loop of SAM 3 with depth.

In every frame (SAM 3 paper, section 4) the video model says where the known objects are, the
segmenter what there is, and both are matched: an object keeps the mask of its memory, and what
belongs to none is new. Who is who is decided in space, by the surface points of
:class:`OverlapTracker`: what the memory says of an object counts only where it agrees with them,
and a memory that is lost, old or wrong, or lacks somebody, begins anew from the masks of this
frame. A newcomer that is not confirmed yet lives on detections alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from sam3d_ros.core.errors import BackendError
from sam3d_ros.core.interfaces import Ask
from sam3d_ros.core.pretrained.checkpoints import load_pretrained, pick_device
from sam3d_ros.core.types import (
    BoolArray,
    ByteArray,
    FloatArray,
    Frame,
    Instance,
    Instances,
    Tracks,
    TrackState,
)
from sam3d_ros.geometry.masks import mask_box, mask_iou
from sam3d_ros.tracking.config import TrackingConfig, VideoConfig
from sam3d_ros.tracking.overlap import OverlapTracker
from sam3d_ros.tracking.video.masklets import Masklets
from sam3d_ros.tracking.video.memory import Followed, VideoMemory

LEAST_PX = 100
"""Smaller masks are not worth remembering."""
PRESENT = 0.5
"""Least probability, by the model's occlusion head, that an object is in the frame."""


class VideoTracker:
    """Tracks in 3D whose masks between detections come from the memory of a video model.

    :param config: options of tracking.
    :param memory: of the video, empty.
    :param name: of the backend, the source of its masks.
    """

    def __init__(self, config: TrackingConfig, memory: VideoMemory, name: str) -> None:
        self._config = config.video
        self._name = name
        self._tracks = OverlapTracker(replace(config, mend=False))
        self._memory = memory
        self._masklets = Masklets(config.video)
        self._camera = ''
        self._age = 0

    def clear(self) -> None:
        """Forget everything, ids too: the next track is number 1."""
        self._memory.forget()
        self._masklets.clear()
        self._tracks.clear()

    def reset(self) -> None:
        """Forget all tracks but go on counting ids, as after a jump of the clock."""
        self._memory.forget()
        self._masklets.clear()
        self._tracks.reset()

    def forget(self, track_id: int) -> None:
        """Forget one track, if it is known."""
        self._memory.forget()
        self._tracks.forget(track_id)

    def adopt(
        self, track_id: int, points_fixed: FloatArray, colors: ByteArray, stamp_ns: int
    ) -> None:
        """Take over a confirmed track from elsewhere; see :class:`core.interfaces.Tracker`."""
        self._memory.forget()
        self._tracks.adopt(track_id, points_fixed, colors, stamp_ns)

    def split(self, track_id: int, other_id: int) -> None:
        """Let one track forget another's surface; see :class:`core.interfaces.Tracker`."""
        self._memory.forget()
        self._tracks.split(track_id, other_id)

    def merge(self, track_id: int, other_id: int) -> None:
        """Let one track be what two were taken for; see :class:`core.interfaces.Tracker`."""
        self._memory.forget()
        self._tracks.merge(track_id, other_id)

    def move(self, moved: Callable[[int], FloatArray]) -> None:
        """Move all tracks with the map; see :class:`core.interfaces.Tracker`."""
        self._tracks.move(moved)

    def carry(self, moves: Mapping[int, FloatArray], stamp_ns: int) -> None:
        """Move what grippers hold; see :class:`core.interfaces.Tracker`."""
        self._tracks.carry(moves, stamp_ns)

    def state(self) -> dict[str, Any]:
        """Return what is remembered in space; the memory of the video is made anew from that."""
        return self._tracks.state()

    def restore(self, state: Mapping[str, Any]) -> None:
        """Remember what :meth:`state` returned, and nothing else.

        :raises InputError: when it is of another version.
        """
        self._memory.forget()
        self._tracks.restore(state)

    def update(self, frame: Frame, instances: Instances, ask: Ask | None = None) -> Tracks:
        """Return all living tracks after ``frame``; see :class:`core.interfaces.Tracker`."""
        if frame.camera_name != self._camera:
            self._camera = frame.camera_name
            self._memory.forget()
            self._masklets.clear()
        known = self._tracks.known_in(frame).over(frame).owner
        said = self._memory.follow(frame.rgb) if self._memory.ids else {}
        self._masklets.hidden(said, PRESENT, frame.stamp_ns)
        there = {k: item for k, item in said.items() if item.score >= PRESENT}
        away = self._masklets.drawn_away({k: item.mask for k, item in there.items()})
        followed = {
            object_id: item.mask
            for object_id, item in _apart(there).items()
            if object_id not in away and self._agrees(item.mask, known == object_id, frame)
        }
        items, ids = self._together(instances, followed, frame.stamp_ns)
        tracks = self._tracks.update(frame, replace(instances, items=items), ask)
        seen = {track.id: track.instance for track in tracks.items if track.instance >= 0}
        confirmed = {t.id for t in tracks.items if t.state is TrackState.CONFIRMED}
        self._age += 1
        is_true = all(ids[index] in (None, track_id) for track_id, index in seen.items())
        is_true &= followed.keys() == said.keys() == confirmed
        if not is_true or self._age >= self._config.prompt_every:
            masks = {
                track_id: items[seen[track_id]].mask if track_id in seen else known == track_id
                for track_id in sorted(confirmed)
            }
            whole = {k: mask for k, mask in masks.items() if np.count_nonzero(mask) >= LEAST_PX}
            self._memory.begin(frame.rgb, whole)
            self._age = 0
        return tracks

    def _agrees(self, mask: BoolArray, known: BoolArray, frame: Frame) -> bool:
        """Return whether a mask is about where the object's surface is seen, if it is at all."""
        seen = mask & np.isfinite(frame.depth_m)
        if np.count_nonzero(seen) < LEAST_PX or np.count_nonzero(known) < LEAST_PX:
            return bool(mask.any())
        return mask_iou(seen, known) >= self._config.min_agreement

    def _together(
        self, detected: Instances, followed: Mapping[int, BoolArray], stamp_ns: int
    ) -> tuple[tuple[Instance, ...], list[int | None]]:
        """Return what is seen, and the id of each that the memory knows.

        :param detected: what the segmenter found.
        :param followed: masks of objects by the memory; they do not overlap.
        :param stamp_ns: of the frame.
        """
        rest = list(detected.items)
        matched: dict[int, Instance] = {}
        for object_id, mask in followed.items():
            overlap = [mask_iou(item.mask, mask) for item in rest]
            best = int(np.argmax(overlap)) if overlap else -1
            if best >= 0 and overlap[best] >= self._config.match_iou:
                matched[object_id] = rest[best]
            near = self._config.new_iou
            rest = [item for item, iou in zip(rest, overlap, strict=True) if iou < near]
        believed = self._masklets.believed(followed, matched, stamp_ns)
        items: list[Instance] = []
        ids: list[int | None] = []
        for object_id, mask in followed.items():
            box = mask_box(mask)
            if box is None or object_id not in believed:
                continue
            plain = Instance(mask, PRESENT, box, f'{self._name}:followed')
            items.append(replace(matched.get(object_id, plain), mask=mask, box_px=box))
            ids.append(object_id)
        taken = np.logical_or.reduce([item.mask for item in items]) if items else None
        for item in rest:
            free = item.mask if taken is None else item.mask & ~taken
            box = mask_box(free)
            if box is not None:
                items.append(replace(item, mask=free, box_px=box))
                ids.append(None)
        return tuple(items), ids


def _apart(said: Mapping[int, Followed]) -> dict[int, Followed]:
    """Return masks without overlaps: a pixel is of the object that is surest to be there."""
    taken: BoolArray | None = None
    apart = {}
    for object_id, item in sorted(said.items(), key=lambda pair: (-pair[1].score, pair[0])):
        free = item.mask if taken is None else item.mask & ~taken
        taken = item.mask if taken is None else taken | item.mask
        apart[object_id] = replace(item, mask=free)
    return dict(sorted(apart.items()))


def _memory(model_kind: Any, session_kind: Any, config: VideoConfig, default: str) -> VideoMemory:
    """Return the empty memory of a model.

    :param model_kind: class of the model in transformers.
    :param session_kind: class of its inference sessions.
    :param config: names the checkpoint, and where to compute.
    :param default: the checkpoint where it names none.
    :raises BackendError: when the checkpoint is missing or not complete, or needs a package.
    """
    try:
        checkpoint = load_pretrained(model_kind, config.checkpoint or default)
    except ImportError as error:
        raise BackendError(
            f'the checkpoint "{config.checkpoint or default}" needs a package: {error}',
            remedy='The image encoder of EdgeTAM comes with timm: pip install timm.',
        ) from error
    return VideoMemory(
        checkpoint, session_kind, *pick_device(config.device, config.half_precision)
    )


class Sam2VideoTracker(VideoTracker):
    """Backend ``sam2_video``: facebook/sam2.1-hiera-* folders."""

    def __init__(self, config: TrackingConfig) -> None:
        from transformers import Sam2VideoInferenceSession as Kept
        from transformers import Sam2VideoModel as Model

        memory = _memory(Model, Kept, config.video, 'facebook/sam2.1-hiera-tiny')
        super().__init__(config, memory, 'sam2_video')


class Sam3VideoTracker(VideoTracker):
    """Backend ``sam3_video``: the memory of a facebook/sam3 folder; its detector is ``sam3``."""

    def __init__(self, config: TrackingConfig) -> None:
        from transformers import Sam3TrackerVideoInferenceSession as Kept
        from transformers import Sam3TrackerVideoModel as Model

        super().__init__(config, _memory(Model, Kept, config.video, 'facebook/sam3'), 'sam3_video')


class EdgeTamVideoTracker(VideoTracker):
    """Backend ``edgetam_video``: yonigozlan/EdgeTAM-hf folders."""

    def __init__(self, config: TrackingConfig) -> None:
        from transformers import EdgeTamVideoInferenceSession as Kept
        from transformers import EdgeTamVideoModel as Model

        memory = _memory(Model, Kept, config.video, 'yonigozlan/EdgeTAM-hf')
        super().__init__(config, memory, 'edgetam_video')
