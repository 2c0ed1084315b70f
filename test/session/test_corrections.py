# SPDX-License-Identifier: Apache-2.0
"""A second click corrects the first answer, an alternative is chosen, a part is an object."""

from dataclasses import replace

import numpy as np
import pytest

from sam3d_ros.core.corrections import Correction
from sam3d_ros.core.errors import NotFoundError, PromptError
from sam3d_ros.core.types import (
    BoxPrompt,
    FaceLabel,
    Instance,
    Instances,
    PointPrompt,
    TextPrompt,
)
from sam3d_ros.geometry.masks import mask_box, mask_iou
from sam3d_ros.geometry.transforms import apply
from sam3d_ros.session.config import Config
from sam3d_ros.session.prompts.standing import StandingPrompts
from sam3d_ros.session.session import Session

BOXES = (
    ((0.0, 0.15, 0.06), (0.10, 0.08, 0.12), (200, 40, 40)),
    ((0.05, -0.15, 0.08), (0.12, 0.12, 0.16), (40, 200, 40)),
)
EYES = tuple((0.9 - 0.02 * at, 0.06 * at, 0.7) for at in range(9))
LID_M = 0.09
"""What is higher of the second box is a part of it."""
LOGITS = np.full((3, 4), 2.5, np.float32)


class Oracle:
    """Knows the truth of each frame: boxes, and the upper part of the second."""

    def __init__(self, boxes_world):
        self.frames, self._truth, self.asked = [], {}, []
        for at, eye in enumerate(EYES):
            frame, truth = boxes_world(eye, BOXES, stamp_ns=(at + 1) * 100_000_000)
            self.frames.append(frame)
            self._truth[frame.stamp_ns] = truth

    def whole(self, frame, k=1):
        return self._truth[frame.stamp_ns] == k

    def lid(self, frame):
        height = apply(frame.T_fixed_cam, frame.pointmap.reshape(-1, 3).astype(float))[:, 2]
        return self.whole(frame) & (height.reshape(frame.depth_m.shape) > LID_M)

    def segment(self, frame, prompts=()):
        self.asked += prompts
        if not prompts:
            found = [(self.whole(frame, k), 1.0, 'oracle:all') for k in (0, 1)]
        elif isinstance(prompts[0], BoxPrompt):
            found = [(self.whole(frame), 1.0, 'oracle:box')]
        else:
            (prompt,) = prompts
            places = [(round(v), round(u)) for u, v in prompt.points_px]
            on = [at for at, label in zip(places, prompt.labels, strict=True) if label]
            off = [at for at, label in zip(places, prompt.labels, strict=True) if not label]
            whole, lid = self.whole(frame), self.lid(frame)
            masks = [(whole, 0.9), (lid, 0.5), (whole & ~lid, 0.4)]
            found = [
                (mask, score, 'oracle:point')
                for mask, score in masks
                if all(mask[at] for at in on) and not any(mask[at] for at in off)
            ]
        items = [Instance(m, s, mask_box(m), name, logits=LOGITS) for m, s, name in found]
        return Instances(frame.stamp_ns, tuple(items))


@pytest.fixture
def oracle(boxes_world):
    return Oracle(boxes_world)


def pixel(mask):
    rows, columns = np.nonzero(mask)
    at = int(np.hypot(rows - rows.mean(), columns - columns.mean()).argmin())
    return float(columns[at]), float(rows[at])


def test_a_second_click_corrects_the_answer_with_its_logits_and_all_points(oracle):
    frame, standing = oracle.frames[0], StandingPrompts()
    on, off = pixel(oracle.lid(frame)), pixel(oracle.whole(frame) & ~oracle.lid(frame))
    first = standing.add(PointPrompt((on,), (1,)), oracle, frame)
    assert first.levels == ('whole', 'part')
    second = standing.add(Correction(0, (off,), (0,)), oracle, frame)
    assert second.number == first.number == 1
    np.testing.assert_array_equal(second.meant.mask, oracle.lid(frame))
    assert (oracle.asked[-1].points_px, oracle.asked[-1].labels) == ((on, off), (1, 0))
    assert oracle.asked[-1].before is LOGITS
    for later in oracle.frames[1:]:
        found = standing.segment(oracle, later).items[-1]
        np.testing.assert_array_equal(found.mask, oracle.lid(later))


def test_a_correction_may_be_of_a_later_frame(oracle):
    first, later = oracle.frames[0], oracle.frames[3]
    standing = StandingPrompts()
    standing.add(PointPrompt((pixel(oracle.lid(first)),), (1,)), oracle, first)
    off = pixel(oracle.whole(later) & ~oracle.lid(later))
    answer = standing.add(Correction(1, (off,), (0,)), oracle, later)
    np.testing.assert_array_equal(answer.meant.mask, oracle.lid(later))
    assert oracle.asked[-1].before is None
    found = standing.segment(oracle, oracle.frames[4]).items[-1]
    np.testing.assert_array_equal(found.mask, oracle.lid(oracle.frames[4]))


