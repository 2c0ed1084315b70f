# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

import numpy as np
import pytest

from sam3d_ros.core.errors import PromptError
from sam3d_ros.core.types import (
    BoxPrompt,
    ExemplarPrompt,
    Instance,
    Instances,
    PointPrompt,
    TextPrompt,
)
from sam3d_ros.session.prompts.standing import LOST_FRAMES, StandingPrompts, merged

BOXES = (
    ((0.0, 0.15, 0.06), (0.10, 0.08, 0.12), (200, 40, 40)),
    ((0.05, -0.15, 0.05), (0.12, 0.12, 0.10), (40, 200, 40)),
)
EYES = ((0.9, 0.0, 0.7), (0.85, 0.25, 0.7), (0.8, 0.35, 0.75))


class Oracle:
    """A segmenter that knows the true index image of each frame; finds nothing unasked."""

    def __init__(self):
        self.truth = {}
        self.asked = []

    def segment(self, frame, prompts=()):
        truth = self.truth[frame.stamp_ns]
        self.asked.append(tuple(prompts))
        items = []
        for prompt in prompts:
            if isinstance(prompt, TextPrompt | ExemplarPrompt):
                items.append(instance(truth == 0, 'oracle:text'))
                continue
            ((u, v),) = prompt.points_px
            index = truth[round(v), round(u)]
            if index >= 0:
                items.append(instance(truth == index, 'oracle:point', 0.9))
                items.append(instance(truth >= 0, 'oracle:point', 0.2))
        return Instances(frame.stamp_ns, tuple(items))


def instance(mask, source, score=1.0):
    return Instance(mask, score, (0, 0, mask.shape[1], mask.shape[0]), source)


@pytest.fixture
def seen(boxes_world):
    """Return an oracle and the frames of a moving camera that it knows."""
    oracle, frames = Oracle(), []
    for number, eye in enumerate(EYES):
        frame, truth = boxes_world(eye, BOXES, stamp_ns=number)
        oracle.truth[number] = truth
        frames.append(frame)
    return oracle, frames


def pixel_of(truth, index):
    rows, columns = np.nonzero(truth == index)
    return float(np.median(columns)), float(np.median(rows))


def test_what_was_pointed_at_is_found_again_by_a_moving_camera(seen):
    oracle, frames = seen
    standing = StandingPrompts()
    point = PointPrompt((pixel_of(oracle.truth[0], 1),), (1,))
    answer = standing.add(point, oracle, frames[0]).meant
    np.testing.assert_array_equal(answer.mask, oracle.truth[0] == 1)
    for frame in frames[1:]:
        (found,) = standing.segment(oracle, frame).items
        np.testing.assert_array_equal(found.mask, oracle.truth[frame.stamp_ns] == 1)


def test_nothing_is_asked_for_without_prompts(seen):
    oracle, frames = seen
    StandingPrompts().segment(oracle, frames[0])
    assert oracle.asked == [()]


def test_a_prompt_ends_when_rays_see_through_its_place(seen, boxes_world):
    oracle, frames = seen
    standing = StandingPrompts()
    standing.add(PointPrompt((pixel_of(oracle.truth[0], 1),), (1,)), oracle, frames[0])
    empty, truth = boxes_world(EYES[0], BOXES[:1], stamp_ns=9)
    oracle.truth[9] = truth
    for _ in range(LOST_FRAMES):
        standing.segment(oracle, empty)
    oracle.asked.clear()
    standing.segment(oracle, frames[0])
    assert oracle.asked == [()]


def test_a_phrase_is_looked_for_in_place_of_everything(seen):
    oracle, frames = seen
    (found,) = StandingPrompts(('mug',)).segment(oracle, frames[0]).items
    assert found.source == 'oracle:text'
    assert oracle.asked == [(TextPrompt('mug'),)]


@pytest.mark.parametrize('shown_in', [None, 0])
def test_a_standing_exemplar_stays_with_the_frame_that_its_box_is_of(seen, shown_in):
    oracle, frames = seen
    standing = StandingPrompts()
    earlier = None if shown_in is None else frames[shown_in]
    standing.add(ExemplarPrompt((1.0, 2.0, 3.0, 4.0), earlier), oracle, frames[1])
    standing.segment(oracle, frames[2])
    ((asked,), _) = oracle.asked[-2:]
    assert asked.frame is (earlier or frames[1])


