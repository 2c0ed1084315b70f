# SPDX-License-Identifier: Apache-2.0
"""One owner of what is remembered: ids last, wherever frames, prompts and requests come from."""

import logging
from dataclasses import replace
from types import SimpleNamespace
from unittest.mock import Mock

import numpy as np
import pytest

from sam3d_ros.core.errors import (
    BackendError,
    InputError,
    NotFoundError,
    NotReadyError,
    PromptError,
)
from sam3d_ros.core.types import (
    BoxPrompt,
    ExemplarPrompt,
    MaskPrompt,
    ObjectState,
    PointPrompt,
    TextPrompt,
)
from sam3d_ros.export.scene_files import read_scene, write_scene
from sam3d_ros.geometry.cameras import project
from sam3d_ros.geometry.transforms import apply, inverse
from sam3d_ros.language.grounding import find
from sam3d_ros.reconstruction.completion.lane import CompletionWorker
from sam3d_ros.session.config import Config, PromptConfig, SessionConfig
from sam3d_ros.session.saving.store import VERSION
from sam3d_ros.session.session import Session

BOXES = (
    ((0.0, 0.15, 0.06), (0.10, 0.08, 0.12), (200, 40, 40)),
    ((0.05, -0.15, 0.05), (0.12, 0.12, 0.10), (40, 200, 40)),
)
EYES = tuple((0.9 - 0.02 * at, 0.06 * at, 0.7) for at in range(5))
STEP_NS = 100_000_000
OVER_SECOND = (0.05, -0.15, 0.08)


@pytest.fixture(scope='module')
def frames(boxes_world):
    """Five frames of a moving camera."""
    return [boxes_world(eye, BOXES, stamp_ns=(at + 1) * STEP_NS)[0] for at, eye in enumerate(EYES)]


def config(**groups):
    default = Config()
    fast = replace(default.reconstruction, backend='geometric')
    segmentation = replace(default.segmentation, backend='geometric')
    return replace(default, reconstruction=fast, segmentation=segmentation, **groups)


def session(frames=(), say=logging.warning, **groups):
    made = Session.from_config(config(**groups), say)
    for frame in frames:
        made.step(frame)
    return made


def pixel(frame, point):
    u, v = project(apply(inverse(frame.T_fixed_cam), np.array(point)), frame.camera)
    return float(u), float(v)


def around(place, by_px=16.0):
    (u, v) = place
    return u - by_px, v - by_px, u + by_px, v + by_px


def ids(scene):
    return [item.id for item in scene.objects]


def assert_same(one, other):
    """Two scenes are the same to the last bit."""
    assert (one.stamp_ns, ids(one)) == (other.stamp_ns, ids(other))
    for a, b in zip(one.objects, other.objects, strict=True):
        assert (a.state, a.hits, a.missed, a.first_seen_ns) == (
            b.state,
            b.hits,
            b.missed,
            b.first_seen_ns,
        )
        for name in ('T_fixed_obj', 'covariance', 'size_m'):
            np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
        for name in ('vertices_m', 'faces', 'colors', 'face_labels'):
            np.testing.assert_array_equal(getattr(a.mesh, name), getattr(b.mesh, name))


def test_a_resumed_session_goes_on_as_if_nothing_had_happened(frames, tmp_path):
    whole = session()
    results = [whole.step(frame) for frame in frames]
    first = session(frames[:3])
    first.prompt(PointPrompt((pixel(frames[2], OVER_SECOND),), (1,)))
    whole.prompt(PointPrompt((pixel(frames[2], OVER_SECOND),), (1,)), frames[2].stamp_ns)
    first.save(tmp_path)
    resumed = session()
    resumed.resume(tmp_path)
    assert_same(resumed.scene(), results[2].scene)
    unprompted = session(frames[:3])
    unprompted.save(tmp_path / 'plain')
    resumed = session()
    resumed.resume(tmp_path / 'plain')
    for frame, result in zip(frames[3:], results[3:], strict=True):
        assert_same(resumed.step(frame).scene, result.scene)


def test_what_was_asked_for_is_still_looked_for_after_a_resume(frames, tmp_path):
    prompts = PromptConfig(only=True)
    first = session(prompts=prompts)
    first.step(frames[0], prompts=[PointPrompt((pixel(frames[0], OVER_SECOND),), (1,))])
    first.save(tmp_path)
    resumed = session(prompts=prompts)
    resumed.resume(tmp_path)
    assert len(resumed.step(frames[1]).scene.objects) == 1


