# SPDX-License-Identifier: Apache-2.0
"""Tracks by overlap of surface points in the fixed frame, so that a moving camera keeps ids.

A track is a set of surface points. Projected into a new frame, points that the depth confirms vote
for the mask they land on; points that the depth sees through vote against the track. What moved
between two frames is found again by place, size and colour; what was put elsewhere unseen by size,
colour and pictures, once free space is seen where it was. A confirmed track ends only when free
space disproves it, or when another track has taken over all of its surface.

A new track is on trial until it is confirmed, as in SAM 3 (Carion et al., 2025): one that most of
the latest frames do not show ends again. So is a confirmed one while its score is below zero: it
is followed, but not told of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from sam3d_ros.core.interfaces import Ask
from sam3d_ros.core.state import from_tree, to_tree
from sam3d_ros.core.types import (
    ByteArray,
    FloatArray,
    Frame,
    IndexArray,
    Instances,
    Track,
    Tracks,
    TrackState,
)
from sam3d_ros.geometry.transforms import apply, inverse
from sam3d_ros.geometry.visibility import (
    CONFIRMING_SIGMAS,
    DepthVerdict,
    judge_frame,
)
from sam3d_ros.masks3d.confidence import voted
from sam3d_ros.masks3d.mending import Pieces, find_pieces, joined
from sam3d_ros.masks3d.missing import is_due, with_missing
from sam3d_ros.masks3d.rendering import Known, draw, owners
from sam3d_ros.tracking.config import TrackingConfig
from sam3d_ros.tracking.likeness import colors_alike, likeness
from sam3d_ros.tracking.matching import SLACK_M, cast_votes, match_by_overlap
from sam3d_ros.tracking.memory import MISS, SPACING_M, Memory, Sighting, sightings
from sam3d_ros.tracking.portraits import Looks, Portrait, kept

MIN_POINTS_IN_VIEW = 10
"""Fewer points than this prove nothing about presence or absence."""

MIN_SHARE_IN_VIEW = 0.2
"""Nor does a smaller share of a track's points."""

SUNK_M, SUNK_SIGMAS, SUNK_SHARE = 0.002, 2.0, 0.5
"""Of a thing that is still there and whole in view, most points are off by less than this: a thin
one that was taken is noticed although the support lies within the tolerance of a single point."""

LEAST_LOOKS = 5
"""Fewer frames decide nothing about a track on trial."""

CELL_PX = 4
"""Surfaces are drawn into frames at every so many pixels."""

TORN = 0.15
"""What a view that shows a track in pieces counts against a whole one: SA3D's lambda."""


