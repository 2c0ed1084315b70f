# SPDX-License-Identifier: Apache-2.0
"""Where a saved scene is now, by the objects that it has in common with what is seen.

Objects that may be the same, by size and colours, are put together to sets in which all distances
agree (pairwise consistency as in Mangelson et al., "Pairwise Consistent Measurement Set
Maximization", 2018); the rigid motion of the best set is the answer, unless another motion is
nearly as good.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.spatial.transform import Rotation

from sam3d_ros.core.errors import InputError
from sam3d_ros.core.types import BoolArray, FloatArray, Frame, Scene, SceneObject
from sam3d_ros.geometry.transforms import (
    adjoint_rotation,
    apply,
    inverse,
    rotation_angle,
    transform,
)
from sam3d_ros.geometry.visibility import judge_frame
from sam3d_ros.tracking.likeness import colors_alike

LEAST_OBJECTS = 3
LEAST_ALIKE = 0.55
"""Least likeness of colours (0..1) of a saved object and one that is seen from elsewhere."""
MOST_RATIO = 1.6
"""Nor do sizes, of which one may be half a guess, differ by more."""
REACH_M = 0.03
"""Middles of objects are off by no more: half of each surface is a guess."""
LEAST_SPREAD_M = 0.03
"""Objects on a line, with the others no farther beside it than this, do not tell a turn about it;
gravity does, where both scenes know it."""
TILT_RAD = np.radians(15.0)
CLEARLY = 0.8
"""Another motion whose objects are so nearly as many and as alike leaves the scene ambiguous."""
SAME_M, SAME_RAD = 0.05, np.radians(5.0)
"""Motions that differ by less are one."""
SAMPLES = 400
"""Vertices that are enough to tell whether an object is there."""
LEAST_SHARE, GONE_SHARE = 0.2, 0.5
"""Share of them that must be told of to judge, and that must be seen through for it to be gone."""
MOST_SEEDS = 400
"""Sets are begun with so many pairs of pairs, those that look most alike first."""


@dataclass(frozen=True, slots=True, eq=False)
class Recognition:
    """Where a saved scene is.

    :param T_now_saved: (4, 4) from the saved scene's fixed frame to that of now.
    :param pairs: ids of the objects by which it was recognised: those of now by the saved ones.
    :param score: their likeness, in sum.
    """

    T_now_saved: FloatArray
    pairs: Mapping[int, int]
    score: float

    @property
    def is_at_home(self) -> bool:
        """Whether everything is where it was saved."""
        return _is_same(self.T_now_saved, np.eye(4))

    @property
    def sentence(self) -> str:
        """How it was recognised, in words."""
        how = f'recognised by {len(self.pairs)} objects'
        if self.is_at_home:
            return f'{how}, where it was saved'
        shift_m = float(np.linalg.norm(self.T_now_saved[:3, 3]))
        turn_deg = np.degrees(rotation_angle(self.T_now_saved))
        return f'{how}, moved by {shift_m:.2f} m and {turn_deg:.0f} deg'


def recognise(saved: Scene, now: Scene) -> Recognition:
    """Return where a saved scene is in the fixed frame of now.

    :param saved: a scene of any fixed frame.
    :param now: what is seen now.
    :raises InputError: when fewer than three objects agree, they tell too little, or the scene
        would fit in several ways.
    """
    alike = np.array([[_alike(one, other) for other in now.objects] for one in saved.objects])
    rows, columns = np.nonzero(alike.reshape(len(saved.objects), len(now.objects)))
    likeness = alike[rows, columns] if len(rows) else np.zeros(0)
    before, after = _middles(saved)[rows], _middles(now)[columns]
    distances = [np.linalg.norm(p[:, None] - p[None], axis=2) for p in (before, after)]
    agree = np.abs(distances[0] - distances[1]) < REACH_M
    agree &= (rows[:, None] != rows[None]) & (columns[:, None] != columns[None])
    found: list[Recognition] = []
    starts = np.argwhere(np.triu(agree))
    order = np.argsort(-likeness[starts].sum(axis=1), kind='stable')[:MOST_SEEDS]
    for p, q in starts[order].tolist():
        members = _grown(agree, likeness, [p, q])
        if len(members) < LEAST_OBJECTS:
            continue
        T = _motion(before[members], after[members], saved.up, now.up)
        if T is None:
            continue
        found.append(_confirmed(T, saved, now, alike))
    found.sort(key=lambda item: -item.score)
    seen = f'{len(saved.objects)} saved objects and {len(now.objects)} that are seen'
    if not found or len(found[0].pairs) < LEAST_OBJECTS:
        most = len(found[0].pairs) if found else min(len(set(rows.tolist())), 2)
        raise InputError(
            f'{seen}, of which {most} may be the same in the same arrangement',
            wanted=f'{LEAST_OBJECTS} or more, not all in one line',
            remedy='Look at more of the place, then load the scene again.',
        )
    best = found[0]
    others = [item for item in found if not _is_same(item.T_now_saved, best.T_now_saved)]
    if others and others[0].score >= CLEARLY * best.score:
        raise InputError(
            f'{seen}, which fit in more than one way',
            wanted='one arrangement that fits best',
            remedy='Look at more of the place, then load the scene again.',
        )
    return best


def settled(
    saved: Scene, now: Scene, latest: Frame | None, fixed_frame: str
) -> tuple[Scene, Recognition | None]:
    """Return a saved scene in the fixed frame of now, and how it was recognised.

    Where too little is seen to recognise it, it is taken at its word, None, unless it is of
    another fixed frame or what is seen says otherwise.

    :param saved: the scene.
    :param now: what is known now.
    :param latest: the last frame; None = there was none yet.
    :param fixed_frame: of now; empty = not known yet.
    :raises InputError: when it cannot be told where it is; why, as :func:`recognise`.
    """
    is_named_alike = fixed_frame in ('', saved.fixed_frame)
    try:
        found = recognise(saved, now)
    except InputError as error:
        if not is_named_alike:
            seen = f'a scene in frame "{saved.fixed_frame}" that is not recognised: {error.seen}'
            raise InputError(
                seen, wanted=f'"{fixed_frame}", or {error.wanted}', remedy=error.remedy
            ) from error
        if latest is not None and _is_disproved(saved, latest):
            raise InputError(
                f'a scene that is not where it was saved, and not recognised: {error.seen}',
                wanted=error.wanted,
                remedy=error.remedy,
            ) from error
        return saved, None
    if found.is_at_home and is_named_alike:
        return saved, found
    T, R = found.T_now_saved, found.T_now_saved[:3, :3]
    objects = tuple(
        replace(
            item,
            T_fixed_obj=T @ item.T_fixed_obj,
            covariance=adjoint_rotation(item.covariance, R),
        )
        for item in saved.objects
    )
    return replace(saved, objects=objects, up=now.up, fixed_frame=fixed_frame), found


def _is_disproved(saved: Scene, frame: Frame) -> bool:
    """Return whether a frame sees free space where most of the objects that it should see were."""
    votes = []
    for item in saved.objects:
        step = max(1, len(item.mesh.vertices_m) // SAMPLES)
        vertices = item.mesh.vertices_m[::step].astype(np.float64)
        points_cam = apply(inverse(frame.T_fixed_cam) @ item.T_fixed_obj, vertices)
        verdict = judge_frame(points_cam, frame, REACH_M)
        known = int((verdict.confirmed | verdict.seen_through).sum())
        if known >= LEAST_SHARE * len(vertices):
            votes.append(int(verdict.seen_through.sum()) > GONE_SHARE * known)
    return 2 * sum(votes) > len(votes)


def _alike(one: SceneObject, other: SceneObject) -> float:
    """Return how alike two objects are, 0..1; 0 = they are not the same."""
    sizes = [np.sort(item.size_m) for item in (one, other)]
    longest = [float(size[2]) for size in sizes]
    if max(longest) > MOST_RATIO * min(longest) or not min(longest):
        return 0.0
    same = colors_alike(one.mesh.colors, other.mesh.colors)
    return same if same >= LEAST_ALIKE else 0.0


def _middles(scene: Scene) -> FloatArray:
    """Return the (N, 3) middles of a scene's objects, fixed frame."""
    middles = [apply(item.T_fixed_obj, item.box_center_m) for item in scene.objects]
    return np.array(middles).reshape(-1, 3)


