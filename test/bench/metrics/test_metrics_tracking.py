# SPDX-License-Identifier: Apache-2.0
"""Scores of objects over frames, on sequences small enough to score by hand."""

import numpy as np
import pytest

from sam3d_ros.bench.metrics.metrics_tracking import (
    FrameBoxes,
    frames_until_absent,
    hota,
    id_switches,
    same_ids,
)

UNIT = np.array([[0.0, 0.0, 0.0], [0.1, 0.1, 0.1]])
TRUE = np.stack([UNIT, UNIT + [1.0, 0.0, 0.0]])


def told(ids, bounds, present=(True, True), counts=(True, True)):
    bounds = np.array(bounds).reshape(-1, 2, 3)
    return FrameBoxes(TRUE, np.array(present), np.array(counts), np.array(ids, int), bounds)


def test_perfect_sequences_score_one():
    score = hota([told([7, 9], TRUE)] * 5)
    assert score.hota == score.detection == score.association == pytest.approx(1.0)


def test_half_the_objects_found_is_half_the_detections_and_all_associated():
    score = hota([told([7], TRUE[:1])] * 4)
    assert score.detection == pytest.approx(0.5)
    assert score.association == pytest.approx(1.0)
    assert score.hota == pytest.approx(np.sqrt(0.5))


def test_an_id_that_changes_halfway_halves_the_association():
    frames = [told([1, 2], TRUE)] * 3 + [told([3, 4], TRUE)] * 3
    score = hota(frames)
    assert score.detection == pytest.approx(1.0)
    assert score.association == pytest.approx(0.5)
    assert id_switches(frames) == 2


def test_boxes_that_overlap_by_half_count_up_to_half():
    shifted = TRUE + [0.1 / 3, 0.0, 0.0]  # IoU 1/2
    score = hota([told([1, 2], shifted)] * 3)
    assert score.hota == pytest.approx(10 / 19)  # at .05, .10 ... .50 of .05 ... .95


def test_ids_that_trade_places_are_no_ghosts_but_switches():
    frames = [told([1, 2], TRUE), told([2, 1], TRUE)]
    assert id_switches(frames) == 2
    assert all(frame.ghosts() == [] for frame in frames)


def test_what_nobody_is_asked_about_counts_neither_way():
    frame = told([1, 2], TRUE, counts=(True, False))
    assert hota([frame] * 3).hota == pytest.approx(1.0)
    assert frame.ghosts() == []


def test_ghosts_are_beside_all_objects_or_a_second_time_on_one():
    beside = UNIT + [0.0, 0.5, 0.0]
    assert told([1, 2, 3], [UNIT, UNIT, beside]).ghosts() == [2, 3]
    assert told([1], [UNIT], present=(False, True)).ghosts() == [1]


def test_ids_that_came_back():
    before = [told([1, 2], TRUE)] * 3
    assert same_ids(before, [told([1, 5], TRUE)] * 3) == [True, False]
    assert same_ids(before, [told([1], TRUE[:1])] * 3) == [True, False]
    assert same_ids(before, [told([1], TRUE[:1], present=(True, False))] * 3) == [True]


def test_absence_is_known_when_no_box_of_the_id_is_left_there():
    there, gone = told([1, 2], TRUE), told([2], TRUE[1:])
    assert frames_until_absent([there, there, gone], 1, UNIT) == 2
    assert frames_until_absent([there, there], 1, UNIT) is None
    elsewhere = told([1], [UNIT + [0.0, 0.5, 0.0]])
    assert frames_until_absent([elsewhere], 1, UNIT) == 0


def test_nothing_at_all_has_no_score():
    assert np.isnan(hota([told([], [], counts=(False, False))]).hota)


@pytest.mark.parametrize(
    ('jitter_m', 'expected'),
    [
        (0.01, (0.4212327556, 0.4344763350, 0.4086781135)),
        (0.03, (0.2036059156, 0.2282520382, 0.1822658664)),
        (0.06, (0.0818775948, 0.1013232437, 0.0672324777)),
    ],
)
def test_hota_is_that_of_trackeval(jitter_m, expected):
    """HOTA, DetA and AssA by TrackEval 1.3.0 for the same ids and similarities.

    It is no dependency: it puts opencv-python over opencv-python-headless.
    """
    frames = []
    for at in range(24):
        shifts = jitter_m * np.sin(1.7 * at + np.arange(3.0) * 2.3)
        bounds = TRUE[[0, 1, at % 2]] + shifts[:, None, None]
        ids = [1 if at < 15 else 4, 2, 3 if at % 5 else 5]
        shown = [k for k in range(3) if (at + k) % 7]
        present = (at != 11, True)
        frames.append(told([ids[k] for k in shown], bounds[shown], present, (True, at % 6 != 2)))
    score = hota(frames)
    assert (score.hota, score.detection, score.association) == pytest.approx(expected, abs=1e-9)
