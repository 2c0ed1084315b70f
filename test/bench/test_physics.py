# SPDX-License-Identifier: Apache-2.0
"""Scenes of boxes that stand, hover and penetrate are told apart by letting go."""

import numpy as np
import pytest

pytest.importorskip('mujoco', reason='physics needs the extra: bench')

import trimesh

from sam3d_ros.bench.metrics.scoring import PosedMesh
from sam3d_ros.bench.metrics.settling import let_go
from sam3d_ros.bench.physics import figures_of


def box(middle, size=(0.1, 0.1, 0.1)):
    mesh = trimesh.creation.box(size)
    return PosedMesh(np.asarray(mesh.vertices) + middle, np.asarray(mesh.faces, np.int32))


def test_boxes_that_stand_stay():
    settled = let_go([box((0, 0, 0.55)), box((0, 0, 0.65)), box((0.3, 0, 0.55))], 0.5)
    assert settled.stays.tolist() == [1, 1, 1]
    assert settled.gap_m == pytest.approx([0, 0.1, 0], abs=1e-6)
    assert settled.penetration_m.max() < 1e-3


def test_what_hovers_falls():
    settled = let_go([box((0, 0, 0.58))], 0.5)
    assert settled.moved_m == pytest.approx([0.03], abs=0.003)
    assert settled.stays.tolist() == [0]


def test_what_is_inside_another_is_said_to_be():
    settled = let_go([box((0, 0, 0.05)), box((0.09, 0, 0.05))], 0.0)
    assert settled.penetration_m == pytest.approx([0.01, 0.01], abs=1e-4)
    figures = figures_of([settled, let_go([box((0, 0, 0.05)), box((0.3, 0, 0.05))], 0.0)])
    assert figures['penetration_p90_mm'] == pytest.approx(10.0, abs=0.1)
    assert figures['penetrating'] == 0.5


def test_what_leans_on_nothing_topples():
    tall = box((0, 0, 0.2), (0.02, 0.02, 0.4))
    tilted = trimesh.transformations.rotation_matrix(0.2, (0, 1, 0))[:3, :3]
    settled = let_go([PosedMesh(tall.vertices_m @ tilted.T, tall.faces)], -0.01)
    assert settled.tilt_deg[0] > 45.0


def test_no_objects_have_no_figures():
    assert np.isnan(figures_of([let_go([], 0.0)])['stay'])
