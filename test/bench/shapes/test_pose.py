# SPDX-License-Identifier: Apache-2.0
"""Errors of poses that can be seen count, those that cannot do not."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

trimesh = pytest.importorskip('trimesh', reason='made-up meshes (extra: bench)')

from sam3d_ros.bench.metrics.scoring import PosedMesh
from sam3d_ros.bench.shapes.pose import all_same, score_pose, summary
from sam3d_ros.core.types import Camera, Frame
from sam3d_ros.geometry.transforms import transform

BOX = trimesh.creation.box((0.05, 0.09, 0.16)).subdivide().subdivide()
BALL = trimesh.creation.icosphere(3, 0.05)
T_TRUE = transform(Rotation.from_euler('x', 70, degrees=True).as_matrix(), np.array([0, 0, 0.8]))


def posed(mesh):
    return PosedMesh(np.asarray(mesh.vertices), np.asarray(mesh.faces, np.int32))


@pytest.fixture(scope='module')
def frame():
    camera = Camera(320, 240, np.array([[300.0, 0, 160], [0, 300, 120], [0, 0, 1]]))
    nothing = np.full((240, 320, 3), np.nan, np.float32)
    rgb = np.zeros((240, 320, 3), np.uint8)
    return Frame(0, 'camera', camera, rgb, nothing, 'camera', np.eye(4), None)


def turned(axis, degrees):
    return T_TRUE @ transform(
        Rotation.from_euler(axis, degrees, degrees=True).as_matrix(), np.zeros(3)
    )


@pytest.mark.parametrize('axis', 'xyz')
def test_half_turns_of_a_box_cannot_be_seen_and_small_ones_can(frame, axis):
    flipped = score_pose(turned(axis, 180), T_TRUE, posed(BOX), frame, 0.19)
    assert flipped.rotation_deg < 2.5 and flipped.ar_mssd == 1.0
    tilted = score_pose(turned(axis, 8), T_TRUE, posed(BOX), frame, 0.19)
    assert tilted.rotation_deg == pytest.approx(8.0, abs=1.5)


def test_no_turn_of_a_ball_can_be_seen_but_a_shift_can(frame):
    T = turned('z', 57)
    assert score_pose(T, T_TRUE, posed(BALL), frame, 0.1).ar_mssd == 1.0
    T[0, 3] += 0.02
    score = score_pose(T, T_TRUE, posed(BALL), frame, 0.11)
    assert 0.6 <= score.ar_mssd <= 0.7
    assert score.scale_error == pytest.approx(0.1, abs=0.01)


def test_what_is_not_found_counts_nothing(frame):
    score = score_pose(None, T_TRUE, posed(BOX), frame, 0.19)
    assert summary([score])['ar'] == 0.0 and score.rotation_deg == 180.0


def test_a_shape_without_symmetry_has_one_pose():
    lump = trimesh.util.concatenate(
        [BOX, trimesh.creation.box((0.1, 0.02, 0.05)).apply_translation([0.05, 0.03, 0.06])]
    )
    assert len(all_same(posed(lump), np.eye(4))) == 1
