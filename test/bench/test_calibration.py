# SPDX-License-Identifier: Apache-2.0
"""Honest and dishonest uncertainties of a box whose place and size are known."""

from types import SimpleNamespace

import numpy as np
import pytest
import trimesh

pytest.importorskip('open3d', reason='surfaces need the extra: bench')

from sam3d_ros.bench.calibration import Calibration, registered
from sam3d_ros.bench.metrics.scoring import PosedMesh, Reference
from sam3d_ros.core.types import Mesh, Scene
from sam3d_ros.reconstruction.pose.layout import moved_by, twist_between

BOX = trimesh.creation.box((0.1, 0.06, 0.08)).subdivide().subdivide().subdivide()


def reference():
    return Reference(PosedMesh(np.array(BOX.vertices), np.array(BOX.faces, np.int32)))


def claimed(twist, sigma_m=0.002, sigma_rad=0.02, grown=1.0, confidence=1.0):
    """A scene of the box, moved and grown, with what it says of itself."""
    faces = np.array(BOX.faces, np.int32)
    vertices = (grown * np.array(BOX.vertices)).astype(np.float32)
    mesh = Mesh(
        vertices,
        faces,
        np.zeros((len(vertices), 3), np.uint8),
        np.zeros(len(faces), np.uint8),
        np.full(len(faces), confidence, np.float32),
    )
    item = SimpleNamespace(
        mesh=mesh,
        T_fixed_obj=moved_by(np.eye(4), np.asarray(twist, float)),
        covariance=np.diag(np.square(np.repeat([sigma_m, sigma_rad], 3))),
        size_m=np.ptp(vertices, axis=0).astype(float),
        scale_sigma=0.02,
    )
    return Scene(0, 'world', (item,))


def test_a_displaced_box_is_registered_on_the_true_one():
    twist = np.array([0.003, -0.002, 0.001, 0.02, -0.03, 0.01])
    points = np.array(BOX.triangles_center)
    T = registered(points, reference().surface, moved_by(np.eye(4), twist))
    np.testing.assert_allclose(twist_between(np.eye(4), T), 0, atol=3e-4)


def test_errors_count_in_their_sigmas():
    calibration = Calibration()
    calibration.add(claimed([0.001, 0.003, 0.005, 0, 0, 0]), [reference()])
    np.testing.assert_allclose(calibration.position, [0.5, 1.5, 2.5], atol=0.15)
    figures = calibration.values('box')
    assert figures['box_position_within_1_sigma'] == pytest.approx(1 / 3)
    assert figures['box_position_within_2_sigma'] == pytest.approx(2 / 3)
    assert figures['box_rotation_within_1_sigma'] == 1.0


def test_what_is_said_to_be_unobserved_does_not_count():
    calibration = Calibration()
    calibration.add(claimed(np.zeros(6), sigma_rad=0.3), [reference()])
    assert calibration.rotation == []
    assert np.isnan(calibration.values('box')['box_rotation_within_1_sigma'])


def test_size_and_confidence_are_held_to_their_word():
    calibration = Calibration()
    calibration.add(claimed(np.zeros(6), grown=1.03, confidence=0.6), [reference()])
    np.testing.assert_allclose(calibration.size, np.log(1.03) / 0.02, rtol=1e-4)
    assert calibration.values('box')['box_face_confidence_error'] == pytest.approx(0.4, abs=1e-6)


def test_nothing_found_is_no_figure():
    calibration = Calibration()
    calibration.add(Scene(0, 'world', ()), [reference()])
    assert all(np.isnan(value) for value in calibration.values('box').values())