def _grown(agree: BoolArray, likeness: FloatArray, members: list[int]) -> list[int]:
    """Return a set of pairs that all agree, grown by the one that agrees with most others."""
    common = agree[members[0]] & agree[members[1]]
    while common.any():
        candidates = np.flatnonzero(common)
        votes = agree[np.ix_(candidates, candidates)] @ likeness[candidates]
        best = int(candidates[np.argmax(votes + likeness[candidates])])
        members = [*members, best]
        common &= agree[best]
    return members


def _motion(
    before: FloatArray,
    after: FloatArray,
    up_before: FloatArray | None,
    up_after: FloatArray | None,
) -> FloatArray | None:
    """Return the (4, 4) rigid motion between points, None where they do not tell one.

    :param before: (N, 3), N >= 3.
    :param after: (N, 3) where they are.
    :param up_before: (3,) against gravity there; None = not known.
    :param up_after: (3,) against gravity after.
    """
    arms = [points - points.mean(axis=0) for points in (before, after)]
    spread = np.linalg.svd(arms[0], compute_uv=False) / np.sqrt(len(before))
    weights = np.ones(len(before))
    if up_before is not None and up_after is not None:
        arms = [np.vstack([arms[0], up_before]), np.vstack([arms[1], up_after])]
        weights = np.append(weights, 1.0)
    elif spread[1] < LEAST_SPREAD_M:
        return None
    turn = Rotation.align_vectors(arms[1], arms[0], weights=weights)[0].as_matrix()
    if up_before is not None and up_after is not None:
        tilt_rad = np.arccos(np.clip(up_after @ turn @ up_before, -1.0, 1.0))
        if tilt_rad > TILT_RAD:
            return None
    return transform(turn, after.mean(axis=0) - turn @ before.mean(axis=0))


def _confirmed(T: FloatArray, saved: Scene, now: Scene, alike: FloatArray) -> Recognition:
    """Return a motion with all objects, one to one, that it brings together."""
    apart = np.linalg.norm(apply(T, _middles(saved))[:, None] - _middles(now)[None], axis=2)
    worth = np.where(apart < REACH_M, alike, 0.0)
    rows, columns = linear_sum_assignment(-worth)
    pairs = {
        saved.objects[i].id: now.objects[j].id
        for i, j in zip(rows.tolist(), columns.tolist(), strict=True)
        if worth[i, j] > 0
    }
    return Recognition(T, pairs, float(worth[rows, columns].sum()))


def _is_same(one: FloatArray, other: FloatArray) -> bool:
    difference = one @ inverse(other)
    turn_rad = rotation_angle(difference)
    return turn_rad < SAME_RAD and float(np.linalg.norm(one[:3, 3] - other[:3, 3])) < SAME_M
