# SPDX-License-Identifier: Apache-2.0
"""How objects stand to each other: on, in, leaning on, next to; and what grippers hold.

Surfaces are compared as height maps over a grid, so that a cup in a ring of cups stands on none of
them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from itertools import combinations
from operator import attrgetter

import numpy as np
import numpy.typing as npt
from scipy.spatial import ConvexHull, QhullError, cKDTree

from sam3d_ros.core.types import FloatArray, Scene, SceneObject
from sam3d_ros.geometry.transforms import apply, upright_axes

CellArray = npt.NDArray[np.int64]


class RelationKind(IntEnum):
    """How one object stands to another."""

    ON = 0
    IN = 1
    LEANING = 2
    NEXT_TO = 3
    HELD = 4


@dataclass(frozen=True, slots=True)
class Relation:
    """Object ``subject`` (an id) is on, in, leaning on or next to object ``other``.

    Or it is held by the gripper of TF frame ``other``.
    """

    kind: RelationKind
    subject: int
    other: int | str


CELL_M = 0.01
TOUCH_M = 0.008
"""Surfaces this near to each other touch: completed ones and their poses are millimetres off."""
LEAST_CELLS = 2
FOOT_M = 0.01
"""A foot is what is within this of an object's lowest point."""
INSIDE_SHARE = 0.6
SIDES, SURROUNDED = 16, 0.8
"""Level directions from the middle of a thing, and the share of them in which what it is in is."""
NEXT_M = 0.05
MOST_POINTS = 4000
FEW_POINTS = 500
"""So many of an object's points ask how near another is, and whether they are inside it."""
CLOSEST_FIRST = (RelationKind.IN, RelationKind.ON, RelationKind.LEANING)
"""What holds one way; either way, the first of these is told."""
SAME_M, SAME_RAD = 0.002, 0.02
"""Poses that changed by less since relations were found leave them as they are."""


