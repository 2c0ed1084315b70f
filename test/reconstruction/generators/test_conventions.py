# SPDX-License-Identifier: Apache-2.0
"""Frames against the published golden vector, and the two paths against each other."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from sam3d_ros.geometry.transforms import apply
from sam3d_ros.reconstruction.generators.conventions import (
    A,
    F,
    optical_from_canonical,
    optical_from_glb,
    pointmap_to_official,
)

Q_WXYZ = np.array([0.681928, 0.58586, -0.427178, 0.096239])
TRANSLATION, SCALE = np.array([0.17, -0.15, 1.05]), 0.183940
CANONICAL, GLB = np.array([[0.5, 0.25, -0.5]]), np.array([[0.5, -0.5, -0.25]])
OPTICAL = [[-0.145766, 0.260464, 0.970994]]


def test_golden_vector_from_both_frames():
    canonical = apply(optical_from_canonical(Q_WXYZ, TRANSLATION, SCALE), CANONICAL)
    glb = apply(optical_from_glb(Q_WXYZ, TRANSLATION, SCALE), GLB)
    np.testing.assert_allclose(canonical, OPTICAL, atol=2e-6)
    np.testing.assert_allclose(glb, OPTICAL, atol=2e-6)


def test_golden_quaternions():
    for make, expected in (
        (optical_from_canonical, [0.096239, -0.427178, -0.58586, 0.681928]),
        (optical_from_glb, [0.370112, -0.234009, 0.067931, 0.896461]),
    ):
        R = make(Q_WXYZ, TRANSLATION, SCALE)[:3, :3] / SCALE
        wxyz = np.roll(Rotation.from_matrix(R).as_quat(), 1)
        wxyz *= np.sign(wxyz @ expected)
        np.testing.assert_allclose(wxyz, expected, atol=2e-6)


@given(st.integers(0, 10_000))
def test_both_frames_meet_for_any_pose(seed):
    rng = np.random.default_rng(seed)
    q = rng.normal(size=4)
    q /= np.linalg.norm(q)
    t, s = rng.normal(size=3), float(rng.uniform(0.01, 2))
    points = rng.normal(size=(5, 3))
    np.testing.assert_allclose(
        apply(optical_from_glb(q, t, s), points),
        apply(optical_from_canonical(q, t, s), points @ A.T),
        atol=1e-9,
    )
    # What the official side computes, written as it does: row vectors in its own camera.
    R = Rotation.from_quat(np.roll(q, -1)).as_matrix()
    official = (s * points) @ R + t
    np.testing.assert_allclose(
        apply(optical_from_canonical(q, t, s), points), official @ F.T, atol=1e-9
    )


def test_pointmap_turns_about_the_viewing_axis_and_keeps_nan():
    pointmap = np.array([[[0.1, 0.2, 1.0], [np.nan] * 3]], np.float32)
    turned = pointmap_to_official(pointmap)
    np.testing.assert_allclose(turned[0, 0], [-0.1, -0.2, 1.0])
    assert np.isnan(turned[0, 1]).all()