def test_what_was_added_is_forgotten_and_the_phrases_of_the_start_stay(seen):
    oracle, frames = seen
    standing = StandingPrompts(('mug',))
    standing.add(TextPrompt('cup'), oracle, frames[0])
    standing.add(ExemplarPrompt((1.0, 2.0, 3.0, 4.0)), oracle, frames[0])
    standing.segment(oracle, frames[1])
    assert len(oracle.asked[-1]) == 3
    standing.clear()
    standing.segment(oracle, frames[1])
    assert oracle.asked[-1] == (TextPrompt('mug'),)


def test_pointing_at_nothing_is_refused(seen):
    oracle, frames = seen
    with pytest.raises(PromptError, match='nothing'):
        StandingPrompts().add(PointPrompt(((1.0, 1.0),), (1,)), oracle, frames[0])


def test_a_prompt_without_depth_is_refused(seen):
    oracle, frames = seen
    blind = replace(frames[0], pointmap=np.full_like(frames[0].pointmap, np.nan))
    with pytest.raises(PromptError, match='depth'):
        point = PointPrompt((pixel_of(oracle.truth[0], 1),), (1,))
        StandingPrompts().add(point, oracle, blind)


def test_prompted_masks_take_the_place_of_what_they_cover():
    masks = np.zeros((3, 10, 10), bool)
    masks[0, :4] = True
    masks[1, 5:9] = True
    masks[2, 4:9, :4] = True
    prompted = instance(masks[2], 'point')
    automatic = Instances(0, (instance(masks[0], 'all'), instance(masks[1], 'all')))
    items = merged(automatic, [prompted]).items
    assert items[0] is automatic.items[0]
    np.testing.assert_array_equal(items[1].mask, masks[1] & ~masks[2])
    assert items[1].box_px == (4, 5, 10, 9)
    assert items[2] is prompted


def test_an_automatic_mask_that_loses_most_of_itself_is_dropped():
    whole = np.ones((10, 10), bool)
    most = whole.copy()
    most[:4] = False
    automatic = Instances(0, (instance(whole, 'all'),))
    assert merged(automatic, [instance(most, 'point')]).items[0].source == 'point'


def test_what_is_not_meant_stays_so_in_later_frames(seen):
    oracle, frames = seen
    truth = oracle.truth[0]
    prompts = StandingPrompts()
    answers = []

    class Recorder:
        def segment(self, frame, asked=()):
            answers.append(tuple(asked))
            index = oracle.truth[frame.stamp_ns]
            return Instances(frame.stamp_ns, (instance(index == 0, 'oracle:point'),))

    off = pixel_of(truth, 1)
    prompts.add(PointPrompt((pixel_of(truth, 0), off), (1, 0)), Recorder(), frames[0])
    prompts.segment(Recorder(), frames[1])
    (prompt,) = next(asked for asked in answers[1:] if asked)
    assert prompt.labels == (1, 0)
    (u, v) = prompt.points_px[1]
    assert oracle.truth[1][round(v), round(u)] == 1


def test_a_box_is_a_box_again_in_later_frames(seen):
    oracle, frames = seen
    prompts, answers = StandingPrompts(), []

    class Recorder:
        def segment(self, frame, asked=()):
            answers.append(tuple(asked))
            index = oracle.truth[frame.stamp_ns]
            return Instances(frame.stamp_ns, (instance(index == 0, 'oracle:box'),))

    rows, columns = np.nonzero(oracle.truth[0] == 0)
    box = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    prompts.add(BoxPrompt(tuple(map(float, box))), Recorder(), frames[0])
    prompts.segment(Recorder(), frames[2])
    (prompt,) = next(asked for asked in answers[1:] if asked)
    rows, columns = np.nonzero(oracle.truth[2] == 0)
    true = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    assert np.abs(np.subtract(prompt.box_px, true)).max() < 12