@dataclass(frozen=True, eq=False)
class _Body:
    """An object's surface points, z up, its lowest and highest corner, and what all pairs ask."""

    id: int
    points: FloatArray
    low: FloatArray
    high: FloatArray

    @cached_property
    def few(self) -> FloatArray:
        """(N, 3) some of the points, evenly."""
        return self.points[:: -(-len(self.points) // FEW_POINTS)]

    @cached_property
    def tree(self) -> cKDTree:
        """For the nearest points."""
        return cKDTree(self.points)

    @cached_property
    def planes(self) -> FloatArray:
        """(F, 4) planes of the hull, outward."""
        equations: FloatArray = ConvexHull(self.few).equations
        return equations

    @cached_property
    def under(self) -> tuple[CellArray, FloatArray]:
        """Occupied cells of a horizontal grid, rising numbers, and the lowest point of each."""
        return _last_heights(self.points[np.argsort(-self.points[:, 2])])

    @cached_property
    def over(self) -> tuple[CellArray, FloatArray]:
        """The same cells and the highest point of each."""
        return _last_heights(self.points[np.argsort(self.points[:, 2])])

    @cached_property
    def stands_alone(self) -> bool:
        """Whether the middle is above the foot."""
        foot = self.points[self.points[:, 2] < self.low[2] + FOOT_M, :2]
        middle = self.points[:, :2].mean(axis=0)
        try:
            planes = ConvexHull(foot).equations
        except (QhullError, ValueError):
            return False
        return bool((planes[:, :2] @ middle + planes[:, 2] < 0).all())


def relations(scene: Scene) -> tuple[Relation, ...]:
    """Return what is known of the relations between a scene's objects with a mesh, by id.

    Of two objects the closest relation is told alone: in, else on, else leaning, else next to,
    which holds both ways and is told once, the lower id first. None of these are told when the
    scene does not know where up is. What a gripper holds is told beside them, after them.
    """
    return KnownRelations().of(scene)


class KnownRelations:
    """The relations of a scene that changes; of objects that stay, they are found out once."""

    def __init__(self) -> None:
        self._up: FloatArray | None = None
        self._bodies: dict[int, tuple[SceneObject, _Body]] = {}
        self._found: dict[tuple[int, int], Relation | None] = {}

    def of(self, scene: Scene) -> tuple[Relation, ...]:
        """Return what :func:`relations` says of a scene, or said of one that looked the same."""
        held = tuple(
            Relation(RelationKind.HELD, item.id, item.held)
            for item in sorted(scene.objects, key=attrgetter('id'))
            if item.held
        )
        if scene.up is None:
            return held
        up = scene.up / np.linalg.norm(scene.up)
        if self._up is None or np.linalg.norm(up - self._up) > SAME_RAD:
            self._up, self._bodies = up, {}
        before, self._bodies = self._bodies, {}
        same: set[int] = set()
        for item in sorted(scene.objects, key=attrgetter('id')):
            if not len(item.mesh.faces):
                continue
            known = before.get(item.id)
            if known is not None and not _has_changed(known[0], item):
                self._bodies[item.id] = known
                same.add(item.id)
            else:
                self._bodies[item.id] = item, _body(item, self._up)
        found = {pair: kind for pair, kind in self._found.items() if same.issuperset(pair)}
        for (_, a), (_, b) in combinations(self._bodies.values(), 2):
            if (a.id, b.id) not in found:
                found[a.id, b.id] = _relation(a, b)
        self._found = found
        told = [relation for relation in found.values() if relation is not None]
        return (*sorted(told, key=attrgetter('subject', 'other')), *held)


def _relation(a: _Body, b: _Body) -> Relation | None:
    """Return how two objects stand to each other, None = not at all; a has the lower id."""
    apart = np.maximum(np.maximum(a.low - b.high, b.low - a.high), 0.0)
    if float(np.linalg.norm(apart)) > NEXT_M:
        return None
    one, other = _closest(a, b), _closest(b, a)
    for kind in CLOSEST_FIRST:
        if kind == one:
            return Relation(kind, a.id, b.id)
        if kind == other:
            return Relation(kind, b.id, a.id)
    is_mutual = one == other == RelationKind.NEXT_TO
    return Relation(RelationKind.NEXT_TO, a.id, b.id) if is_mutual else None


def _has_changed(before: SceneObject, now: SceneObject) -> bool:
    moved = np.abs(now.T_fixed_obj - before.T_fixed_obj)
    return now.mesh is not before.mesh or bool(
        (moved[:3, 3] > SAME_M).any() or (moved[:3, :3] > SAME_RAD).any()
    )


def _body(item: SceneObject, up: FloatArray) -> _Body:
    vertices = item.mesh.vertices_m[:: -(-len(item.mesh.vertices_m) // MOST_POINTS)]
    points = apply(item.T_fixed_obj, vertices.astype(np.float64)) @ upright_axes(up).T
    return _Body(item.id, points, points.min(axis=0), points.max(axis=0))


def _closest(a: _Body, b: _Body) -> RelationKind | None:
    """Return how the first object stands to the second, None = not at all."""
    if _is_in(a, b):
        return RelationKind.IN
    middle_z = a.points[:, 2].mean()
    contact_z = _contact_heights(a, b)
    if len(contact_z) >= LEAST_CELLS and np.median(contact_z) < 0.5 * (a.low[2] + middle_z):
        return RelationKind.ON
    distance, _ = b.tree.query(a.few, distance_upper_bound=NEXT_M)
    nearest = float(distance.min())
    if nearest <= TOUCH_M and not a.stands_alone:
        # What leans has its foot on what both stand on.
        is_lifted = a.low[2] > b.low[2] + TOUCH_M
        return RelationKind.ON if is_lifted else RelationKind.LEANING
    beside = min(a.high[2], b.high[2]) - max(a.low[2], b.low[2])
    return RelationKind.NEXT_TO if nearest <= NEXT_M and beside > 0 else None


def _is_in(a: _Body, b: _Body) -> bool:
    """Whether one is within the hull of another, which is on most of its sides."""
    inside = ((a.few > b.low) & (a.few < b.high)).all(axis=1)
    if inside.mean() < INSIDE_SHARE:
        return False
    within = (a.few[inside] @ b.planes[:, :3].T + b.planes[:, 3] < 0).all(axis=1)
    if within.sum() < INSIDE_SHARE * len(a.few):
        return False
    middle = 0.5 * (a.low + a.high)
    around = b.points[(b.points[:, 2] > a.low[2]) & (b.points[:, 2] < middle[2])] - middle
    side = np.floor(np.arctan2(around[:, 1], around[:, 0]) / (2.0 * np.pi) * SIDES)
    return len(np.unique(side)) >= SURROUNDED * SIDES


def _contact_heights(a: _Body, b: _Body) -> FloatArray:
    """Return the height of each cell in which the underside of a lies on the upper side of b."""
    (a_cells, a_heights), (b_cells, b_heights) = a.under, b.over
    _, of_a, of_b = np.intersect1d(a_cells, b_cells, assume_unique=True, return_indices=True)
    under, over = a_heights[of_a], b_heights[of_b]
    touching: FloatArray = under[np.abs(under - over) <= TOUCH_M]
    return touching


def _last_heights(points: FloatArray) -> tuple[CellArray, FloatArray]:
    """Return the occupied cells of a horizontal grid and the height of the last point in each."""
    x, y = np.floor(points[::-1, :2] / CELL_M).astype(np.int64).T
    cells, last = np.unique((x << 32) + y, return_index=True)
    return cells, points[::-1][last, 2]