def test_a_session_with_a_folder_saves_and_resumes_itself(frames, tmp_path):
    kept = SessionConfig(folder=str(tmp_path / 'kept'), autosave_s=0.0)
    first = session(frames[:3], session=kept)
    before = first.scene()
    first.close()
    assert_same(session(session=kept).scene(), before)


def test_a_folder_that_cannot_be_written_to_costs_a_sentence(frames, tmp_path):
    (tmp_path / 'file').write_text('in the way')
    said = []
    kept = SessionConfig(folder=str(tmp_path / 'file'), autosave_s=0.0)
    running = session(frames[:3], said.append, session=kept)
    running.close()
    (sentence,) = said
    assert 'cannot be saved' in sentence and 'session.folder' in sentence
    assert len(running.scene().objects) == 2


@pytest.mark.parametrize('kind', ['version', 'damaged', 'foreign'])
def test_what_cannot_be_resumed_costs_a_sentence(frames, tmp_path, kind):
    session(frames[:2]).save(tmp_path)
    place = tmp_path / f'v{VERSION}'
    if kind == 'version':
        place.rename(tmp_path / 'v0')
    elif kind == 'damaged':
        (place / 'state.npz').write_bytes(b'PK nonsense')
    else:
        other = session(frames[:2])
        other._reconstructor.state = lambda: {'1': {'no': 'such'}}
        other.save(tmp_path)
    said = []
    kept = SessionConfig(folder=str(tmp_path))
    started = session(say=said.append, session=kept)
    (sentence,) = said
    assert sentence.startswith('the session starts empty')
    assert len(started.step(frames[0]).scene.objects) == 2
    started.close()
    with pytest.raises(InputError, match='no session in'):
        started.resume(tmp_path / 'nothing')


def test_time_that_goes_back_starts_anew_and_ids_go_on(frames):
    said = []
    running = session(frames[:3], said.append)
    again = running.step(frames[0])
    assert min(ids(again.scene)) > 2
    assert again.scene.removed == (1, 2)
    assert 'went back by 0.200 s' in said[0]


def test_a_second_frame_of_the_same_stamp_is_refused(frames):
    running = session(frames[:1])
    with pytest.raises(InputError, match='second frame of camera'):
        running.step(frames[0])


def test_another_fixed_frame_starts_anew(frames):
    said = []
    running = session(frames[:3], said.append)
    moved = replace(frames[3], fixed_frame='map')
    assert min(ids(running.step(moved).scene)) > 2
    assert '"map" and no longer "world"' in said[0]


def test_a_clear_starts_at_one(frames):
    running = session(frames[:2])
    running.clear()
    assert running.scene().objects == ()
    assert ids(running.step(frames[2]).scene) == [1, 2]


def test_a_removed_object_stays_away(frames):
    running = session(frames[:3])
    running.remove(1)
    assert ids(running.scene()) == [2]
    assert ids(running.step(frames[3]).scene) == [2]
    for call in (running.remove, running.get, running.rebuild):
        with pytest.raises(NotFoundError, match='no object 77; wanted one of: 2'):
            call(77)


def test_a_scene_from_a_folder_keeps_its_ids(frames, tmp_path):
    write_scene(session(frames[:3]).scene(), tmp_path)
    other = session()
    other.load(read_scene(tmp_path))
    assert ids(other.scene()) == [1, 2]
    states = [item.state for item in other.step(frames[3]).scene.objects]
    assert states == [ObjectState.VISIBLE] * 2
    elsewhere = replace(read_scene(tmp_path), fixed_frame='map')
    with pytest.raises(InputError, match=r'"map" that is not recognised: .* wanted "world", or 3'):
        other.load(elsewhere)