class OverlapTracker:
    """Tracker backend ``overlap``."""

    def __init__(self, config: TrackingConfig) -> None:
        self._config = config
        self._looks = Looks(config.portraits)
        self._memories: list[Memory] = []
        self._absent: list[Memory] = []
        self._swallowed: list[Memory] = []
        self._next_id = 1

    def clear(self) -> None:
        """Forget everything, ids too: the next track is number 1."""
        self.reset()
        self._next_id = 1

    def reset(self) -> None:
        """Forget all tracks but go on counting ids, as after a jump of the clock."""
        self._memories = []
        self._absent = []
        self._swallowed = []

    def forget(self, track_id: int) -> None:
        """Forget one track, if it is known."""
        self._memories = [memory for memory in self._memories if memory.id != track_id]
        self._absent = [memory for memory in self._absent if memory.id != track_id]
        self._swallowed = [memory for memory in self._swallowed if memory.id != track_id]

    def adopt(
        self, track_id: int, points_fixed: FloatArray, colors: ByteArray, stamp_ns: int
    ) -> None:
        """Take over a confirmed track from elsewhere; see :class:`core.interfaces.Tracker`."""
        sighting = Sighting.thinned(np.asarray(points_fixed, np.float64), colors)
        self.forget(track_id)
        self._memories.append(
            Memory(
                track_id,
                sighting,
                stamp_ns,
                stamp_ns,
                hits=self._config.confirm_hits,
                is_confirmed=True,
                score=np.inf,
            )
        )
        self._next_id = max(self._next_id, track_id + 1)

    def split(self, track_id: int, other_id: int) -> None:
        """Let one track forget another's surface; see :class:`core.interfaces.Tracker`."""
        known = {memory.id: memory for memory in self._memories}
        if (kept := known.get(track_id)) and (other := known.get(other_id)):
            distance, _ = other.tree.query(kept.sighting.points_fixed)
            own = distance > SPACING_M
            if own.any():
                kept.remember(kept.sighting.part(own))
            kept.whole = 0.0

    def merge(self, track_id: int, other_id: int) -> None:
        """Let one track be what two were taken for; see :class:`core.interfaces.Tracker`."""
        known = {memory.id: memory for memory in self._memories}
        if (kept := known.get(track_id)) and (gone := known.get(other_id)):
            every = np.ones(len(gone.sighting.points_fixed), bool)
            kept.remember(kept.sighting.and_of(gone.sighting, every))
            kept.whole = np.inf
            self.forget(other_id)

    def move(self, moved: Callable[[int], FloatArray]) -> None:
        """Move all tracks with the map; see :class:`core.interfaces.Tracker`."""
        for memory in [*self._memories, *self._absent, *self._swallowed]:
            memory.remember(memory.sighting.moved(moved(memory.last_seen_ns)))

    def carry(self, moves: Mapping[int, FloatArray], stamp_ns: int) -> None:
        """Move what grippers hold; see :class:`core.interfaces.Tracker`."""
        for memory in self._memories:
            if memory.id in moves:
                memory.remember(memory.sighting.moved(moves[memory.id]))

    def known_in(self, frame: Frame, verdicts: Iterable[DepthVerdict] | None = None) -> Known:
        """Return whose surface a frame shows, by the masks in 3D that tracks carry so far.

        :param frame: one observation.
        :param verdicts: what it says of the points of each track; None = not judged yet.
        """
        judged = verdicts or [self._judge(memory, frame) for memory in self._memories]
        surfaces = (
            (memory.id, verdict, memory.sighting.confidence)
            for memory, verdict in zip(self._memories, judged, strict=True)
        )
        return draw(surfaces, frame.depth_m.shape, CELL_PX)

    def state(self) -> dict[str, Any]:
        """Return what is remembered, as a tree of :mod:`core.state`."""
        return {
            'memories': to_tree(self._memories),
            'absent': to_tree(self._absent),
            'swallowed': to_tree(self._swallowed),
            'next_id': self._next_id,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Remember what :meth:`state` returned, and nothing else.

        :raises InputError: when it is of another version.
        """
        self._memories = from_tree(list[Memory], state['memories'])
        self._absent = from_tree(list[Memory], state['absent'])
        self._swallowed = from_tree(list[Memory], state['swallowed'])
        self._next_id = from_tree(int, state['next_id'])

    def update(self, frame: Frame, instances: Instances, ask: Ask | None = None) -> Tracks:
        """Return all living tracks after ``frame``; see :class:`core.interfaces.Tracker`."""
        verdicts = [self._judge(memory, frame) for memory in self._memories]
        if self._config.mend and self._memories:
            instances = self._mended(frame, instances)
        if ask is not None and self._config.ask_again:
            every = self._memories
            trusted = {m.id for m in every if is_due(m.hits, m.missed_in_a_row, m.is_confirmed)}
            if trusted:
                known = self.known_in(frame, verdicts)
                instances = with_missing(frame, instances, known, trusted, ask)
        seen, index_image = sightings(frame, instances)
        votes = cast_votes(verdicts, index_image, len(instances.items))
        least = self._config.min_overlap
        matches = match_by_overlap(self._memories, verdicts, votes, seen, instances, least)
        self._match_moved(matches, seen, frame.camera_name)
        for position, memory in enumerate(self._memories):
            if position in matches:
                memory.apart |= instances.items[matches[position]].apart
                own = matches[position]
                self._hit(memory, seen[own], verdicts[position], index_image, own, frame)
            else:
                taken = set(matches.values())
                self._miss(memory, verdicts[position], votes[position], taken, frame)
        instance_of = {self._memories[p].id: index for p, index in matches.items()}
        free = [index for index in sorted(seen) if index not in set(matches.values())]
        # A newcomer on trial may turn out to be what is missing, once its old place is seen empty.
        young = {
            index: self._memories[position]
            for position, index in matches.items()
            if not self._memories[position].is_confirmed
        }
        born_ns = dict.fromkeys(free, frame.stamp_ns)
        born_ns |= {index: memory.first_seen_ns for index, memory in young.items()}
        for index, memory in self._known_again(born_ns, seen, frame, instances).items():
            instance_of[memory.id] = index
            if index in young:
                instance_of.pop(young[index].id)
                self._memories.remove(young[index])
            else:
                free.remove(index)
        absent = [memory for memory in self._memories if self._is_absent(memory)]
        ended = [memory for memory in self._memories if not self._lives(memory)]
        latest = -self._config.keep_absent or None
        self._absent = [*self._absent, *absent][latest:] if latest else []
        self._swallowed = [*self._swallowed, *filter(self._is_swallowed, ended)]
        self._swallowed = self._swallowed[latest:] if latest else []
        self._memories = [memory for memory in self._memories if memory not in ended]
        for index, memory in self._apart_again(free, seen, frame, index_image, instances).items():
            instance_of[memory.id] = index
            free.remove(index)
        for index in free:
            stamp_ns, camera = frame.stamp_ns, frame.camera_name
            memory = Memory(self._next_id, seen[index], stamp_ns, stamp_ns, camera=camera)
            memory.apart = instances.items[index].apart
            self._look(memory, stamp_ns, is_seen=True)
            instance_of[memory.id] = index
            self._memories.append(memory)
            self._next_id += 1
        for memory in self._memories if self._config.portraits.enabled else ():
            if memory.id in instance_of:
                shown = instances.items[instance_of[memory.id]]
                memory.portraits = kept(memory.portraits, frame, shown)
        items = tuple(
            self._track(memory, instance_of.get(memory.id, -1)) for memory in self._memories
        )
        return Tracks(frame.stamp_ns, instances, items, tuple(memory.id for memory in absent))

    def _mended(self, frame: Frame, instances: Instances) -> Instances:
        """Return masks with the pieces of every track that other views have shown whole as one."""
        ids, surfaces = zip(
            *((m.id, m.sighting.points_fixed) for m in self._memories), strict=True
        )
        owner = np.repeat(np.array(ids, np.int32), [len(points) for points in surfaces])
        tree = cKDTree(np.concatenate(surfaces))
        known = owners(tree, owner, frame, 2 * SPACING_M, CELL_PX)
        pieces = find_pieces(instances, known, CELL_PX)
        torn = []
        for memory in self._memories:
            found = pieces.get(memory.id, Pieces((), False))
            is_torn = len(found.indices) > 1
            if found.is_whole:
                memory.whole += 1.0
            elif is_torn:
                memory.whole -= TORN
            if is_torn and memory.whole > 0:
                torn.append(found.indices)
        return joined(instances, torn)

    @staticmethod
    def _judge(
        memory: Memory, frame: Frame, slack_m: float = SLACK_M, sigmas: float = CONFIRMING_SIGMAS
    ) -> DepthVerdict:
        points_cam = apply(inverse(frame.T_fixed_cam), memory.sighting.points_fixed)
        return judge_frame(points_cam, frame, slack_m, sigmas)

    def _match_moved(
        self, matches: dict[int, int], seen: dict[int, Sighting], camera: str
    ) -> None:
        """Add matches for tracks of this camera's frame before that moved, nearest first."""
        free = sorted(set(seen) - set(matches.values()))
        candidates = []
        for position, memory in enumerate(self._memories):
            if position in matches or memory.missed_in_a_row > 0 or memory.camera != camera:
                continue
            for index in free:
                apart = memory.sighting.center - seen[index].center
                distance_m = float(np.linalg.norm(apart))
                is_near = distance_m <= self._config.reach_m
                if is_near and likeness(memory.sighting, seen[index]) >= self._config.alike:
                    candidates.append((distance_m, position, index))
        taken: set[int] = set()
        for _, position, index in sorted(candidates):
            if position not in matches and index not in taken:
                matches[position] = index
                taken.add(index)

    def _apart_again(
        self,
        free: list[int],
        seen: dict[int, Sighting],
        frame: Frame,
        index_image: IndexArray,
        instances: Instances,
    ) -> dict[int, Memory]:
        """Return by instance what another had swallowed and is seen in its place again, on trial.

        What a frame melts into what hides it, another shows apart.
        """
        if not free or not self._swallowed:
            return {}
        known = list(self._swallowed)
        verdicts = [self._judge(memory, frame) for memory in known]
        votes = cast_votes(verdicts, index_image, len(instances.items))
        candidates = {index: seen[index] for index in free}
        least = self._config.min_overlap
        matches = match_by_overlap(known, verdicts, votes, candidates, instances, least)
        again: dict[int, Memory] = {}
        for position, index in matches.items():
            memory = known[position]
            alike = colors_alike(memory.sighting.colors, seen[index].colors)
            if alike >= self._config.alike:
                again[index] = memory
                self._swallowed.remove(memory)
                self._memories.append(memory)
                memory.is_confirmed, memory.doubts, memory.looks = False, 0, []
                self._hit(memory, seen[index], verdicts[position], index_image, index, frame)
        return again

    def _known_again(
        self,
        born_ns: Mapping[int, int],
        seen: dict[int, Sighting],
        frame: Frame,
        instances: Instances,
    ) -> dict[int, Memory]:
        """Return by instance what was put elsewhere and is seen there now, at its new place.

        Only what free space was seen in place of can be; of two that are alike, none is chosen.

        :param born_ns: by instance, when it was seen first, of those that may be what is missing.
        """
        free = list(born_ns)
        missing = [m for m in self._memories if m.is_confirmed and m.is_seen_through]
        missing += self._absent
        if not missing or not free:
            return {}
        # What was seen beside a thing is not that thing.
        colors = np.zeros((len(missing), len(free)))
        for at, where in np.ndindex(colors.shape):
            if missing[at].last_seen_ns < born_ns[free[where]]:
                colors[at, where] = likeness(missing[at].sighting, seen[free[where]])
        least, margin = self._config.alike, self._config.alike_margin
        alike = np.where(colors >= least, colors, 0.0)
        is_near = colors >= self._config.portraits.colors
        if is_near.any() and self._looks.are_there:
            portraits = {
                where: Portrait.of(frame, instances.items[free[where]])
                for where in np.flatnonzero(is_near.any(axis=0))
            }
            for at, where in np.argwhere(is_near):
                portrait, known = portraits[where], missing[at].portraits
                # Without a picture of both, colours alone have to do.
                if portrait is not None and known:
                    is_doubtful = bool(colors[at, where] < least)
                    alike[at, where] = self._looks.likeness(known, portrait, is_doubtful)
                    is_alone = is_near[at].sum() == is_near[:, where].sum() == 1
                    if is_alone and colors[at, where] >= self._config.portraits.alone:
                        least_alike = self._config.portraits.unlike
                        alike[at, where] = max(alike[at, where], least_alike)
            least, margin = self._config.portraits.unlike, self._config.portraits.margin
        again: dict[int, Memory] = {}
        for memory, row in zip(missing, alike, strict=True):
            best = int(np.argmax(row))
            rivals = np.delete(alike[:, best], missing.index(memory)).tolist()
            rivals += np.delete(row, best).tolist()
            is_sure = row[best] - max(rivals, default=0.0) >= margin
            if row[best] >= least and is_sure:
                again[free[best]] = memory
        for index, memory in again.items():
            if memory in self._absent:
                self._absent.remove(memory)
                self._memories.append(memory)
            memory.remember(seen[index])
            memory.doubts, memory.score = 0, max(memory.score, 0.0)
            self._note_hit(memory, frame)
        return again

    def _hit(
        self,
        memory: Memory,
        sighting: Sighting,
        verdict: DepthVerdict,
        index_image: IndexArray,
        own: int,
        frame: Frame,
    ) -> None:
        """Update a matched track: what depth or votes disprove goes, what its mask shows comes."""
        known = memory.sighting
        landed = index_image[verdict.rows, verdict.columns]
        confidence = voted(
            known.confidence, known.points_fixed, known.normals_fixed, frame, verdict, landed, own
        )
        kept = ~verdict.seen_through & (confidence > 0)
        memory.remember(sighting.and_of(replace(known, confidence=confidence), kept))
        memory.doubts = max(0, memory.doubts - 1)
        self._note_hit(memory, frame)

    def _note_hit(self, memory: Memory, frame: Frame) -> None:
        memory.hits += 1
        memory.last_seen_ns = frame.stamp_ns
        memory.camera = frame.camera_name
        memory.missed_in_a_row = 0
        memory.is_seen_through = False
        self._look(memory, frame.stamp_ns, is_seen=True)

    def _look(self, memory: Memory, stamp_ns: int, *, is_seen: bool) -> None:
        """Note that a frame could have shown a track, and decide whether it is confirmed now."""
        memory.score += 1 if is_seen else -MISS
        if memory.is_confirmed:
            memory.looks.clear()
            return
        wanted = self._config.confirm_hits
        trial_ns = round(max(self._config.confirm_s, self._config.hot_start_s) * 1e9)
        kept = [look for look in memory.looks[:-wanted] if look[0] >= stamp_ns - trial_ns]
        memory.looks = [*kept, *memory.looks[-wanted:], (stamp_ns, is_seen)]
        since_ns = stamp_ns - round(self._config.confirm_s * 1e9)
        in_time = sum(seen for at, seen in memory.looks if at >= since_ns)
        in_a_row = sum(seen for _, seen in memory.looks[-wanted:])
        memory.is_confirmed |= max(in_time, in_a_row) >= wanted

    def _miss(
        self,
        memory: Memory,
        verdict: DepthVerdict,
        votes: IndexArray,
        matched: set[int],
        frame: Frame,
    ) -> None:
        """Update an unmatched track: count what speaks against it.

        A camera other than the one that saw it last counts only if it could have seen it.
        """
        # What is hidden says nothing, and an object hides its own far side.
        known = int((verdict.confirmed | verdict.seen_through).sum())
        says_nothing = known < max(MIN_POINTS_IN_VIEW, MIN_SHARE_IN_VIEW * len(verdict.in_view))
        if memory.camera in ('', frame.camera_name) or not says_nothing:
            memory.missed += 1
            memory.missed_in_a_row += 1
        if says_nothing:
            return
        self._look(memory, frame.stamp_ns, is_seen=False)
        # Points at the rim of a mask land beside it; where most land on no mask, the object was
        # merely not segmented.
        through = int(verdict.seen_through.sum())
        sunk = int(self._judge(memory, frame, SUNK_M, SUNK_SIGMAS).seen_through.sum())
        explained = through + int(votes.sum())
        against = through + int(sum(votes[index] for index in matched))
        memory.is_seen_through = (
            through >= self._config.absent_share * known or sunk >= SUNK_SHARE * known
        )
        is_taken_over = explained >= 0.5 * known
        is_taken_over &= against >= self._config.absent_share * explained
        # A part that is segmented on its own every other frame gathers doubts all the same.
        if memory.is_seen_through or is_taken_over:
            memory.doubts += 1
        else:
            memory.doubts = max(0, memory.doubts - 1)

    def _is_absent(self, memory: Memory) -> bool:
        is_disproved = memory.doubts >= self._config.absent_frames
        return is_disproved and memory.is_confirmed and memory.is_seen_through

    def _is_swallowed(self, memory: Memory) -> bool:
        """Whether a track that ends was seen often enough, and free space does not disprove it."""
        return memory.hits >= self._config.confirm_hits and not memory.is_seen_through

    def _lives(self, memory: Memory) -> bool:
        if memory.doubts >= self._config.absent_frames:
            return False
        if memory.is_confirmed:
            return True
        looks, missed = len(memory.looks), sum(not seen for _, seen in memory.looks)
        if looks >= LEAST_LOOKS and missed >= self._config.hot_start_missed * looks:
            return False
        return memory.missed_in_a_row < self._config.tentative_misses

    @staticmethod
    def _track(memory: Memory, instance: int) -> Track:
        is_told = memory.is_confirmed and memory.score >= 0
        return Track(
            id=memory.id,
            state=TrackState.CONFIRMED if is_told else TrackState.TENTATIVE,
            hits=memory.hits,
            first_seen_ns=memory.first_seen_ns,
            last_seen_ns=memory.last_seen_ns,
            missed=memory.missed,
            instance=instance,
        )
