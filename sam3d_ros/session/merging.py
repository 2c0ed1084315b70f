# SPDX-License-Identifier: Apache-2.0
"""Are two tracks one thing? What their union completes to, and what the parts do, tells.

A completion puts solid matter where it expects the rest of an object. Of a part it expects some
where rays have proved that nothing is, or a neighbour's surface; of the whole it does not: the
shape that needs no contradiction wins. Its say is weighed against how alike the colours are, how
much of the surfaces touch and how far they reach into each other by logistic regression, trained
on made-up worlds of scanned things (the split ``train``, look-alikes among them); what views
complete to adds up as the mean of its log-odds.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
from scipy.spatial import cKDTree

from sam3d_ros.core.interfaces import Tracker
from sam3d_ros.core.types import Frame, Instance, Tracks, TrackState
from sam3d_ros.geometry.transforms import apply
from sam3d_ros.masks3d.mending import joined
from sam3d_ros.reconstruction.completion.completer import Completed, Job
from sam3d_ros.reconstruction.reconstructor import ObjectReconstructor
from sam3d_ros.reconstruction.shape import Shape
from sam3d_ros.reconstruction.views import View, crop_view
from sam3d_ros.scene.memory import ObjectMemory
from sam3d_ros.scene.separation import separation
from sam3d_ros.session.holding import Holding
from sam3d_ros.tracking.likeness import palette, palettes_alike
from sam3d_ros.tracking.memory import Sighting

LEARNED = 'volume'
"""The backend whose completions were looked at in training."""
PER_ALIKE, PER_TOUCH, PER_M, PER_DENIED, BIAS = 4.6, 4.3, 200.0, -59.0, -6.4
"""Log-odds that two tracks are one: of the likeness of their colours, of the share of the surface
of one that touches the other, of how far what was seen of both reaches over the plane that parts
them best, of the share of the union's matter that is denied less the mean of the parts', and of
nothing."""
MOST_M = 0.012
"""Surfaces that reach farther into each other say no more."""
WORTH_ASKING = -3.5
"""Log-odds by colours and places alone below which nobody is asked to complete anything."""
TOUCH_M, NEAR_M = 0.009, 0.012
"""Points of two surfaces that touch; tracks that are farther apart are two."""
TWO, MELTED = -3.0, 0.5
"""Log-odds below which they are surely two, and the share of one's surface on the other from which
the other has it wrongly then."""
LEAST_VIEWS, SURE = 2, 3.0
"""Views that decide, and log-odds by colours and places from which one is enough."""
EVERY_NS, ASK_AGAIN_NS = 200_000_000, 500_000_000
"""Pairs are looked for so often; one is asked about again after this time, then after twice it."""


@dataclass(frozen=True, slots=True)
class Split:
    """Two tracks that are two things, though one of them knows the other's surface as its own.

    :param kept: id of the one that is less from now on, with a shape made anew.
    :param other: that of the other, whose surface it is.
    :param reason: why, in words.
    """

    kept: int
    other: int
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class Union:
    """Two tracks that are one thing.

    :param kept: id of the older one, which stays.
    :param gone: that of the other.
    :param view: what a frame showed of both.
    :param shape: what that completes to, in the fixed frame.
    :param reason: why, in words.
    """

    kept: int
    gone: int
    view: View
    shape: Shape
    reason: str


@dataclass(frozen=True, slots=True)
class _Shared:
    """What two surfaces have in common.

    :param touch: share of the smaller one that lies on the larger.
    :param is_first_larger: whether that is the first one.
    :param into_m: how far they reach over the plane that parts them best; negative = the gap.
    """

    touch: float
    is_first_larger: bool
    into_m: float


class _Surface:
    """A surface that several others are compared with, and what is made of it once for all.

    :param seen: the surface.
    """

    def __init__(self, seen: Sighting) -> None:
        self.points_fixed, self.tree = seen.points_fixed, cKDTree(seen.points_fixed)
        self.palette = palette(seen.colors)


@dataclass(slots=True, eq=False)
class _Question:
    """What was asked of the completion about two tracks, and what is to be added to its answer."""

    pair: tuple[int, int]
    shared: _Shared
    view: View
    log_odds: float
    futures: list[Future[Completed]]


@dataclass(slots=True, eq=False)
class _Opinion:
    """Log-odds by what every view of a pair completes to, and when it may be asked about again."""

    log_odds: list[float] = field(default_factory=list)
    next_ns: int = 0


class Merging:
    """Asks about pairs of tracks, one at a time, beside the poses.

    :param reconstructor: knows surfaces and shapes, and has them completed.
    """

    def __init__(self, reconstructor: ObjectReconstructor) -> None:
        self._reconstructor = reconstructor
        self._opinions: dict[tuple[int, int], _Opinion] = {}
        self._question: _Question | None = None
        self._apart: set[int] = set()
        self._next_ns = 0

    def clear(self) -> None:
        """Forget all, as when time begins anew."""
        self._opinions.clear()
        self._apart.clear()
        self._question = None
        self._next_ns = 0

    def update(self, frame: Frame, tracks: Tracks) -> Union | Split | None:
        """Return two tracks that have turned out to be one, or two after all; None = neither.

        :param frame: the latest frame, which was segmented.
        :param tracks: after it.
        """
        seen = {
            track.id: track.instance
            for track in tracks.items
            if track.instance >= 0 and track.state is TrackState.CONFIRMED
        }
        items = tracks.instances.items
        apart = {track_id for track_id, index in seen.items() if items[index].apart}
        for track_id in sorted(apart - self._apart):
            self._apart.add(track_id)
            if (
                split := self._taken_from(track_id, frame, items[seen[track_id]], seen)
            ) is not None:
                return split
        seen = {track_id: index for track_id, index in seen.items() if track_id not in apart}
        if self._question is None and frame.stamp_ns >= self._next_ns:
            self._next_ns = frame.stamp_ns + EVERY_NS
            alive = {track.id for track in tracks.items}
            self._opinions = {k: v for k, v in self._opinions.items() if alive.issuperset(k)}
            self._ask(frame, tracks, seen)
        question = self._question
        if question is None or not all(future.done() for future in question.futures):
            return None
        self._question = None
        return self._answered(question) if seen.keys() >= set(question.pair) else None

    def _taken_from(
        self, track_id: int, frame: Frame, own: Instance, seen: Iterable[int]
    ) -> Split | None:
        """Return what knows the surface of a track that is an object by itself as its own."""
        pixels = own.mask & np.isfinite(frame.depth_m)
        points = apply(frame.T_fixed_cam, frame.pointmap[pixels].astype(np.float64))
        for other_id in sorted(set(seen) - {track_id}):
            surface = self._reconstructor.surface(other_id)
            if surface is None or not len(points):
                continue
            distance, _ = cKDTree(surface[0]).query(points, distance_upper_bound=NEAR_M)
            if np.isfinite(distance).mean() >= MELTED:
                return Split(other_id, track_id, f'{track_id} is an object by itself, it was said')
        return None

    def _ask(self, frame: Frame, tracks: Tracks, seen: dict[int, int]) -> None:
        """Ask about the pair that is likeliest to be one, of those whose turn it is."""
        known = {
            track_id: surface
            for track_id in sorted(seen)
            if (surface := self._reconstructor.surface(track_id, LEARNED)) is not None
        }
        bounds = {
            track_id: (points.min(axis=0) - NEAR_M, points.max(axis=0))
            for track_id, (points, _) in known.items()
        }
        surfaces: dict[int, _Surface] = {}
        due: list[tuple[float, tuple[int, int], _Shared]] = []
        for pair in combinations(known, 2):
            (low, high), (other_low, other_high) = (bounds[track_id] for track_id in pair)
            opinion = self._opinions.get(pair)
            if (low > other_high).any() or (other_low > high).any():
                continue
            if opinion is None or frame.stamp_ns >= opinion.next_ns:
                for track_id in set(pair) - surfaces.keys():
                    surfaces[track_id] = _Surface(Sighting.thinned(*known[track_id]))
                one, other = (surfaces[track_id] for track_id in pair)
                if (shared := _shared(one, other)) is not None:
                    due.append((_log_odds(one, other, shared), pair, shared))
        log_odds, pair, shared = max(
            due, key=lambda item: item[0], default=(-np.inf, (0, 0), None)
        )
        if log_odds < WORTH_ASKING or shared is None:
            return
        indices = [seen[track_id] for track_id in pair]
        both = joined(tracks.instances, [sorted(indices)])
        views = [
            crop_view(frame, both, min(indices)),
            *(crop_view(frame, tracks.instances, index) for index in indices),
        ]
        opinion = self._opinions.setdefault(pair, _Opinion())
        wait_ns = ASK_AGAIN_NS << min(len(opinion.log_odds), 20)
        opinion.next_ns = frame.stamp_ns + wait_ns
        futures = [self._reconstructor.complete(Job(pair[0], (view,), LEARNED)) for view in views]
        self._question = _Question(pair, shared, views[0], log_odds, futures)

    def _answered(self, question: _Question) -> Union | Split | None:
        """Take in what came of a question; return what it tells for sure."""
        if any(future.cancelled() or future.exception() for future in question.futures):
            return None
        shapes = [future.result().shape for future in question.futures]
        if any(shape is None or shape.provenance.backend != LEARNED for shape in shapes):
            return None
        # Since it was asked, one may have turned out to be what hardly returns any range.
        if any(self._reconstructor.surface(it, LEARNED) is None for it in question.pair):
            return None
        whole, *parts = (shape for shape in shapes if shape is not None)
        denied = float(np.mean([part.denied for part in parts]))
        opinion = self._opinions.setdefault(question.pair, _Opinion())
        opinion.log_odds.append(PER_DENIED * (whole.denied - denied))
        # Surfaces of now hold what all views have shown of them.
        mean = question.log_odds + float(np.mean(opinion.log_odds))
        is_enough = len(opinion.log_odds) >= LEAST_VIEWS or question.log_odds >= SURE
        if TWO <= mean <= 0 or not is_enough:
            return None
        one, other = question.pair
        why = (
            f'of what both complete to {whole.denied:.0%} is where nothing can be, of what the '
            f'parts do {denied:.0%}'
        )
        if mean > 0:
            return Union(one, other, question.view, whole, f'one with {other}: {why}')
        if question.shared.touch < MELTED:
            return None
        del self._opinions[question.pair]
        if not question.shared.is_first_larger:
            one, other = other, one
        return Split(one, other, f'not one with {other}: {why}')


def _shared(one: _Surface, other: _Surface) -> _Shared | None:
    """Return what two surfaces have in common, None when they are apart."""
    touch = []
    for surface, base in ((one, other), (other, one)):
        distance, _ = base.tree.query(surface.points_fixed, distance_upper_bound=NEAR_M)
        if not np.isfinite(distance).any():
            return None
        touch.append(float((distance < TOUCH_M).mean()))
    parted = separation(*[one.points_fixed, other.points_fixed] * 2)
    return _Shared(max(touch), touch[0] < touch[1], parted.seen_m)


def _log_odds(one: _Surface, other: _Surface, shared: _Shared) -> float:
    """Return the log-odds by colours and places that two surfaces are of one thing."""
    alike = palettes_alike(one.palette, other.palette)
    into_m = float(np.clip(shared.into_m, 0.0, MOST_M))
    return PER_ALIKE * alike + PER_TOUCH * shared.touch + PER_M * into_m + BIAS


def settle(
    verdict: Union | Split | None,
    tracker: Tracker,
    reconstructor: ObjectReconstructor,
    memory: ObjectMemory,
    holding: Holding,
) -> None:
    """Have the stages of a session follow a verdict.

    :param verdict: None = there is none.
    :param tracker: merges or splits the tracks.
    :param reconstructor: merges the shapes, or forgets the one that was of both.
    :param memory: forgets what is gone, and notes why.
    :param holding: has the one held by whoever held what is gone.
    """
    if isinstance(verdict, Union):
        tracker.merge(verdict.kept, verdict.gone)
        reconstructor.merge(verdict.kept, verdict.gone, verdict.view, verdict.shape)
        holding.merge(verdict.kept, verdict.gone)
        memory.forget(verdict.gone)
    elif isinstance(verdict, Split):
        tracker.split(verdict.kept, verdict.other)
        reconstructor.forget(verdict.kept)
    if verdict is not None:
        memory.note(verdict.kept, verdict.reason)
