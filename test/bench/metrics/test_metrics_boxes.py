# SPDX-License-Identifier: Apache-2.0
"""Every branch of the counting rule on boxes and masks whose counts are known."""

import math

import numpy as np
import pytest

from sam3d_ros.bench.metrics.metrics_boxes import (
    BoxCounts,
    BoxLabels,
    BoxObject,
    Role,
    judge_boxes,
    masks_of,
)

HEIGHT, WIDTH = 240, 320  # rims may be off by 2 px


def thing(box, point=None, transparent=False, occluded='no'):
    middle = (box[0] + box[2]) // 2, (box[1] + box[3]) // 2
    return BoxObject('thing', box, point or middle, transparent, occluded)


def filled(*boxes):
    mask = np.zeros((HEIGHT, WIDTH), bool)
    for left, top, right, bottom in boxes:
        mask[top:bottom, left:right] = True
    return mask


A, B, C = (20, 20, 60, 60), (100, 20, 140, 60), (200, 20, 240, 60)


def test_every_object_found_and_nothing_else():
    labels = BoxLabels((thing(A), thing(B, occluded='partly'), thing(C, transparent=True)))
    verdict = judge_boxes([filled(C), filled(A), filled(B)], labels)
    assert verdict.finder == (1, 2, 0)
    assert verdict.roles == (Role.TRANSPARENT, Role.RIGHT, Role.RIGHT)
    counts = verdict.counts
    assert (counts.opaque, counts.right, counts.counted) == (2, 2, 2)
    assert (counts.clear, counts.clear_found) == (1, 1)
    assert (counts.transparent, counts.transparent_found) == (1, 1)
    assert (counts.false_objects, counts.over, counts.under) == (0, 0, 0)
    assert counts.recall == counts.precision == counts.clear_recall == counts.f_measure == 1.0


def test_label_image_says_the_same_as_masks():
    image = np.where(filled(A), 7, np.where(filled(B), 3, 0)).astype(np.int32)
    labels = BoxLabels((thing(A), thing(C)))
    assert judge_boxes(image, labels) == judge_boxes(masks_of(image), labels)
    assert judge_boxes(image, labels).finder == (1, None)


@pytest.mark.parametrize(('bottom', 'found'), [(40, True), (39, False)])
def test_iou_of_boxes_must_reach_one_half(bottom, found):
    labels = BoxLabels((thing(A, point=(40, 25)),))
    verdict = judge_boxes([filled((20, 20, 60, bottom))], labels)
    assert verdict.roles == ((Role.RIGHT if found else Role.WRONG),)


@pytest.mark.parametrize(('gap', 'found'), [(2, True), (3, False)])
def test_point_may_lie_two_pixels_off_the_rim_at_this_width(gap, found):
    mask = filled((20, 20, 50, 60))
    labels = BoxLabels((thing(A, point=(49 + gap, 40)),))
    assert (judge_boxes([mask], labels).finder == (0,)) is found


def test_tolerance_of_the_rim_grows_with_the_width():
    mask = np.zeros((720, 1280), bool)
    mask[100:200, 100:200] = True
    for gap, found in ((8, True), (9, False)):
        labels = BoxLabels((thing((100, 100, 220, 200), point=(199 + gap, 150)),))
        assert (judge_boxes([mask], labels).finder == (0,)) is found


def test_holes_are_filled_and_bays_are_not():
    labels = BoxLabels((thing(A, point=(40, 40)),))
    ring = filled(A) & ~filled((30, 30, 50, 50))
    assert judge_boxes([ring], labels).finder == (0,)
    bay = filled(A) & ~filled((30, 20, 50, 60))
    assert judge_boxes([bay], labels).finder == (None,)


def test_of_two_predictions_the_nearer_box_is_right_and_each_finds_one():
    labels = BoxLabels((thing(A, point=(30, 40)),))
    verdict = judge_boxes([filled((20, 20, 45, 60)), filled((20, 20, 58, 60))], labels)
    assert verdict.finder == (1,)
    assert verdict.roles == (Role.WRONG, Role.RIGHT)
    assert verdict.counts.precision == 0.5
    # One prediction over two objects that overlap: the better one only.
    both = BoxLabels((thing((20, 20, 60, 50), point=(30, 30)), thing(A, point=(30, 30))))
    assert judge_boxes([filled(A)], both).finder == (None, 0)