def test_a_loaded_object_keeps_its_frame_and_if_locked_its_shape(frames, tmp_path):
    first = session(frames[:3])
    first.edit(1, locked=True)
    write_scene(first.scene(), tmp_path)
    saved = {item.id: item for item in read_scene(tmp_path).objects}
    other = session()
    other.load(read_scene(tmp_path))
    for frame in frames[3:]:
        now = {item.id: item for item in other.step(frame).scene.objects}
    for key, item in saved.items():
        off = inverse(item.T_fixed_obj) @ now[key].T_fixed_obj
        np.testing.assert_allclose(off, np.eye(4), atol=0.03)
    assert now[1].locked and not now[2].locked
    same = [np.array_equal(now[key].mesh.faces, saved[key].mesh.faces) for key in (1, 2)]
    assert same == [True, False]


def test_an_object_is_made_again_whether_it_is_seen_or_not(frames, boxes_world):
    running = session(frames[:3])
    away, _ = boxes_world((0.9, 0.0, 0.7), (), stamp_ns=4 * STEP_NS, target=(3.0, 0.0, 0.7))
    running.step(away)
    made = [running.deliver(running.rebuild(object_id).result()) for object_id in (1, 2)]
    assert [item.id for item in made] == [1, 2]
    assert all(item.state == ObjectState.OUT_OF_VIEW for item in made)
    with pytest.raises(BackendError, match='no_such'):
        running.rebuild(1, 'no_such').result()


def test_a_corrected_object_keeps_its_id_and_gets_another_shape(frames):
    running = session(frames[:3])
    scene = running.scene()
    places = {item.id: apply(item.T_fixed_obj, item.box_center_m) for item in scene.objects}
    green = min(places, key=lambda id_: np.linalg.norm(places[id_] - OVER_SECOND))
    red = 3 - green
    running.correct(red, PointPrompt((pixel(frames[2], OVER_SECOND),), (1,)))
    item = next(it for it in running.step(frames[3]).scene.objects if it.id == red)
    place = apply(item.T_fixed_obj, item.box_center_m)
    assert np.linalg.norm(place - OVER_SECOND) < 0.05


def test_a_correction_that_cannot_be_says_why_and_changes_nothing(frames):
    running = session()
    point = PointPrompt((pixel(frames[2], OVER_SECOND),), (1,))
    with pytest.raises(NotReadyError, match='no frame yet'):
        running.correct(1, point)
    for frame in frames[:3]:
        running.step(frame)
    everything = np.ones(frames[2].depth_m.shape, bool)
    for prompt, complaint in (
        (TextPrompt('mug'), 'a TextPrompt for one object; wanted points, a box or a mask'),
        (ExemplarPrompt((1.0, 1.0, 9.0, 9.0)), 'an? ExemplarPrompt for one object'),
        (PointPrompt(((500.0, 10.0),), (1,)), 'in the image of 160 x 120'),
        (PointPrompt(((1.0, 1.0),), (1,)), 'points at nothing'),
        (PointPrompt(((80.0, 60.0),), (0,)), 'at least one of them 1'),
        (BoxPrompt((500.0, 500.0, 600.0, 600.0)), 'points at nothing'),
        (BoxPrompt((9.0, 9.0, 1.0, 1.0)), 'left < right'),
        (MaskPrompt(everything[:9]), 'mask of 160 x 9 pixels'),
        (MaskPrompt(~everything), 'points at nothing'),
    ):
        with pytest.raises(PromptError, match=complaint):
            running.correct(1, prompt)
    with pytest.raises(NotFoundError, match='no object 77; wanted one of: 1, 2'):
        running.correct(77, point)
    with pytest.raises(NotFoundError, match=r'prompts\.keep_frames'):
        running.correct(1, point, stamp_ns=5)
    assert_same(running.step(frames[3]).scene, session(frames[:4]).scene())


@pytest.mark.parametrize(
    'prompt',
    [
        lambda frame: PointPrompt((pixel(frame, OVER_SECOND),), (1,)),
        lambda frame: BoxPrompt(
            tuple(
                np.repeat([pixel(frame, (0.05, -0.15, 0.05))], 2, 0).ravel() + [-16, -16, 16, 16]
            )
        ),
    ],
    ids=['point', 'box'],
)
def test_only_what_is_asked_for_is_listed(frames, prompt):
    running = session(prompts=PromptConfig(only=True))
    running.step(frames[0], prompts=[prompt(frames[0])])
    for frame in frames[1:]:
        scene = running.step(frame).scene
    (item,) = scene.objects
    assert np.linalg.norm(apply(item.T_fixed_obj, item.box_center_m) - OVER_SECOND) < 0.06
    assert session(frames[:2], prompts=PromptConfig(only=True)).scene().objects == ()


