# SPDX-License-Identifier: Apache-2.0
"""What a session calls of its backends: whatever has these methods can take their place.

One that has a method ``close`` is told at the end, to let go of processes and devices.

Completion backends have theirs beside the evidence that they complete:
:class:`sam3d_ros.reconstruction.completion.completion.CompletionBackend`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from sam3d_ros.core.types import ByteArray, FloatArray, Frame, Instances, Prompt, Tracks

Ask = Callable[[Sequence[Prompt]], Instances]
"""Returns what a segmenter answers to prompts in one frame; PromptError where it cannot."""


class Segmenter(Protocol):
    """Frame and prompts to instances.

    One that reads phrases and exemplars itself has an attribute ``concepts`` that is true; where
    it has none, what is known of the objects answers them.
    """

    def segment(self, frame: Frame, prompts: Sequence[Prompt] = ()) -> Instances:
        """Return the objects that ``prompts`` ask for; without prompts, all on the supports.

        :param frame: one observation.
        :param prompts: what to look for.
        :raises PromptError: when a prompt is malformed or of a kind that is not served.
        """
        ...


class Tracker(Protocol):
    """Instances to tracks; remembers between frames."""

    def update(self, frame: Frame, instances: Instances, ask: Ask | None = None) -> Tracks:
        """Return all living tracks after a frame.

        :param frame: frames of one camera come in stamp order.
        :param instances: what was segmented in it.
        :param ask: asks the frame's segmenter for more; None = it is not to be asked.
        """
        ...

    def adopt(
        self, track_id: int, points_fixed: FloatArray, colors: ByteArray, stamp_ns: int
    ) -> None:
        """Take over a confirmed track from elsewhere; one of the same id is replaced.

        :param track_id: its id, which no new track gets from now on.
        :param points_fixed: (N, 3) float64 surface points, fixed frame, metres.
        :param colors: (N, 3) uint8 RGB of the points.
        :param stamp_ns: its birth.
        """
        ...

    def forget(self, track_id: int) -> None:
        """Forget one track, if it is known; what it stood for is another one when seen again."""
        ...

    def split(self, track_id: int, other_id: int) -> None:
        """Let one track forget the surface that is another's; both may be unknown.

        :param track_id: the one that is less from now on.
        :param other_id: the one whose surface it is.
        """
        ...

    def merge(self, track_id: int, other_id: int) -> None:
        """Let one track be what two were taken for; both may be unknown.

        :param track_id: the one that stays, and is seen whole from now on.
        :param other_id: the one that ends.
        """
        ...

    def move(self, moved: Callable[[int], FloatArray]) -> None:
        """Move all tracks with the map, whose way to the camera has jumped.

        :param moved: returns how that has moved which was seen last at a stamp, ns: (4, 4), fixed
            frame.
        """
        ...

    def carry(self, moves: Mapping[int, FloatArray], stamp_ns: int) -> None:
        """Move single tracks, as grippers carry what they hold; unknown ids are left alone.

        :param moves: by id: (4, 4) how each has moved in the fixed frame.
        :param stamp_ns: of the frame that comes next, before which they have moved.
        """
        ...

    def reset(self) -> None:
        """Forget all tracks but go on counting ids, as after a jump of the clock."""
        ...

    def clear(self) -> None:
        """Forget everything, ids too: the next track is number 1."""
        ...

    def state(self) -> Any:
        """Return what is remembered: dicts with text keys, lists, numbers, text and arrays.

        Arrays in it are not written to later.
        """
        ...

    def restore(self, state: Any) -> None:
        """Remember what an equal tracker's :meth:`state` returned, and nothing else."""
        ...