def test_greedy_takes_the_highest_iou_first():
    # Prediction 0 fits A best; prediction 1 fits A less and B's box not at all.
    labels = BoxLabels((thing(A), thing((20, 20, 60, 85), point=(40, 40))))
    verdict = judge_boxes([filled(A), filled((20, 20, 60, 70))], labels)
    assert verdict.finder == (0, 1)


def test_wrong_on_an_object_is_no_false_object():
    labels = BoxLabels((thing(A),))
    on, off = filled((20, 20, 30, 30)), filled((150, 150, 170, 170))
    half = filled((50, 20, 70, 40))  # as much in the box as off it
    verdict = judge_boxes([on, off, half], labels)
    assert verdict.roles == (Role.WRONG, Role.FALSE, Role.WRONG)
    counts = verdict.counts
    assert (counts.counted, counts.right, counts.false_objects) == (3, 0, 1)
    assert counts.recall == counts.precision == counts.f_measure == 0.0


def test_boxes_that_overlap_are_counted_once_when_shares_are_taken():
    labels = BoxLabels((thing((0, 0, 20, 20)), thing((0, 0, 20, 20))))
    assert judge_boxes([filled((0, 0, 60, 10))], labels).roles == (Role.FALSE,)


@pytest.mark.parametrize(
    ('boxes', 'ignored'),
    [
        ([(100, 100, 120, 140), (140, 100, 141, 101)], True),  # more than half, in two boxes
        ([(100, 100, 120, 140)], False),  # one half is not more than half
        ([(100, 100, 120, 130), (100, 110, 120, 140)], False),  # the same pixels twice
        ([(129, 119, 131, 121)], True),  # the centroid, though no pixel of the mask
    ],
)
def test_unmatched_predictions_where_labels_are_unclear_do_not_count(boxes, ignored):
    mask = filled((100, 100, 120, 140), (140, 100, 160, 140))
    verdict = judge_boxes([mask], BoxLabels((thing(A),), tuple(boxes)))
    assert verdict.roles == ((Role.IGNORED if ignored else Role.FALSE),)
    assert verdict.counts.counted == (0 if ignored else 1)


def test_a_match_counts_where_labels_are_unclear():
    labels = BoxLabels((thing(A), thing(B, transparent=True)), ((0, 0, WIDTH, HEIGHT),))
    assert judge_boxes([filled(A), filled(B)], labels).roles == (Role.RIGHT, Role.TRANSPARENT)


def test_over_needs_two_parts_that_are_inside_and_big_enough():
    labels = BoxLabels((thing(A),))  # 40 x 40: a part has 80 px or more
    big, also = filled((20, 20, 40, 40)), filled((44, 44, 54, 52))  # 80 px
    assert judge_boxes([big, also], labels).counts.over == 1
    assert judge_boxes([big], labels).counts.over == 0
    small = filled((44, 44, 54, 51))
    assert judge_boxes([big, small], labels).counts.over == 0
    four_fifths = filled((20, 20, 40, 40), (60, 20, 65, 40))  # 400 of 500 px inside
    assert judge_boxes([four_fifths, also], labels).counts.over == 1
    less = filled((20, 20, 40, 40), (60, 20, 65, 41))
    assert judge_boxes([less, also], labels).counts.over == 0


def test_under_counts_predictions_that_hold_two_points():
    labels = BoxLabels((thing(A), thing(B, transparent=True), thing(C)))
    assert judge_boxes([filled(A, B), filled(C)], labels).counts.under == 1
    assert judge_boxes([filled(A, B), filled(B, C)], labels).counts.under == 2


def test_frames_without_objects_and_without_predictions():
    nothing = judge_boxes(np.zeros((HEIGHT, WIDTH), np.int32), BoxLabels(())).counts
    assert math.isnan(nothing.recall)
    assert math.isnan(nothing.precision)
    assert nothing.f_measure == 1.0
    blind = judge_boxes([], BoxLabels((thing(A),))).counts
    assert (blind.opaque, blind.recall, blind.f_measure) == (1, 0.0, 0.0)
    ghosts = judge_boxes([filled(A)], BoxLabels(())).counts
    assert (ghosts.false_objects, ghosts.precision, ghosts.f_measure) == (1, 0.0, 0.0)


def test_counts_add_up():
    labels = BoxLabels((thing(A),))
    found, missed = judge_boxes([filled(A)], labels).counts, judge_boxes([], labels).counts
    total = BoxCounts.total([found, missed])
    assert (total.frames, total.opaque, total.right, total.recall) == (2, 2, 1, 0.5)
    assert total.precision == 1.0