def test_prompts_that_cannot_be_served_say_why(frames):
    running = session()
    with pytest.raises(NotReadyError, match='no frame yet'):
        running.prompt(PointPrompt(((1.0, 1.0),), (1,)))
    running.step(frames[0])
    with pytest.raises(PromptError, match='in the image of 160 x 120'):
        running.prompt(PointPrompt(((500.0, 10.0),), (1,)))
    with pytest.raises(PromptError, match='points at nothing'):
        running.prompt(BoxPrompt((500.0, 500.0, 600.0, 600.0)))
    with pytest.raises(PromptError, match='elephant'):
        running.prompt(TextPrompt('elephant'))
    with pytest.raises(NotFoundError, match=r'prompts\.keep_frames'):
        running.prompt(PointPrompt(((1.0, 1.0),), (1,)), stamp_ns=5)
    blind = replace(
        frames[1], pointmap=np.full_like(frames[1].pointmap, np.nan), stamp_ns=frames[1].stamp_ns
    )
    running.step(blind)
    with pytest.raises(PromptError):
        running.prompt(PointPrompt(((80.0, 60.0),), (1,)))


def test_in_frames_between_known_objects_are_followed(frames, monkeypatch):
    running = session(session=SessionConfig(segment_every=3))
    asked = []
    usual = running.segmenter

    class Counting:
        def segment(self, frame, prompts=()):
            asked.append(frame.stamp_ns)
            return usual.segment(frame, prompts)

    running.segmenter = Counting()
    looked = Mock(side_effect=running._names.update)
    monkeypatch.setattr(running._names, 'update', looked)
    results = [running.step(frame) for frame in frames]
    assert asked == [frames[0].stamp_ns, frames[3].stamp_ns]
    assert looked.call_count == 2, 'copied labels are no votes of their own'
    for result in results:
        assert ids(result.scene) == [1, 2]
        for item, (center, *_) in zip(result.scene.objects, BOXES, strict=True):
            assert np.linalg.norm(apply(item.T_fixed_obj, item.box_center_m) - center) < 0.03


def test_backends_are_told_of_the_end(frames):
    running = session(frames[:1])
    usual, running.segmenter = running.segmenter, Mock()
    assert not hasattr(usual, 'close') and not hasattr(running._tracker, 'close')
    running.close()
    running.segmenter.close.assert_called_once_with()


def test_masks_of_somebody_else_take_the_place_of_the_segmenters(frames):
    usual = session()
    instances = usual.segmenter.segment(frames[0])

    class Nobody:
        def segment(self, frame, prompts=()):
            raise AssertionError('nobody is asked')

    running = session()
    running.segmenter = Nobody()
    result = running.step(frames[0], replace(instances, items=instances.items[:1]))
    assert len(result.scene.objects) == 1


def test_textures_are_of_the_latest_meshes(frames, tmp_path):
    running = session(frames[:3])
    scene = running.scene()
    textured = running.textured(scene)
    assert all(item.mesh.texture is not None for item in textured.objects)
    running.save(tmp_path)
    resumed = session()
    resumed.resume(tmp_path)
    assert set(resumed.texture_sources(resumed.scene())) == {1, 2}
    running.clear()
    assert running.texture_sources(scene) == {}


def test_in_a_hurry_frames_between_are_followed_for_as_long_as_allowed(frames):
    running = session(frames[:3], session=SessionConfig(hurry_s=0.25))

    def is_followed(stamp, **changes):
        frame = replace(frames[2], stamp_ns=stamp * STEP_NS, **changes)
        result = running.step(frame, hurry=stamp != 7)
        assert [item.id for item in result.scene.objects] == [1, 2]
        assert all(item.state == ObjectState.VISIBLE for item in result.scene.objects)
        return result.times.segmentation_s == 0

    # .1 and .2 s after the third frame, then .3 s; 7 is in no hurry.
    assert [is_followed(stamp) for stamp in (4, 5, 6, 7, 8, 9, 10)] == [
        *(True, True, False),
        *(False, True, True, False),
    ]
    assert not is_followed(11, camera_id='other'), 'its first frame'