def test_a_box_is_corrected_by_a_click_off_it_and_by_one_place_that_it_means(oracle):
    frame, standing = oracle.frames[0], StandingPrompts()
    box = tuple(map(float, mask_box(oracle.whole(frame))))
    standing.add(BoxPrompt(box), oracle, frame)
    off = pixel(oracle.whole(frame) & ~oracle.lid(frame))
    answer = standing.add(Correction(0, (off,), (0,)), oracle, frame)
    assert oracle.asked[-1].labels == (1, 0)
    assert not answer.meant.mask[round(off[1]), round(off[0])]


def test_what_was_chosen_is_meant_in_later_frames(oracle):
    frame, standing = oracle.frames[0], StandingPrompts()
    standing.add(PointPrompt((pixel(oracle.lid(frame)),), (1,)), oracle, frame)
    asked = len(oracle.asked)
    answer = standing.add(Correction(choice='part'), oracle, frame)
    assert len(oracle.asked) == asked, 'nobody is asked again'
    np.testing.assert_array_equal(answer.meant.mask, oracle.lid(frame))
    resumed = StandingPrompts()
    resumed.restore(standing.state())
    for prompts in (standing, resumed):
        for later in oracle.frames[1:]:
            found = prompts.segment(oracle, later).items[-1]
            np.testing.assert_array_equal(found.mask, oracle.lid(later))


def test_a_choice_after_the_map_has_jumped_is_where_the_map_is_now(oracle):
    frame, standing = oracle.frames[0], StandingPrompts()
    standing.add(PointPrompt((pixel(oracle.lid(frame)),), (1,)), oracle, frame)
    T_new_old = np.eye(4)
    T_new_old[:3, 3] = (2.0, -1.0, 0.0)
    standing.move(T_new_old)
    moved = [replace(it, T_fixed_cam=T_new_old @ it.T_fixed_cam) for it in oracle.frames]
    standing.add(Correction(choice='part'), oracle, moved[1])
    for later in moved[2:]:
        found = standing.segment(oracle, later).items[-1]
        np.testing.assert_array_equal(found.mask, oracle.lid(later))


def test_a_choice_is_about_the_frame_that_was_answered_and_a_phrase_about_the_latest(oracle):
    session, frame = session_of(oracle), oracle.frames[0]
    session.step(frame)
    whole = session.prompt(PointPrompt((pixel(oracle.lid(frame)),), (1,))).ids
    assert len(whole) == 1
    for later in oracle.frames[1:]:
        session.step(later)
    assert session.question(Correction(choice='whole')).kept.frame is frame
    assert session.prompt(Correction(choice='whole')).ids == whole
    assert session.question(TextPrompt('the red thing'), 1).kept.frame is later


def test_corrections_that_cannot_be_say_why(oracle):
    frame, standing = oracle.frames[0], StandingPrompts()
    with pytest.raises(NotFoundError, match='no prompt to correct; wanted one of none yet'):
        standing.add(Correction(choice='part'), oracle, frame)
    standing.add(PointPrompt((pixel(oracle.lid(frame)),), (1,)), oracle, frame)
    with pytest.raises(PromptError, match=r'no alternative "sub-part".*"whole" or "part"'):
        standing.add(Correction(choice='sub-part'), oracle, frame)
    with pytest.raises(PromptError, match='2 points with 1 labels'):
        standing.add(Correction(0, ((1.0, 1.0), (2.0, 2.0)), (1,)), oracle, frame)
    with pytest.raises(NotFoundError, match='no prompt 7 to correct; wanted one of 1'):
        standing.add(Correction(7, choice='part'), oracle, frame)
    away = replace(frame, T_fixed_cam=np.diag([-1.0, -1, 1, 1]) @ frame.T_fixed_cam)
    with pytest.raises(PromptError, match='does not show what prompt 1 means'):
        standing.add(Correction(1, ((9.0, 9.0),), (1,)), oracle, away)


def session_of(oracle):
    config = Config()
    config = replace(
        config,
        reconstruction=replace(config.reconstruction, backend='geometric'),
        people=replace(config.people, use='none'),
        language=replace(config.language, names=False),
    )
    session = Session.from_config(config)
    session.segmenter = oracle
    return session


def test_a_part_is_an_object_of_its_own_if_somebody_says_so(oracle):
    session = session_of(oracle)
    for frame in oracle.frames[:3]:
        known = {item.id for item in session.step(frame).scene.objects}
    (whole,) = session.prompt(PointPrompt((pixel(oracle.lid(frame)),), (1,))).ids
    session.prompt(Correction(choice='part', apart=True))
    for later in oracle.frames[3:]:
        result = session.step(later)
    masks = {
        track.id: result.tracks.instances.items[track.instance].mask
        for track in result.tracks.items
        if track.instance >= 0
    }
    (part,) = masks.keys() - known
    assert mask_iou(masks[part], oracle.lid(later)) > 0.95
    rest = oracle.whole(later) & ~oracle.lid(later)
    assert mask_iou(masks[whole], rest) > 0.95
    highest = {}
    for item in result.scene.objects:
        seen = item.mesh.faces[item.mesh.face_labels == FaceLabel.OBSERVED].ravel()
        points = apply(item.T_fixed_obj, item.mesh.vertices_m[seen].astype(float))
        highest[item.id] = points[:, 2].max()
    assert highest[part] > 0.15
    assert highest[whole] < LID_M + 0.02, 'of the rest nothing of the part was seen'
    assert 'by itself' in session.get(whole).state_reason
