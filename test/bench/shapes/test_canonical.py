# SPDX-License-Identifier: Apache-2.0
"""What counts as the right up and the same class."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

trimesh = pytest.importorskip('trimesh', reason='made-up meshes (extra: bench)')

from sam3d_ros.bench.metrics.scoring import PosedMesh
from sam3d_ros.bench.shapes.canonical import class_of, is_up
from sam3d_ros.core.solids import Symmetry

UP = np.array([0.0, 0.0, 1.0])


def test_up_may_be_off_by_less_than_thirty_degrees_or_by_what_nobody_can_see():
    box = trimesh.creation.box((0.05, 0.05, 0.12))
    cone = trimesh.creation.cone(0.04, 0.1)
    ball = trimesh.creation.icosphere(3, 0.05)
    box, cone, ball = (
        PosedMesh(np.asarray(m.vertices), np.asarray(m.faces)) for m in (box, cone, ball)
    )
    tilted = Rotation.from_euler('x', 20, degrees=True).apply(UP)
    assert is_up(tilted, UP, cone)
    assert not is_up(-UP, UP, cone)
    assert is_up(-UP, UP, box)
    assert not is_up(np.array([1.0, 0, 0]), UP, box)
    assert is_up(np.array([1.0, 0, 0]), UP, ball)
    slab = trimesh.creation.box((0.05, 0.14, 0.01))
    slab.apply_transform(trimesh.transformations.rotation_matrix(0.7, UP))
    turned = PosedMesh(np.asarray(slab.vertices), np.asarray(slab.faces))
    assert is_up(Rotation.from_euler('xy', [3, 2], degrees=True).apply(-UP), UP, turned)


def test_classes_have_names():
    at = np.zeros(3)
    assert class_of(Symmetry('rotation', 4, UP, at)) == '4-fold'
    assert class_of(Symmetry('mirror', 1, UP, at)) == 'mirror'
