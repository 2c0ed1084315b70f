# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sam3d_ros.bench.metrics.metrics_segmentation import mean_score, score_labels


@pytest.fixture
def truth() -> np.ndarray:
    labels = np.zeros((120, 160), int)
    labels[20:60, 20:60] = 1
    labels[20:60, 60:100] = 2
    labels[80:110, 30:130] = 7
    return labels


VALID = np.ones((120, 160), bool)


def test_perfect_under_any_numbering(truth):
    renamed = np.array([0, 5, 3, 0, 0, 0, 0, 9])[truth]
    score = score_labels(renamed, truth, VALID)
    assert all(getattr(score, name) == 1.0 for name in score.__slots__)


def test_precision_counts_predictions_but_for_those_on_things_the_truth_does_not_list(truth):
    predicted = truth.copy()
    predicted[0:10, 0:100] = 3  # a ghost
    assert score_labels(predicted, truth, VALID).precision_iou50 == 0.75
    others = np.zeros_like(VALID)
    others[0:10, 0:50] = True  # one half is not most of it
    assert score_labels(predicted, truth, VALID, others).precision_iou50 == 0.75
    others[0:10, 0:51] = True
    assert score_labels(predicted, truth, VALID, others).precision_iou50 == 1.0


def test_merging_two_objects_costs_one_of_them(truth):
    merged = np.where(truth == 2, 1, truth)
    score = score_labels(merged, truth, VALID)
    found = 1600 + 3000
    assert score.overlap_p == pytest.approx(found / (3200 + 3000))
    assert score.overlap_r == pytest.approx(found / (3200 + 3000))
    assert score.detected == pytest.approx(1 / 3)  # F of a half is 2/3, below 0.75
    assert score.recall_iou50 == pytest.approx(1 / 3)  # IoU is exactly 0.5, not above


def test_matching_maximises_the_sum_not_each_pair():
    truth = np.zeros((10, 100), int)
    truth[:, :50], truth[:, 50:] = 1, 2
    predicted = np.zeros_like(truth)
    predicted[:, :70] = 1  # overlaps both; the best for either
    predicted[:, 70:74] = 2
    score = score_labels(predicted, truth, np.ones(truth.shape, bool))
    assert score.overlap_r == pytest.approx((500 + 40) / 1000)


def test_pixels_without_truth_do_not_count(truth):
    valid = VALID.copy()
    valid[:, 100:] = False
    predicted = np.where(valid, truth, 3)
    assert score_labels(predicted, truth, valid).overlap_f == 1.0


def test_boundary_forgives_one_pixel_and_not_ten(truth):
    near = score_labels(np.roll(truth, 1, 1), truth, VALID)
    far = score_labels(np.roll(truth, 10, 1), truth, VALID)
    assert near.boundary_f == 1.0
    assert far.boundary_f < 0.7 < far.overlap_f


def test_nothing_found_and_nothing_there(truth):
    nothing = np.zeros_like(truth)
    assert score_labels(nothing, truth, VALID).overlap_f == 0.0
    assert score_labels(truth, nothing, VALID).detected == 0.0
    assert score_labels(nothing, nothing, VALID).overlap_f == 1.0


def test_mean_counts_frames_alike(truth):
    scores = [score_labels(truth, truth, VALID), score_labels(truth * 0, truth, VALID)]
    assert mean_score(scores).overlap_f == 0.5


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_scores_lie_between_zero_and_one(seed):
    rng = np.random.default_rng(seed)
    one, two = rng.integers(0, 4, (2, 12, 16)).repeat(4, 1).repeat(4, 2)
    score = score_labels(one, two, rng.random(one.shape) > 0.2)
    assert all(0.0 <= getattr(score, name) <= 1.0 for name in score.__slots__)
