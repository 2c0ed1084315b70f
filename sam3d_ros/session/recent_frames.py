# SPDX-License-Identifier: Apache-2.0
"""The last frames with what was known after each: what prompts and late masks may be of."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from sam3d_ros.core.errors import NotFoundError, NotReadyError, PromptError
from sam3d_ros.core.types import BoolArray, FloatArray, Frame, Instances, Tracks
from sam3d_ros.geometry.masks import box_iou, mask_box, mask_iou
from sam3d_ros.people.masks import PeoplePixels

LEAST_FIT = 0.4
"""IoU of a box with that of the object that it is drawn around."""
NOTHING = Tracks(0, Instances(0))


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """A frame and what was known after it.

    :param frame: the observation.
    :param tracks: all living tracks after it.
    :param places: where the objects were: (4, 4) poses of their anchors in the fixed frame, by id.
    :param people: its pixels that show people, None = nobody.
    """

    frame: Frame
    tracks: Tracks
    places: Mapping[int, FloatArray] = field(default_factory=dict)
    people: PeoplePixels | None = None

    def hidden(self, segmented_ns: int) -> tuple[int, ...]:
        """Return the ids of the tracks that the last frame that was segmented did not show.

        Those that were lost while they were followed from there on are none: they have moved,
        perhaps.

        :param segmented_ns: stamp of that frame: this one, or one before it.
        """
        return tuple(
            track.id
            for track in self.tracks.items
            if track.instance < 0 and track.last_seen_ns < segmented_ns
        )

    def showing(self, mask: BoolArray) -> tuple[int, ...]:
        """Return the ids of the tracks whose masks are mostly this one.

        :param mask: (H, W) bool, pixels of the frame.
        """
        return tuple(
            track_id for track_id, seen in self._masks().items() if mask_iou(seen, mask) > 0.5
        )

    def inside(self, region_px: tuple[int, int, int, int]) -> tuple[int, ...]:
        """Return the ids of the tracks most of whose masks lies in a region.

        :param region_px: left, top, right, bottom, right and bottom exclusive.
        """
        left, top, right, bottom = region_px
        window = (slice(top, bottom), slice(left, right))
        return tuple(
            track_id
            for track_id, seen in self._masks().items()
            if 2 * seen[window].sum() > seen.sum()
        )

    def filling(self, box_px: tuple[float, float, float, float]) -> int:
        """Return the id of the track that a box is drawn around, or that is clicked on.

        :param box_px: left, top, right, bottom, half open; without area, it is a click.
        :raises PromptError: when no object fills it, or is there.
        """
        height, width = self.frame.depth_m.shape
        left, top, right, bottom = box_px
        masks = self._masks()
        if is_click := left == right and top == bottom:
            place, wanted = f'at ({left:g}, {top:g}) px', 'a click on one that has a mask'
            row, column = round(top), round(left)
            if 0 <= row < height and 0 <= column < width:
                for track_id, seen in masks.items():
                    if seen[row, column]:
                        return track_id
        else:
            place = f'fills the box {tuple(map(round, box_px))} px'
            wanted = 'a box close around one that has depth and a mask'
            asked = np.clip(np.rint(box_px), 0, (width, height, width, height))
            fits = {
                track_id: box_iou(asked, np.array(box, np.float64))
                for track_id, seen in masks.items()
                if (box := mask_box(seen)) is not None
            }
            best = max(fits, key=lambda key: fits[key], default=0)
            if best and fits[best] >= LEAST_FIT:
                return best
        rows = slice(max(0, round(top)), max(0, round(bottom)) + is_click)
        columns = slice(max(0, round(left)), max(0, round(right)) + is_click)
        depth_m = self.frame.depth_m[rows, columns]
        if depth_m.size and not np.isfinite(depth_m).any():
            place += ', where nothing has depth'
        raise PromptError(f'no object {place}', wanted=wanted)

    def _masks(self) -> dict[int, BoolArray]:
        items = self.tracks.instances.items
        return {it.id: items[it.instance].mask for it in self.tracks.items if it.instance >= 0}


class RecentFrames:
    """The last ``count`` frames."""

    def __init__(self, count: int) -> None:
        self._kept: deque[Kept] = deque(maxlen=count)

    def add(self, kept: Kept) -> None:
        """Keep a frame, in place of itself or as the latest; the oldest goes for want of room."""
        for at, before in enumerate(self._kept):
            if before.frame is kept.frame:
                self._kept[at] = kept
                return
        self._kept.append(kept)

    def move(self, T_new_old: FloatArray, moves: Mapping[int, FloatArray]) -> None:
        """Move all with the map.

        :param T_new_old: (4, 4) how what the frames saw has moved in the fixed frame.
        :param moves: how the objects have, by id.
        """
        for at, kept in enumerate(self._kept):
            frame = replace(kept.frame, T_fixed_cam=T_new_old @ kept.frame.T_fixed_cam)
            places = {k: moves.get(k, T_new_old) @ T for k, T in kept.places.items()}
            self._kept[at] = replace(kept, frame=frame, places=places)

    def clear(self) -> None:
        """Forget all."""
        self._kept.clear()

    def latest(self, frame_id: str = '') -> Kept | None:
        """Return the last frame, None when there is none.

        :param frame_id: optical frame of its camera; empty = any.
        """
        for kept in reversed(self._kept):
            if frame_id in ('', kept.frame.frame_id):
                return kept
        return None

    def since(self, stamp_ns: int, frame_id: str) -> Kept | None:
        """Return a frame of the time since the oldest kept one, None when it never came.

        :param stamp_ns: its source stamp.
        :param frame_id: optical frame of its camera.
        :raises NotReadyError, NotFoundError: as :meth:`at`, when it is older.
        """
        if self._kept and stamp_ns > self._kept[0].frame.stamp_ns:
            found = (it for it in self._kept if it.frame.stamp_ns == stamp_ns)
            return next((it for it in found if it.frame.frame_id == frame_id), None)
        return self.at(stamp_ns, frame_id)

    def of(self, frame: Frame) -> Kept:
        """Return what was known after a frame that was kept once; nothing, when it is no longer.

        :param frame: wherever the map had it.
        """
        for kept in self._kept:
            if (kept.frame.stamp_ns, kept.frame.frame_id) == (frame.stamp_ns, frame.frame_id):
                return kept
        return Kept(frame, NOTHING)

    def at(self, stamp_ns: int | None, frame_id: str = '') -> Kept:
        """Return a frame.

        :param stamp_ns: its source stamp; None = the latest.
        :param frame_id: optical frame of its camera; empty = any.
        :raises NotReadyError: when there is no frame at all yet.
        :raises NotFoundError: when the one asked for is not kept.
        """
        if not self._kept:
            raise NotReadyError('no frame yet', wanted='a frame to look in')
        if stamp_ns is None:
            return self._kept[-1]
        for kept in self._kept:
            if kept.frame.stamp_ns == stamp_ns and frame_id in ('', kept.frame.frame_id):
                return kept
        first, last = (_seconds(self._kept[k].frame.stamp_ns) for k in (0, -1))
        whose = f' of "{frame_id}"' if frame_id else ''
        raise NotFoundError(
            f'no frame{whose} of {_seconds(stamp_ns)} s is kept',
            wanted=f'the stamp of one of the {len(self._kept)} frames from {first} to {last} s',
            remedy='Set prompts.keep_frames to keep more, or, of a prompt, leave the stamp zero '
            'for the latest.',
        )


def _seconds(stamp_ns: int) -> str:
    """Seconds with all nine decimals: stamps are compared exactly."""
    return f'{stamp_ns // 1_000_000_000}.{stamp_ns % 1_000_000_000:09d}'
