# SPDX-License-Identifier: Apache-2.0
"""Layout metrics against values computed by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from sam3d_ros.bench.metrics.metrics_layout import (
    add_s,
    box_iou,
    calibration_error,
    coverage,
    diameter,
    icp_rotation_rad,
    match,
    pairwise_box_iou,
)
from sam3d_ros.geometry.transforms import apply, transform

CUBE = np.array([[x, y, z] for x in (0.0, 1.0) for y in (0.0, 1.0) for z in (0.0, 1.0)])


def cloud(seed=0, count=400):
    return np.random.default_rng(seed).normal(size=(count, 3)) * [0.05, 0.03, 0.1]


def test_box_iou_by_hand():
    assert box_iou(CUBE, CUBE) == 1.0
    assert box_iou(CUBE, CUBE + [0.5, 0, 0]) == pytest.approx(0.5 / 1.5)
    assert box_iou(CUBE, CUBE * 2) == pytest.approx(1 / 8)
    assert box_iou(CUBE, CUBE + [2, 0, 0]) == 0.0


def test_pairwise_box_iou_is_that_of_each_pair():
    rng = np.random.default_rng(4)
    low = rng.uniform(0, 1, (5, 3))
    bounds = np.stack([low, low + rng.uniform(0.1, 1, (5, 3))], axis=1)
    one_by_one = [[box_iou(a, b) for b in bounds[:2]] for a in bounds]
    np.testing.assert_allclose(pairwise_box_iou(bounds, bounds[:2]), one_by_one, atol=1e-12)
    assert pairwise_box_iou(np.zeros((0, 2, 3)), bounds).shape == (0, 5)


def test_diameter_of_cube_square_and_point():
    assert diameter(CUBE) == pytest.approx(np.sqrt(3))
    assert diameter(CUBE * [1, 1, 0]) == pytest.approx(np.sqrt(2))
    assert diameter(CUBE[:1]) == 0.0


def test_add_s_by_hand():
    assert add_s(CUBE, CUBE) == 0.0
    # Every corner of the shifted cube is 0.25 from its nearest corner, both ways.
    assert add_s(CUBE + [0.25, 0, 0], CUBE) == pytest.approx(0.25 / np.sqrt(3))
    # One predicted point at a corner: 0 there; back: mean of 0, 3 x 1, 3 x sqrt 2, sqrt 3.
    back = (3 + 3 * np.sqrt(2) + np.sqrt(3)) / 8
    assert add_s(CUBE[:1], CUBE) == pytest.approx(back / 2 / np.sqrt(3))


@settings(max_examples=20, deadline=None)
@given(st.floats(0, 0.02), st.floats(0.001, 0.02))
def test_add_s_grows_with_the_error(shift, more):
    truth = cloud()
    assert add_s(truth + [shift + more, 0, 0], truth) > add_s(truth + [shift, 0, 0], truth)


@pytest.mark.parametrize('angle', [0.0, 0.05, 0.2])
def test_icp_rotation_finds_the_angle(angle):
    truth = cloud(count=1500)
    R = Rotation.from_rotvec([0, 0, angle]).as_matrix()
    found = icp_rotation_rad(apply(transform(R, np.zeros(3)), truth), truth, iterations=200)
    assert found == pytest.approx(angle, abs=0.01)


def test_match_is_one_to_one_and_gated():
    iou = np.array([[0.9, 0.8], [0.85, 0.1], [0.0, 0.05]])
    assert match(iou, 0.25) == [(0, 1), (1, 0)]
    assert match(iou, 0.82) == [(1, 0)]
    assert match(np.zeros((0, 3)), 0.25) == []


def test_coverage_of_normal_errors_is_what_it_should_be():
    errors = np.random.default_rng(0).normal(size=20_000)
    one, two = coverage(errors)
    assert one == pytest.approx(0.683, abs=0.01)
    assert two == pytest.approx(0.954, abs=0.01)
    assert np.isnan(coverage(np.zeros(0))).all()


def test_calibration_error_is_the_gap_between_said_and_found():
    rng = np.random.default_rng(1)
    said = rng.random(50_000)
    assert calibration_error(said, rng.random(50_000) < said) < 0.02
    sure, half = np.full(1000, 0.9), np.arange(1000) % 2 == 0
    assert calibration_error(sure, half) == pytest.approx(0.4)
    assert np.isnan(calibration_error(np.zeros(0), np.zeros(0, bool)))
