# SPDX-License-Identifier: Apache-2.0
"""TF in a node: a tree that listens, inputs that wait for it, and the choice of fixed frame.

A node makes one :class:`LiveTransforms`, puts its inputs into a :class:`TransformWait`, and gets
each back when its transforms are there. Nothing blocks an executor.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from time import perf_counter
from typing import Any, Generic, TypeVar

from rclpy.node import Node

from sam3d_ros.bags.clocks import OPTION
from sam3d_ros.core.errors import TransformError
from sam3d_ros.core.notes import Notes
from sam3d_ros.geometry.transform_tree import ExtrapolationError, TransformTree
from sam3d_ros.messages.topics import TF
from sam3d_ros.messages.transforms import StampedTransform, transform_from
from sam3d_ros.ros.clock import StampWatch
from sam3d_ros.ros.tf_elsewhere import TfElsewhere
from sam3d_ros.ros.upstream import tf2_ros

Item = TypeVar('Item')
StampRule = Callable[[int, int, bool], int]
"""Returns the stamp of a transform from that in its header, the time of receipt, and whether
headers of its frame say nothing."""

# Inputs that may wait at a time, whatever the deadline; beyond, the oldest is dropped.
_WAITING = 1000
# Messages of a frame with the same stamp until it counts as saying nothing.
_SAME_STAMPS = 3
# Seconds; what is later than this is of another time, not merely out of order.
_JUMP_BACK_S = 0.5


class LiveTransforms:
    """A :class:`TransformTree` fed from /tf and /tf_static.

    It stands where tf2_ros' listener expects a buffer, so that frames are built live exactly as
    they are from recordings.

    :param node: listens.
    :param on_new: called after each transform that was taken.
    :param stamp: the rule for stamps; None = those in the headers.
    :param namespace: where TF is instead of /tf, e.g. ``/robot1``.
    """

    def __init__(
        self,
        node: Node,
        on_new: Callable[[], None] = lambda: None,
        stamp: StampRule | None = None,
        namespace: str = '',
    ) -> None:
        self.tree = TransformTree()
        self.refused = 0
        self._node = node
        self._on_new = on_new
        self._stamp = stamp
        self._watches: dict[str, StampWatch] = {}
        self._repeats: dict[str, tuple[int, int]] = {}
        self._notes = Notes(node.get_logger().warning)
        self.elsewhere = TfElsewhere(node, self._take, namespace)
        self._listener = None if namespace else tf2_ros.TransformListener(self, node)

    def set_transform(self, transform: Any, authority: str) -> None:
        """Take a transform from /tf; the listener calls this.

        :param authority: who published it; not used.
        """
        self._take(transform, False)

    def set_transform_static(self, transform: Any, authority: str) -> None:
        """Take a transform from /tf_static; the listener calls this.

        :param authority: who published it; not used.
        """
        self._take(transform, True)

    def search(self, camera: str) -> None:
        """Take TF of the only namespace that has one, while /tf does not name the camera."""
        if not self.tree.knows(camera) and (note := self.elsewhere.search(camera)):
            self._notes.add(note)

    @property
    def may_move(self) -> bool:
        """Whether somebody publishes TF that moves, heard already or not."""
        topic = self._node.resolve_topic_name(f'{self.elsewhere.namespace}{TF.name}')
        return self._node.count_publishers(topic) > 0

    def clear(self) -> None:
        """Forget all that moves; for jumps in time."""
        self.tree.clear()

    def forget_after(self, stamp_ns: int) -> None:
        """Forget what moves of a later time: the inputs went back to ``stamp_ns``.

        TF of the new time may have come before its images; it stays.
        """
        self.tree.forget_after(stamp_ns + round(_JUMP_BACK_S * 1e9))

    def close(self) -> None:
        """Stop listening."""
        self.elsewhere.close()
        if self._listener is not None:
            self._listener.unregister()

    def _take(self, message: Any, is_static: bool) -> None:
        try:
            item = transform_from(message)
            stamp_ns = None if is_static else self._stamp_of(item)
            if stamp_ns is not None:
                watch = self._watches.setdefault(item.child, StampWatch(_JUMP_BACK_S))
                if watch.goes_back(stamp_ns):
                    self.tree.forget_after(stamp_ns, item.child)
            self.tree.add(item.parent, item.child, item.T_parent_child, stamp_ns)
        except TransformError as error:
            self.refused += 1
            self._notes.add(f'refused: {error}', about=message.child_frame_id)
            return
        self._on_new()

    def _stamp_of(self, item: StampedTransform) -> int:
        """Return the stamp of a transform that moves, by the rule for those that say nothing."""
        if self._stamp is None:
            return item.stamp_ns
        last_ns, count = self._repeats.get(item.child, (-1, 0))
        count = count + 1 if item.stamp_ns == last_ns else 0
        self._repeats[item.child] = item.stamp_ns, count
        says_nothing = item.stamp_ns == 0 or count >= _SAME_STAMPS
        if says_nothing:
            self._notes.add(
                f'the stamps of TF of {item.child} never change: receive times are used; {OPTION}',
                about=f'stamps of {item.child}',
            )
        received_ns = self._node.get_clock().now().nanoseconds
        return self._stamp(item.stamp_ns, received_ns, says_nothing)


class TransformWait(Generic[Item]):
    """Holds inputs until their transforms are there; gives up after a deadline.

    Order is kept. Safe from any thread; ``ready`` is called in the thread that completed the
    wait, outside of the lock.

    :param check: raises TransformError as long as an input cannot be used.
    :param ready: called with each input whose transforms are there.
    :param deadline_s: how long an input may wait; measured on the steady clock, since /clock may
        stand still.
    :param now: the steady clock, seconds.
    :param late: called instead with those that had to wait, whole series at a time.
    """

    def __init__(
        self,
        check: Callable[[Item], None],
        ready: Callable[[Item], None],
        deadline_s: float,
        now: Callable[[], float] = perf_counter,
        late: Callable[[Item], None] | None = None,
    ) -> None:
        self._check = check
        self._ready = ready
        self._late = late or ready
        self._deadline_s = deadline_s
        self._now = now
        self._lock = threading.Lock()
        self._waiting: deque[tuple[float, Item]] = deque()
        self.dropped = 0
        self.reason = ''

    def put(self, item: Item) -> None:
        """Take an input; hand it on at once when nothing is missing."""
        with self._lock:
            self._waiting.append((self._now(), item))
            while len(self._waiting) > _WAITING:
                self._waiting.popleft()
                self.dropped += 1
            ready = self._take_ready()
        for each in ready:
            (self._ready if each is item else self._late)(each)

    def recheck(self) -> None:
        """Hand on what has become usable and drop what waited too long; call on new TF."""
        with self._lock:
            ready = self._take_ready()
        for item in ready:
            self._late(item)

    def clear(self) -> None:
        """Forget what waits."""
        with self._lock:
            self._waiting.clear()
            self.reason = ''

    def __len__(self) -> int:
        """Return how many inputs wait."""
        with self._lock:
            return len(self._waiting)

    def _take_ready(self) -> list[Item]:
        ready: list[Item] = []
        while self._waiting:
            since, item = self._waiting[0]
            try:
                self._check(item)
            except TransformError as error:
                self.reason = str(error)
                is_gone = isinstance(error, ExtrapolationError) and not error.is_future
                if not is_gone and self._now() - since < self._deadline_s:
                    break
                self.dropped += 1
            else:
                self.reason = ''
                ready.append(item)
            self._waiting.popleft()
        return ready


class FixedFrameChoice:
    """Decides once, live, which frame objects are kept in, so that it never changes below them.

    A configured frame is taken as it is. Otherwise it is the root above the camera: as soon as
    something on the way there moves, since static TF mostly comes first and ends at the camera's
    mount; as soon as TF names the camera, where nobody publishes TF that moves; and at the
    deadline in any case, which is the camera's own frame when TF has not named it.

    :param tree: all of TF that is known.
    :param deadline_s: how long TF may take to say what the camera moves in.
    :param now: the steady clock, seconds.
    :param may_move: returns whether TF that moves may still come.
    """

    def __init__(
        self,
        tree: TransformTree,
        configured: str,
        deadline_s: float,
        now: Callable[[], float] = perf_counter,
        may_move: Callable[[], bool] = lambda: False,
    ) -> None:
        self._tree = tree
        self._deadline_s = deadline_s
        self._now = now
        self._may_move = may_move
        self._since: float | None = None
        self._is_configured = bool(configured)
        self.chosen: str | None = configured or None

    def __call__(self, frame_id: str) -> str | None:
        """Return the fixed frame, or None as long as TF may still tell."""
        if self.chosen is None:
            now = self._now()
            self._since = now if self._since is None else self._since
            root = self._tree.root(frame_id)
            is_told = self._tree.knows(frame_id) and (
                self._tree.bounds(root, frame_id) is not None or not self._may_move()
            )
            if is_told or now - self._since >= self._deadline_s:
                self.chosen = root
        return self.chosen

    def complaint(self, frame_id: str) -> str:
        """Return what is wrong when TF has grown above the choice since, else an empty string."""
        root = self._tree.root(frame_id)
        if self._is_configured or self.chosen in (None, root):
            return ''
        return (
            f'objects are kept in "{self.chosen}", chosen before TF named "{root}" above it; '
            f'set pointmaps.fixed_frame to choose'
        )
