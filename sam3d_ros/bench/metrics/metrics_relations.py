# SPDX-License-Identifier: Apache-2.0
"""Are relations true? What is on, leaning on and next to what, from true surfaces and by physics.

The truth shares nothing with :mod:`sam3d_ros.geometry.relations` but the words. One thing is held
up by another that it touches if it falls or slips farther, let go, once the other is taken away.
It is on it if it does not reach down to the support, else it leans on it. What touches another and
is surrounded by it is in it. What neither holds up and is near is next to it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import combinations

import numpy as np

from sam3d_ros.bench.metrics.scoring import PosedMesh, Reference, matched
from sam3d_ros.bench.metrics.settling import STAYS_M, let_go
from sam3d_ros.core.types import FloatArray, Scene
from sam3d_ros.geometry.relations import NEXT_M, Relation, RelationKind, relations
from sam3d_ros.geometry.transforms import apply

TOUCH_M = 0.004
"""True surfaces this near to each other touch: simulated ones rest a little apart."""
FALL_S = 0.12
"""What loses its hold falls 7 cm in that time; stacks that slide have hardly begun to."""
SIDES, SURROUNDED = 16, 0.8
"""Level directions from the middle of a thing, and the share of them in which what it is in is."""
Related = Mapping[tuple[int, int], RelationKind]
"""By subject and other what relates them; next to stands once, the lower first."""


def true_relations(truth: Sequence[Reference], support_z_m: float) -> Related:
    """Return what is true of all pairs of things, by their place in the sequence.

    :param truth: where the things really are, z up.
    :param support_z_m: height of what they stand on.
    """
    meshes = [item.mesh for item in truth]
    boxes = [mesh.bounds() for mesh in meshes]
    together = let_go(meshes, support_z_m, FALL_S).moved_m

    @cache
    def moved_without(other: int) -> FloatArray:
        left = [mesh for k, mesh in enumerate(meshes) if k != other]
        return np.insert(let_go(left, support_z_m, FALL_S).moved_m, other, 0.0)

    found: dict[tuple[int, int], RelationKind] = {}
    for a, b in combinations(range(len(truth)), 2):
        apart = np.maximum(boxes[a][0] - boxes[b][1], boxes[b][0] - boxes[a][1])
        if np.linalg.norm(np.maximum(apart, 0.0)) > NEXT_M:
            continue
        gap_m = min(
            float(truth[b].surface.distance(truth[a].points).min()),
            float(truth[a].surface.distance(truth[b].points).min()),
        )
        held_up = []
        for subject, other in ((a, b), (b, a)) if gap_m <= TOUCH_M else ():
            if _surrounds(truth[other], boxes[subject]):
                held_up.append(((subject, other), RelationKind.IN))
            elif moved_without(other)[subject] - together[subject] > STAYS_M:
                is_low = boxes[subject][0, 2] - support_z_m <= TOUCH_M
                kind = RelationKind.LEANING if is_low else RelationKind.ON
                held_up.append(((subject, other), kind))
        is_beside = (
            min(boxes[a][1, 2], boxes[b][1, 2]) - max(boxes[a][0, 2], boxes[b][0, 2]) > TOUCH_M
        )
        if held_up:
            found.update(held_up)
        elif gap_m <= NEXT_M and is_beside:
            found[a, b] = RelationKind.NEXT_TO
    return found


def _surrounds(other: Reference, box: FloatArray) -> bool:
    """Whether a thing is outside a box, (2, 3), on most of its sides, as high as its lower half.

    :param other: the thing, z up.
    """
    low, middle = box[0], box.mean(axis=0)
    is_outside = ((other.points < low) | (other.points > box[1]))[:, :2].any(axis=1)
    is_beside = (other.points[:, 2] > low[2]) & (other.points[:, 2] < middle[2])
    ring = other.points[is_outside & is_beside]
    turn = np.arctan2(ring[:, 1] - middle[1], ring[:, 0] - middle[0])
    sides = np.unique(np.floor((turn + np.pi) / (2 * np.pi) * SIDES))
    return len(sides) >= SURROUNDED * SIDES


class RelationScore:
    """Counts what was told against what is true, over some scenes."""

    def __init__(self) -> None:
        self._told: Counter[RelationKind] = Counter()
        self._true: Counter[RelationKind] = Counter()
        self._right: Counter[RelationKind] = Counter()

    def add(self, scene: Scene, truth: Sequence[Reference], true: Related) -> None:
        """Compare what a scene tells of the things that it has found.

        :param scene: as published, z up.
        :param truth: where the things really are.
        :param true: of :func:`true_relations`.
        """
        items = [item for item in scene.objects if len(item.mesh.faces)]
        meshes = [
            PosedMesh(apply(i.T_fixed_obj, i.mesh.vertices_m.astype(float)), i.mesh.faces)
            for i in items
        ]
        known_as = {items[row].id: column for row, column in matched(meshes, truth)}
        self.count(relations(scene), known_as, true)

    def count(self, told: Sequence[Relation], known_as: Mapping[int, int], true: Related) -> None:
        """Count relations that were told against true ones.

        :param told: between ids.
        :param known_as: which true thing each id is; what is none of them does not count.
        :param true: between true things; those that were not found do not count.
        """
        said: dict[tuple[int, int], RelationKind] = {}
        for item in told:
            if item.subject in known_as and item.other in known_as:
                pair = known_as[item.subject], known_as[int(item.other)]
                is_mutual = item.kind == RelationKind.NEXT_TO
                said[(min(pair), max(pair)) if is_mutual else pair] = item.kind
        found = set(known_as.values())
        known = {pair: kind for pair, kind in true.items() if found.issuperset(pair)}
        self._told.update(said.values())
        self._true.update(known.values())
        self._right.update(kind for pair, kind in said.items() if known.get(pair) == kind)

    def figures(self) -> dict[str, float]:
        """Return precision and recall of each relation; NaN where there was none."""

        def share(part: int, whole: int) -> float:
            return part / whole if whole else float('nan')

        values = {}
        for kind in (
            RelationKind.ON,
            RelationKind.IN,
            RelationKind.LEANING,
            RelationKind.NEXT_TO,
        ):
            name = kind.name.lower()
            values[f'{name}_precision'] = share(self._right[kind], self._told[kind])
            values[f'{name}_recall'] = share(self._right[kind], self._true[kind])
        return values
