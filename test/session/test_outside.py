# SPDX-License-Identifier: Apache-2.0
"""Masks that somebody else makes join the frame they belong to, early, late or never."""

from dataclasses import replace

import numpy as np
import pytest

from sam3d_ros.core.errors import InputError, NotFoundError
from sam3d_ros.core.types import Instance, Instances, ObjectState, PointPrompt
from sam3d_ros.geometry.masks import mask_box
from sam3d_ros.session.config import Config, PromptConfig, SessionConfig
from sam3d_ros.session.session import Session

BOXES = (
    ((0.0, 0.15, 0.06), (0.10, 0.08, 0.12), (200, 40, 40)),
    ((0.05, -0.15, 0.05), (0.12, 0.12, 0.10), (40, 200, 40)),
)
STEP_NS = 100_000_000
SIZE = (320, 240)


class Counting:
    """A segmenter that finds nothing, and how often it was asked."""

    def __init__(self):
        self.asked = []

    def segment(self, frame, prompts=()):
        self.asked.append(tuple(prompts))
        if not prompts:
            return Instances(frame.stamp_ns)
        ((u, v),) = prompts[0].points_px
        mask = np.zeros(frame.depth_m.shape, bool)
        mask[round(v) - 3 : round(v) + 4, round(u) - 3 : round(u) + 4] = True
        return Instances(frame.stamp_ns, (Instance(mask, 1.0, mask_box(mask), 'own:point'),))


@pytest.fixture
def shown(boxes_world):
    """Return a function that shows boxes at a number of a moving camera: frame and true masks."""

    def show(number, boxes=BOXES):
        eye = (0.9 - 0.01 * number, 0.03 * number, 0.7)
        stamp_ns = (number + 1) * STEP_NS
        frame, index = boxes_world(eye, boxes, stamp_ns=stamp_ns, size=SIZE)
        masks = (index == at for at in range(len(boxes)))
        items = tuple(Instance(mask, 0.9, mask_box(mask), 'outside') for mask in masks)
        return frame, Instances(stamp_ns, items)

    return show


def session(**groups):
    default = Config()
    made = Session.from_config(
        replace(
            default,
            reconstruction=replace(default.reconstruction, backend='geometric'),
            segmentation=replace(default.segmentation, backend='geometric'),
            **groups,
        )
    )
    made.segmenter = Counting()
    return made


def centers(scene):
    return {
        item.id: (item.T_fixed_obj @ np.append(item.box_center_m, 1.0))[:3]
        for item in scene.objects
    }


def test_masks_before_their_frames_take_the_place_of_our_own(shown):
    running = session()
    for number in range(4):
        frame, masks = shown(number)
        assert running.join('camera', masks) is None
        scene = running.step(frame).scene
    assert running.segmenter.asked == []
    assert [item.state for item in scene.objects] == [ObjectState.VISIBLE] * 2


def test_late_masks_join_their_frame_and_are_carried_forward(shown):
    prompt, late = session(), session()
    shows = [shown(number) for number in range(10)]
    for number, (frame, masks) in enumerate(shows):
        expected = prompt.step(frame, masks).scene
        scene = late.step(frame).scene
        if number >= 2:
            joined = late.join('camera', shows[number - 2][1])
            # Three frames were segmented here before the first masks came.
            assert (joined is None) == (number < 5)
            scene = joined or scene
        assert scene.stamp_ns == frame.stamp_ns
    assert len(late.segmenter.asked) == 3
    assert [item.state for item in scene.objects] == [ObjectState.VISIBLE] * 2
    assert centers(scene).keys() == centers(expected).keys()
    for object_id, center in centers(scene).items():
        np.testing.assert_allclose(center, centers(expected)[object_id], atol=3e-3)


def test_an_object_that_moved_since_stays_where_it_went(shown):
    running = session()
    for number in range(5):
        frame, masks = shown(number)
        running.step(frame, masks)
    assert running.join('camera', masks) is None, 'which tells that somebody segments'
    moved = (BOXES[0], ((0.05, -0.142, 0.05), *BOXES[1][1:]))
    between, of_between = shown(5)
    running.step(between)
    for number in range(6, 10):
        scene = running.step(shown(number, moved)[0]).scene
    before = centers(scene)
    assert before[2][1] == pytest.approx(-0.142, abs=4e-3)
    after = centers(running.join('camera', of_between))
    np.testing.assert_allclose(after[2], before[2], atol=2e-3)


def test_our_own_segmentation_goes_on_when_nobody_else_does(shown):
    running = session(session=SessionConfig(external_wait_s=0.25))
    running.join('camera', shown(0)[1])
    for number in range(5):
        running.step(shown(number)[0])
    assert len(running.segmenter.asked) == 2, 'the frames .3 s and .4 s after the last masks'


def test_prompts_stand_in_the_masks_of_others(shown):
    running = session()
    frame, masks = shown(0)
    running.step(frame, masks, prompts=[PointPrompt(((160.0, 200.0),), (1,))])
    frame, masks = shown(1)
    tracks = running.step(frame, masks).tracks
    assert [item.source for item in tracks.instances.items] == ['outside', 'outside', 'own:point']
    assert all(running.segmenter.asked), 'never for everything'


def test_only_prompts_are_listed_when_that_is_asked_for(shown):
    running = session(prompts=PromptConfig(only=True))
    assert running.step(*shown(0)).tracks.instances.items == ()


def test_phrases_are_served_by_whoever_segments(shown):
    running = session(prompts=PromptConfig(text='box'))
    assert len(running.step(*shown(0)).tracks.instances.items) == 2
    assert running.segmenter.asked == []


@pytest.mark.parametrize('is_late', [True, False])
def test_masks_of_another_size_are_refused(shown, is_late):
    running = session()
    frame, masks = shown(1)
    small = tuple(replace(item, mask=item.mask[:60, :80]) for item in masks.items)
    wrong = replace(masks, items=small)
    running.step(shown(0)[0])
    with pytest.raises(
        InputError, match=r'80x60 pixels for a frame of 320x240; wanted.*rectified'
    ):
        if is_late:
            running.segmenter = Counting()
            running._outside.heard(frame)
            running.step(frame)
            running.join('camera', wrong)
        else:
            running.join('camera', wrong)
            running.step(frame)
    assert running.step(*shown(2)).tracks.items, 'the next frame is not concerned'


def test_masks_of_a_frame_long_gone_are_refused_with_what_is_kept(shown):
    running = session(prompts=PromptConfig(keep_frames=2))
    for number in range(4):
        running.step(shown(number)[0])
    with pytest.raises(NotFoundError, match=r'of "camera" of 0\.1\d* s.*2 frames.*keep_frames'):
        running.join('camera', shown(0)[1])


def test_masks_that_come_after_newer_ones_change_nothing(shown):
    running = session()
    for number in range(3):
        running.step(*shown(number))
    assert running.join('camera', shown(1)[1]) is None


def test_masks_of_a_frame_that_was_dropped_change_nothing(shown):
    running = session()
    for number in (0, 1, 3):
        running.step(shown(number)[0])
    assert running.join('camera', shown(2)[1]) is None
    assert len(running.segmenter.asked) == 3


def test_masks_wait_only_for_their_own_camera(shown):
    running = session()
    frame, masks = shown(0)
    running.join('other_camera', masks)
    running.step(frame)
    assert len(running.segmenter.asked) == 1
