# SPDX-License-Identifier: Apache-2.0
"""The TF tree without ROS: who is whose parent, and where, at which time.

Semantics of tf2's BufferCore: linear interpolation of translation and slerp of rotation between
the two neighbours in time, no extrapolation, a cache of limited length, static edges valid at
every time. Every method may be called from any thread.
"""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field

import numpy as np

from sam3d_ros.core.errors import TransformError
from sam3d_ros.core.types import FloatArray
from sam3d_ros.geometry.transforms import interpolate, inverse

DEFAULT_CACHE_NS = 10_000_000_000
_LATEST = 1 << 63
# Numbers of a transform that differ by more than this are of another pose, m and radians.
_MOVES = 1e-5


class UnknownFrameError(TransformError):
    """A frame that nothing has been said about."""


class NotConnectedError(TransformError):
    """Two known frames without a common ancestor."""


class ExtrapolationError(TransformError):
    """A time outside of what an edge of the path covers.

    :param seen: the time that was asked for.
    :param wanted: the times that are covered.
    :param is_future: True when newer data may still come, False when it is gone for good.
    """

    def __init__(self, seen: str, *, wanted: str, is_future: bool) -> None:
        super().__init__(seen, wanted=wanted)
        self.is_future = is_future


@dataclass(frozen=True, slots=True)
class EdgeInfo:
    """What is known about one frame's place under its parent; stamps are None when static."""

    parent: str
    child: str
    samples: int
    first_ns: int | None = None
    last_ns: int | None = None

    @property
    def is_static(self) -> bool:
        """Whether the edge holds at every time."""
        return self.last_ns is None


@dataclass(slots=True)
class _Edge:
    """Samples of one child frame, sorted by time; parents may change between samples."""

    stamps: list[int] = field(default_factory=list)
    parents: list[str] = field(default_factory=list)
    transforms: list[FloatArray] = field(default_factory=list)
    is_static: bool = False
    moves: bool = False

    def put(self, stamp: int, parent: str, T: FloatArray, cache_ns: int | None) -> bool:
        if self.stamps and cache_ns is not None and stamp < self.stamps[-1] - cache_ns:
            return False
        if self.stamps and not self.moves:
            change = np.abs(T - self.transforms[-1]).max()
            self.moves = bool(change > _MOVES or parent != self.parents[-1])
        at = bisect_left(self.stamps, stamp)
        replaced = at < len(self.stamps) and self.stamps[at] == stamp
        span = slice(at, at + replaced)
        self.stamps[span], self.parents[span], self.transforms[span] = [stamp], [parent], [T]
        if cache_ns is not None:
            old = slice(0, bisect_left(self.stamps, self.stamps[-1] - cache_ns))
            del self.stamps[old], self.parents[old], self.transforms[old]
        return True

    def info(self, child: str) -> EdgeInfo:
        span = (None, None) if self.is_static else (self.stamps[0], self.stamps[-1])
        return EdgeInfo(self.parents[-1], child, len(self.stamps), *span)

    def parent_at(self, stamp: int) -> str:
        """Return the parent at a time, or at the nearest end of what is known."""
        return self.parents[max(bisect_right(self.stamps, stamp) - 1, 0)]

    def transform_at(self, stamp: int, child: str) -> FloatArray:
        """Return T_parent_child, interpolated."""
        if self.is_static:
            return self.transforms[0]
        after = bisect_left(self.stamps, stamp)
        if after == len(self.stamps) or (after == 0 and self.stamps[0] != stamp):
            raise self._outside(stamp, child)
        before = after - 1
        if self.stamps[after] == stamp:
            return self.transforms[after]
        if self.parents[before] != self.parents[after]:
            return self.transforms[before]
        fraction = (stamp - self.stamps[before]) / (self.stamps[after] - self.stamps[before])
        return interpolate(self.transforms[before], self.transforms[after], fraction)

    def _outside(self, stamp: int, child: str) -> ExtrapolationError:
        first, last = self.stamps[0], self.stamps[-1]
        is_future = stamp > last
        gap_s = (stamp - last if is_future else first - stamp) * 1e-9
        return ExtrapolationError(
            f'transform of frame "{child}" at {stamp * 1e-9:.6f} s, which is {gap_s:.3f} s '
            f'{"after its latest" if is_future else "before its oldest"} data',
            wanted=f'a time in [{first * 1e-9:.6f}, {last * 1e-9:.6f}] s',
            is_future=is_future,
        )