def test_poses_are_told_before_a_frame_is_segmented_and_change_nothing(frames, boxes_world):
    plain, running = session(frames[:3]), session(frames[:3])
    order, segment = [], running.segmenter.segment
    running.segmenter = SimpleNamespace(
        segment=lambda frame, prompts=(): order.append(None) or segment(frame, prompts)
    )
    result = running.step(frames[3], early=order.append)
    assert_same(result.scene, plain.step(frames[3]).scene)
    early, asked = order
    assert asked is None and ids(early) == [1, 2]
    assert (early.stamp_ns, early.fixed_frame) == (frames[3].stamp_ns, 'world')
    for told, item in zip(early.objects, result.scene.objects, strict=True):
        np.testing.assert_allclose(told.T_fixed_obj[:3, 3], item.T_fixed_obj[:3, 3], atol=1e-3)
        np.testing.assert_allclose(told.T_fixed_obj, item.T_fixed_obj, atol=5e-3)
    order.clear()
    # What is no longer where it was waits for the segmenter; so does a phrase for its answer.
    (x, y, z), *box = BOXES[1]
    moved, _ = boxes_world(EYES[4], (BOXES[0], ((x + 0.3, y, z), *box)), stamp_ns=5 * STEP_NS)
    running.step(moved, early=order.append)
    assert ids(order[0]) == [1] and order[1:] == [None]
    running.step(replace(frames[4], stamp_ns=6 * STEP_NS), hurry=True, early=order.append)
    assert len(order) == 2, 'what is only followed is told of by its result'
    first = session()
    first.step(frames[0], early=order.append)
    assert len(order) == 2, 'nothing is known yet'
    # What was lost while it was only followed waits for the segmenter, too.
    order.clear()
    away, _ = boxes_world(EYES[4], BOXES[:1], stamp_ns=7 * STEP_NS)
    running.step(away, hurry=True, early=order.append)
    running.step(replace(moved, stamp_ns=8 * STEP_NS), early=order.append)
    assert ids(order[0]) == [1] and order[1:] == [None]


def test_shapes_that_come_late_are_told_whether_their_objects_are_seen_or_not(frames, boxes_world):
    lane = CompletionWorker(config().reconstruction, print)
    running = Session.from_config(config(), lane=lane)
    assert running.late() is None
    running.step(frames[0])
    away, _ = boxes_world((0.9, 0.0, 0.7), (), stamp_ns=2 * STEP_NS, target=(3.0, 0.0, 0.7))
    running.step(away)
    lane.wait_until_idle()
    running.late()
    assert len(running.scene().objects) == 0, 'tentative and not seen'
    assert all(len(running.get(object_id).mesh.faces) for object_id in (1, 2))
    assert running.late() is None
    running.close()
    lane.close()


def test_a_phrase_lists_only_what_it_means(frames):
    running = session(frames, prompts=PromptConfig(text='the red thing'))
    assert len(ids(running.scene())) == 1
    everything = session(frames)
    (red,) = find(everything.known(), 'the red thing').objects
    assert red.id == ids(running.scene())[0]
    sides = [
        find(everything.known(), f'the thing {side} of the red one') for side in ('left', 'right')
    ]
    (green,) = find(everything.known(), 'the green thing').objects
    assert [item.id for answer in sides for item in answer.objects] == [green.id] != [red.id]
    assert find(everything.known(), 'the blue thing').objects == ()


def test_phrases_and_exemplars_are_prompts_that_stand(frames):
    running = session(frames[:3])
    red = find(running.known(), 'the red thing').objects[0].id
    assert running.prompt(TextPrompt('the red thing')).ids == (red,)
    with pytest.raises(PromptError, match='nothing here is'):
        running.prompt(TextPrompt('the blue thing'))
    with pytest.raises(PromptError, match='cannot be grounded'):
        running.prompt(TextPrompt('the red elephant'))
    u, v = pixel(frames[2], BOXES[0][0])
    assert red in running.prompt(ExemplarPrompt((u - 9, v - 11, u + 9, v + 11))).ids
    with pytest.raises(PromptError, match='no object fills the box'):
        running.prompt(ExemplarPrompt((0, 0, 5, 5)))


def test_a_phrase_of_the_start_that_cannot_be_understood_stops_at_once():
    with pytest.raises(PromptError, match='names two things'):
        session(prompts=PromptConfig(text='the cup and the bowl'))
