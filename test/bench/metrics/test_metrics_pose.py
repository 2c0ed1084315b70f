# SPDX-License-Identifier: Apache-2.0
"""Pose metrics of poses whose errors are known."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from sam3d_ros.bench.metrics import metrics_pose
from sam3d_ros.core.solids import Symmetry
from sam3d_ros.core.types import Camera
from sam3d_ros.geometry.shapes.symmetries import same_poses
from sam3d_ros.geometry.transforms import transform

trimesh = pytest.importorskip('trimesh', reason='made-up meshes (extra: bench)')

CAMERA = Camera(320, 240, np.array([[300.0, 0, 160], [0, 300, 120], [0, 0, 1]]))
NONE = np.eye(4)[None]


@pytest.fixture(scope='module')
def can():
    mesh = trimesh.creation.cylinder(0.04, 0.1, sections=36)
    return np.asarray(mesh.vertices), np.asarray(mesh.faces, np.int32)


@pytest.fixture(scope='module')
def T_true():
    return transform(Rotation.from_euler('x', 70, degrees=True).as_matrix(), np.array([0, 0, 0.8]))


def test_the_true_pose_is_right(can, T_true):
    vertices, _ = can
    assert metrics_pose.add(T_true, T_true, vertices) == 0
    assert metrics_pose.mssd(T_true, T_true, NONE, vertices) == 0
    assert metrics_pose.mspd(T_true, T_true, NONE, vertices, CAMERA) == 0
    empty = np.full((240, 320), np.nan, np.float32)
    assert metrics_pose.vsd_recall(T_true, T_true, can, empty, CAMERA, 0.13) == 1.0
    assert metrics_pose.surface_recall(0.0, 0.13) == metrics_pose.projection_recall(0.0) == 1.0


def test_a_shift_counts_as_far_as_it_goes(can, T_true):
    vertices, _ = can
    shifted = T_true.copy()
    shifted[0, 3] += 0.02
    assert metrics_pose.add(shifted, T_true, vertices) == pytest.approx(0.02)
    assert metrics_pose.add_s(shifted, T_true, vertices) < 0.02
    assert metrics_pose.mssd(shifted, T_true, NONE, vertices) == pytest.approx(0.02)
    # 20 mm at about .8 m and 300 px are about 7.5 px, 15 at 640 columns.
    assert metrics_pose.mspd(shifted, T_true, NONE, vertices, CAMERA) == pytest.approx(15.5, abs=1)
    assert metrics_pose.surface_recall(0.021, 0.2) == pytest.approx(0.8)
    assert metrics_pose.projection_recall(15.5) == pytest.approx(0.7)


def test_a_turn_about_the_axis_of_revolution_is_no_error(can, T_true):
    vertices, _ = can
    turned = T_true @ transform(
        Rotation.from_euler('z', 40, degrees=True).as_matrix(), np.zeros(3)
    )
    same = same_poses(Symmetry('revolution', 0, np.array([0.0, 0, 1]), np.zeros(3)))
    assert metrics_pose.mssd(turned, T_true, NONE, vertices) > 0.02
    assert metrics_pose.mssd(turned, T_true, same, vertices) < 1e-9
    assert metrics_pose.add_s(turned, T_true, vertices) < 1e-9
    empty = np.full((240, 320), np.nan, np.float32)
    assert metrics_pose.vsd_recall(turned, T_true, can, empty, CAMERA, 0.13) == 1.0


def test_what_is_hidden_does_not_count(can, T_true):
    far = T_true.copy()
    far[2, 3] += 0.3
    open_scene = np.full((240, 320), np.nan, np.float32)
    hidden = np.full((240, 320), 0.5, np.float32)
    assert metrics_pose.vsd_recall(far, T_true, can, open_scene, CAMERA, 0.13) < 0.3
    assert metrics_pose.vsd_recall(T_true, T_true, can, hidden, CAMERA, 0.13) == 0.0
