# SPDX-License-Identifier: Apache-2.0
"""What holds up what is found out by taking things away; what is told is counted against that."""

import numpy as np
import pytest

pytest.importorskip('mujoco', reason='physics needs the extra: bench')

import trimesh

from sam3d_ros.bench.metrics.metrics_relations import RelationScore, true_relations
from sam3d_ros.bench.metrics.scoring import PosedMesh, Reference
from sam3d_ros.geometry.relations import Relation, RelationKind

ON, IN, LEANING, NEXT_TO = (
    RelationKind.ON, RelationKind.IN, RelationKind.LEANING, RelationKind.NEXT_TO,
)  # fmt: skip


def box(middle, size=(0.1, 0.1, 0.1), tilt_rad=0.0):
    mesh = trimesh.creation.box(size)
    mesh.apply_transform(trimesh.transformations.rotation_matrix(tilt_rad, (0, 1, 0)))
    return Reference(
        PosedMesh(np.asarray(mesh.vertices) + middle, np.asarray(mesh.faces, np.int32))
    )


def leaning_board():
    """A board whose upper edge lies against the side of a box at x = 0.1 .. 0.2."""
    board = box((0.0, 0.0, 0.0), (0.01, 0.06, 0.2), np.radians(25)).mesh.vertices_m
    corner = board[np.argmax(board[:, 0])]
    shift = np.array([0.1 - corner[0] - 0.0005, 0.0, -board[:, 2].min()])
    return Reference(PosedMesh(board + shift, box((0, 0, 0)).mesh.faces))


def test_a_box_on_a_box_beside_a_box():
    things = [box((0, 0, 0.05)), box((0, 0, 0.15)), box((0.13, 0, 0.05)), box((0.5, 0, 0.05))]
    assert true_relations(things, 0.0) == {(1, 0): ON, (0, 2): NEXT_TO}


def test_a_board_that_falls_without_a_box_leans_on_it():
    things = [box((0.15, 0, 0.15), (0.1, 0.3, 0.3)), leaning_board()]
    assert true_relations(things, 0.0) == {(1, 0): LEANING}


def test_what_lies_in_a_ring_of_walls_is_in_it_and_what_lies_beside_it_is_not():
    outline = [[0.0, 0.0], [0.08, 0.0], [0.08, 0.06], [0.07, 0.06], [0.07, 0.01], [0.0, 0.01]]
    bowl = trimesh.creation.revolve(outline)
    tray = Reference(PosedMesh(np.asarray(bowl.vertices), np.asarray(bowl.faces, np.int32)))
    inside = box((0.01, 0.0, 0.025), (0.03, 0.03, 0.03))
    beside = box((0.1, 0.0, 0.025), (0.03, 0.03, 0.05))
    assert true_relations([tray, inside, beside], 0.0) == {(1, 0): IN, (0, 2): NEXT_TO}


def test_what_is_told_is_counted_by_kind():
    score = RelationScore()
    told = [Relation(ON, 7, 8), Relation(NEXT_TO, 9, 8), Relation(ON, 9, 7), Relation(ON, 7, 50)]
    held = Relation(RelationKind.HELD, 7, 'tcp')
    true = {(0, 1): ON, (1, 2): NEXT_TO, (2, 3): LEANING, (0, 2): LEANING}
    score.count([*told, held], {7: 0, 8: 1, 9: 2}, true)
    figures = score.figures()
    assert figures['on_precision'] == 0.5 and figures['on_recall'] == 1.0
    assert figures['next_to_precision'] == 1.0 and figures['next_to_recall'] == 1.0
    # The true one with what was not found does not count.
    assert np.isnan(figures['leaning_precision']) and figures['leaning_recall'] == 0.0
