# SPDX-License-Identifier: Apache-2.0
"""What tracks know and a frame's masks leave out is asked for, and believed where it agrees."""

from functools import partial

import numpy as np
import pytest

from sam3d_ros.core.errors import PromptError
from sam3d_ros.core.types import Instance, Instances, PointPrompt
from sam3d_ros.geometry.masks import mask_box, mask_iou
from sam3d_ros.tracking.config import TrackingConfig
from sam3d_ros.tracking.overlap import OverlapTracker


def instances_of(frame, index, boxes=(0, 1)):
    items = [Instance(index == k, 1.0, mask_box(index == k), f'truth:{k}') for k in boxes]
    return Instances(frame.stamp_ns, tuple(items))


@pytest.fixture
def tracker(views):
    """Return a tracker that two views have shown both boxes: 1 and 2 are their ids."""
    tracker = OverlapTracker(TrackingConfig(ask_again=True))
    for frame, index in views[:2]:
        tracker.update(frame, instances_of(frame, index), None)
    return tracker


def seen(tracks):
    return {track.id: track.instance for track in tracks.items if track.instance >= 0}


def test_what_is_known_is_drawn_where_a_frame_shows_it(tracker, views) -> None:
    frame, index = views[2]
    known = tracker.known_in(frame).over(frame)
    for track_id, box in ((1, 0), (2, 1)):
        assert mask_iou(known.owner == track_id, index == box) > 0.8
    assert (known.confidence[known.owner >= 0] > 0).all()
    assert (known.confidence[known.owner < 0] == 0).all()


def test_what_a_frame_leaves_out_is_asked_for_by_points_in_it(tracker, views, oracle) -> None:
    frame, index = views[2]
    tracks = tracker.update(
        frame, instances_of(frame, index, (1,)), partial(oracle.segment, frame)
    )
    assert seen(tracks) == {2: 0, 1: 1}
    assert (tracks.instances.items[1].mask == (index == 0)).all()
    [(_, prompt)] = oracle.asked
    assert isinstance(prompt, PointPrompt) and 1 <= len(prompt.points_px) <= 3
    assert all(index[int(row), int(column)] == 0 for column, row in prompt.points_px)


def test_nothing_is_asked_where_nothing_is_left_out(tracker, views, oracle) -> None:
    frame, index = views[2]
    tracker.update(frame, instances_of(frame, index), partial(oracle.segment, frame))
    assert oracle.asked == []


def test_an_answer_that_agrees_too_little_does_not_count(tracker, views, oracle) -> None:
    frame, index = views[2]
    half = index == 0
    half[: int(np.nonzero(half)[0].mean()) + 8] = False
    oracle.wrong[frame.stamp_ns] = half
    instances = instances_of(frame, index, (1,))
    tracks = tracker.update(frame, instances, partial(oracle.segment, frame))
    assert len(oracle.asked) == 1
    assert tracks.instances.items == instances.items


def test_what_was_refused_is_asked_for_ever_more_seldom(tracker, views, oracle) -> None:
    frame, index = views[2]
    oracle.wrong[frame.stamp_ns] = np.zeros_like(index, bool)
    both, one = instances_of(frame, index), instances_of(frame, index, (1,))
    tracker.update(frame, both)  # the third frame that shows it: it is confirmed
    asked = []
    for _ in range(9):
        before = len(oracle.asked)
        tracker.update(frame, one, partial(oracle.segment, frame))
        asked.append(len(oracle.asked) > before)
    assert np.flatnonzero(asked).tolist() == [3, 7]


def test_a_segmenter_without_points_and_an_unwanted_question(tracker, views, oracle) -> None:
    frame, index = views[2]
    instances = instances_of(frame, index, (1,))

    def refuse(prompts):
        raise PromptError('no points here', wanted='a phrase')

    assert tracker.update(frame, instances, refuse).instances.items == instances.items
    quiet = OverlapTracker(TrackingConfig())
    for frame, index in views[:3]:
        boxes = (1,) if frame is views[2][0] else (0, 1)
        quiet.update(frame, instances_of(frame, index, boxes), partial(oracle.segment, frame))
    assert oracle.asked == []
