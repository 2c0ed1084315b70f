# SPDX-License-Identifier: Apache-2.0
"""The demo's verdict: every true object beside the one that was found for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rich.table import Table
from scipy.optimize import linear_sum_assignment

from sam3d_ros.cli.console import position_text, size_text, state_text
from sam3d_ros.core.types import FloatArray, ObjectState, Scene, SceneObject
from sam3d_ros.geometry.transforms import apply
from sam3d_ros.world.truth import Truth

MOST_ERROR_M = 0.02
"""Largest distance between the centres of the true and the published box, fixed frame."""
MATCH_M = 0.1
"""Farther apart, two objects are not the same."""


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """A true object, and what was found for it.

    :param error_m: distance between the centres of both boxes along the fixed frame's axes;
        NaN when it is missing.
    """

    name: str
    found: SceneObject | None
    error_m: float

    @property
    def good(self) -> bool:
        """Whether it was found, near enough."""
        return self.error_m <= MOST_ERROR_M


@dataclass(frozen=True, slots=True, eq=False)
class Verdict:
    """The rows of all true objects, and the objects that belong to none."""

    rows: tuple[Row, ...]
    extra: tuple[SceneObject, ...]

    @property
    def good(self) -> bool:
        """Whether every object was found, near enough."""
        return all(row.good for row in self.rows)


def compare(scene: Scene, truth: Truth) -> Verdict:
    """Return how a scene compares with the last frame of the truth.

    Confirmed objects are matched one to one so that the sum of the distances is least.
    """
    last = truth.frames[-1]
    present = np.flatnonzero(last.present)
    solids = [truth.objects[index] for index in present]
    wanted = [
        _box_center(last.T_fixed_obj[index], solid.vertices_m)
        for index, solid in zip(present, solids, strict=True)
    ]
    found = [item for item in scene.objects if item.state != ObjectState.TENTATIVE]
    got = [_box_center(item.T_fixed_obj, item.mesh.vertices_m) for item in found]
    partner = _matched(wanted, got)
    rows = tuple(
        Row(
            solid.name,
            found[partner[row]] if row in partner else None,
            float(np.linalg.norm(wanted[row] - got[partner[row]])) if row in partner else np.nan,
        )
        for row, solid in enumerate(solids)
    )
    extra = tuple(item for at, item in enumerate(found) if at not in partner.values())
    return Verdict(rows, extra)


def table(verdict: Verdict) -> Table:
    """Return the table, one line an object."""
    made = Table(title='true objects, and what was found for them')
    for name in ('object', 'id', 'state', 'size, cm', 'position, m', 'error'):
        made.add_column(name, justify='right' if name in ('id', 'error') else 'left')
    for row in verdict.rows:
        if row.found is None:
            made.add_row(row.name, '', '[red]missing[/]')
        else:
            mark = '' if row.good else f' [red]more than {1e3 * MOST_ERROR_M:.0f} mm[/]'
            made.add_row(row.name, *_described(row.found), f'{1e3 * row.error_m:.1f} mm{mark}')
    for item in verdict.extra:
        made.add_row('(extra)', *_described(item))
    return made


def _described(item: SceneObject) -> tuple[str, str, str, str]:
    return str(item.id), state_text(item), size_text(item), position_text(item)


def _box_center(T_fixed_obj: FloatArray, vertices_m: FloatArray | np.ndarray) -> FloatArray:  # type: ignore[type-arg]
    """Return the centre of a mesh's box along the fixed frame's axes, metres."""
    vertices = apply(T_fixed_obj, np.asarray(vertices_m, np.float64))
    center: FloatArray = (vertices.min(axis=0) + vertices.max(axis=0)) / 2
    return center


def _matched(wanted: Sequence[FloatArray], got: Sequence[FloatArray]) -> dict[int, int]:
    if not wanted or not got:
        return {}
    distance = np.linalg.norm(np.array(wanted)[:, None] - np.array(got), axis=2)
    rows, columns = linear_sum_assignment(np.minimum(distance, 10 * MATCH_M))
    return {
        int(row): int(column)
        for row, column in zip(rows, columns, strict=True)
        if distance[row, column] <= MATCH_M
    }
