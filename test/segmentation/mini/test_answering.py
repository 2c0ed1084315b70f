# SPDX-License-Identifier: Apache-2.0
from types import SimpleNamespace

import numpy as np
import pytest

from sam3d_ros.segmentation.mini.answering import expected_iou, gathered, likeliest, patch_logits
from sam3d_ros.segmentation.mini.network import Answer


def test_logits_of_a_patch_are_the_mean_over_its_cells():
    masks = np.zeros((2, 3, 4, 6), np.float32)
    masks[1, 2, :, :3] = 4
    patches = np.zeros((6, 12), np.int32)  # the masks are two rows higher: padding
    patches[:, :6], patches[:, 6:10] = 1, 2
    found = patch_logits(Answer(masks, np.zeros((2, 3), np.float32)), patches)
    assert found.shape == (2, 3, 3)
    np.testing.assert_allclose(found[1, 2], [0, 4, 0])
    assert not found[0].any()


def test_the_mask_of_the_best_predicted_iou_counts_most():
    logits = np.array([[0.0, 1.0], [0.0, -1.0]])
    assert likeliest(logits, np.array([0.9, 0.1], np.float32))[1] > 0.9
    assert likeliest(logits, np.array([0.5, 0.5], np.float32))[1] == pytest.approx(0)


def _chain(log_odds):
    """Three patches in a row."""
    count = len(log_odds)
    pairs = SimpleNamespace(
        front=np.arange(1, count + 1, dtype=np.int32),
        back=np.arange(2, count + 2, dtype=np.int32),
        bordering=np.ones(count, bool),
    )
    area = np.array([0.0] + [100.0] * (count + 1))
    return SimpleNamespace(pairs=pairs, regions=SimpleNamespace(area=area))


@pytest.mark.parametrize(
    ('logits', 'members'),
    [
        ([0, 0, 0, 0], [1, 2]),  # the network says nothing: what geometry joins
        ([0, 0, 6, 6], [1, 2, 3]),  # it sees the third patch as well
        ([0, 0, -8, -8], [1]),  # it sees neither
    ],
)
def test_a_prompt_gathers_what_borders_and_network_speak_for(logits, members):
    log_odds = np.array([0.5, -0.5], np.float32)
    found = gathered(_chain(log_odds), log_odds, np.array(logits, float), on=[1], off=set())
    assert np.flatnonzero(found).tolist() == members


def test_what_was_clicked_off_stays_out_whatever_the_border():
    log_odds = np.array([3.0, -3.0], np.float32)
    found = gathered(_chain(log_odds), log_odds, np.full(4, 5.0), on=[1], off={2})
    assert found[1] and not found[2]


def test_an_answer_that_all_agree_on_is_expected_to_be_right():
    area = np.array([0.0, 100.0, 50.0, 50.0])
    members = np.array([False, True, True, False])
    sure, torn = np.array([0.0, 6, 6, -6]), np.array([0.0, 6, -6, -6])
    best = expected_iou(area, members, members, sure, np.array([0.95, 0.9, 0.2], np.float32))
    unsure = expected_iou(area, members, members, sure, np.array([0.5, 0.4], np.float32))
    alone = expected_iou(area, members, members, torn, np.array([0.95, 0.9], np.float32))
    corrected = expected_iou(
        area, members, members, torn, np.array([0.95, 0.9], np.float32), is_corrected=True
    )
    assert alone < corrected < 0.98
    part = np.array([False, True, False, False])
    other = expected_iou(area, part, members, sure, np.array([0.95, 0.9], np.float32))
    assert 0.75 < best < 0.95
    assert max(unsure, alone, other) < best - 0.05 and min(unsure, alone, other) > 0.2