class TransformTree:
    """All known edges of a TF tree, each with its history.

    Adding in time order costs O(1), looking up O(path length x log samples).

    :param cache_ns: how much history an edge keeps; None = all (recordings).
    """

    def __init__(self, cache_ns: int | None = DEFAULT_CACHE_NS) -> None:
        self._cache_ns = cache_ns
        self._edges: dict[str, _Edge] = {}
        self._parents: set[str] = set()
        self._lock = threading.RLock()

    def add(
        self, parent: str, child: str, T_parent_child: FloatArray, stamp_ns: int | None = None
    ) -> bool:
        """Put one transform in; without a stamp it is static.

        :param child: name of the frame that is placed.
        :param T_parent_child: (4, 4) its pose in the parent.
        :param stamp_ns: when, nanoseconds; None = always.
        :return: False when it is older than the cache reaches, and was not taken.
        :raises TransformError: when a frame would be its own parent or a number is not finite.
        """
        parent, child = parent.lstrip('/'), child.lstrip('/')
        if not parent or not child or parent == child:
            raise TransformError(
                f'a transform from "{child}" to "{parent}"', wanted='two different frame names'
            )
        if not np.isfinite(T_parent_child).all():
            raise TransformError(
                f'a transform of "{child}" in "{parent}" with NaN or infinity',
                wanted='finite numbers',
            )
        is_static = stamp_ns is None
        with self._lock:
            edge = self._edges.get(child)
            if edge is None or edge.is_static or is_static:
                edge = self._edges[child] = _Edge(is_static=is_static)
            self._parents.add(parent)
            if stamp_ns is None:
                return edge.put(0, parent, T_parent_child, None)
            return edge.put(stamp_ns, parent, T_parent_child, self._cache_ns)

    def lookup(self, target: str, source: str, stamp_ns: int | None = None) -> FloatArray:
        """Return T_target_source at a time, or at the latest time that all edges cover.

        :param target: frame that the result maps to.
        :param source: frame that it maps from.
        :param stamp_ns: when, nanoseconds; None = the latest common time.
        :raises UnknownFrameError: when a frame was never heard of.
        :raises NotConnectedError: when both have no common ancestor.
        :raises ExtrapolationError: when an edge on the path has no data around that time.
        """
        with self._lock:
            if stamp_ns is None:
                stamp_ns = self.latest_common(target, source) or 0
            down, up = self._path(target, source, stamp_ns)
            return inverse(self._compose(down, stamp_ns)) @ self._compose(up, stamp_ns)

    def lookup_between(
        self, target: str, target_ns: int | None, source: str, source_ns: int | None, fixed: str
    ) -> FloatArray:
        """Return the transform from ``source`` at one time to ``target`` at another.

        ``fixed`` is the frame that does not move between both times.

        :param target_ns: time of the target, nanoseconds; None = the latest.
        :param source_ns: time of the source, nanoseconds; None = the latest.
        """
        T_fixed_source = self.lookup(fixed, source, source_ns)
        return self.lookup(target, fixed, target_ns) @ T_fixed_source

    def latest_common(self, target: str, source: str) -> int | None:
        """Return the latest stamp that all edges between two frames cover, None = all static.

        :param target: one of the two frames.
        :param source: the other one.
        :raises UnknownFrameError: when a frame was never heard of.
        :raises NotConnectedError: when both have no common ancestor.
        """
        bounds = self.bounds(target, source)
        return None if bounds is None else bounds[1]

    def bounds(self, target: str, source: str) -> tuple[int, int] | None:
        """Return (first, last) stamps that all edges between two frames cover, None = all static.

        ``first > last`` when the edges' histories do not overlap.

        :param target: one of the two frames.
        :param source: the other one.
        """
        with self._lock:
            down, up = self._path(target, source, _LATEST)
            edges = [self._edges[frame] for frame in down + up]
            moving = [edge for edge in edges if not edge.is_static]
            if not moving:
                return None
            return max(edge.stamps[0] for edge in moving), min(edge.stamps[-1] for edge in moving)

    def moves(self, target: str, source: str) -> bool:
        """Return whether any edge between two frames was ever said to be different.

        :param target: one of the two frames.
        :param source: the other one.
        :raises UnknownFrameError: when a frame was never heard of.
        :raises NotConnectedError: when both have no common ancestor.
        """
        with self._lock:
            down, up = self._path(target, source, _LATEST)
            return any(self._edges[frame].moves for frame in down + up)

    def ancestors(self, frame: str, stamp_ns: int | None = None) -> list[str]:
        """Return ``frame`` and its ancestors, root last; just ``frame`` when it is unknown.

        :param stamp_ns: when, nanoseconds; None = the latest that is known.
        """
        chain = [frame.lstrip('/')]
        with self._lock:
            while (edge := self._edges.get(chain[-1])) is not None:
                parent = edge.parent_at(_LATEST if stamp_ns is None else stamp_ns)
                if parent in chain:
                    raise TransformError(
                        f'a loop in the TF tree: {" -> ".join([*chain, parent])}',
                        wanted='one parent per frame, no loops',
                        remedy='Two publishers disagree about who is whose parent; stop one '
                        'of them.',
                    )
                chain.append(parent)
        return chain

    def root(self, frame: str) -> str:
        """Return the topmost ancestor of a frame: the frame itself when it has no parent."""
        return self.ancestors(frame)[-1]

    def knows(self, frame: str) -> bool:
        """Return whether a frame was heard of, as child or as parent."""
        frame = frame.lstrip('/')
        with self._lock:
            return frame in self._edges or frame in self._parents

    def frames(self) -> list[str]:
        """Return all frame names, sorted."""
        with self._lock:
            return sorted(self._edges.keys() | self._parents)

    def edges(self) -> list[EdgeInfo]:
        """Return what is known about every edge, sorted by child."""
        with self._lock:
            return [edge.info(child) for child, edge in sorted(self._edges.items())]

    def clear(self) -> None:
        """Forget all that moves, as after a jump in time; static edges are said only once."""
        with self._lock:
            self._edges = {child: edge for child, edge in self._edges.items() if edge.is_static}
            self._parents = {edge.parents[0] for edge in self._edges.values()}

    def forget_after(self, stamp_ns: int, child: str | None = None) -> None:
        """Forget samples later than a time, of one moving frame or of all: time went back.

        :param stamp_ns: the time, nanoseconds.
        :param child: the moving frame; None = all.
        """
        with self._lock:
            for name in list(self._edges) if child is None else [child.lstrip('/')]:
                edge = self._edges.get(name)
                if edge is None or edge.is_static:
                    continue
                later = slice(bisect_right(edge.stamps, stamp_ns), None)
                del edge.stamps[later], edge.parents[later], edge.transforms[later]
                if not edge.stamps:
                    del self._edges[name]
            self._parents = {parent for edge in self._edges.values() for parent in edge.parents}

    def _path(self, target: str, source: str, stamp_ns: int) -> tuple[list[str], list[str]]:
        """Return the frames below the common ancestor: from target up, from source up."""
        for frame in (target, source):
            if not self.knows(frame):
                known = ', '.join(self.frames()) or 'none'
                raise UnknownFrameError(
                    f'no transform names frame "{frame}"', wanted=f'one of the frames: {known}'
                )
        down, up = self.ancestors(target, stamp_ns), self.ancestors(source, stamp_ns)
        in_down = {frame: at for at, frame in enumerate(down)}
        for at, frame in enumerate(up):
            if frame in in_down:
                return down[: in_down[frame]], up[:at]
        raise NotConnectedError(
            f'no connection between "{target}" (below "{down[-1]}") and "{source}" '
            f'(below "{up[-1]}")',
            wanted='one TF tree',
            remedy=f'Publish the transform between "{down[-1]}" and "{up[-1]}".',
        )

    def _compose(self, chain: list[str], stamp_ns: int) -> FloatArray:
        T_ancestor_first = np.eye(4)
        for frame in chain:
            T_ancestor_first = self._edges[frame].transform_at(stamp_ns, frame) @ T_ancestor_first
        return T_ancestor_first
