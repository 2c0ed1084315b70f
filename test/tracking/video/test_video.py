# SPDX-License-Identifier: Apache-2.0
"""Video models in the loop: random ones through the whole session, a scripted one step by step."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='video models need torch (extra: sam)')
pytest.importorskip('transformers', reason='video models need it (extra: sam)')

from sam3d_ros.core.errors import BackendError
from sam3d_ros.core.types import Instance, Instances
from sam3d_ros.geometry.masks import mask_box
from sam3d_ros.reconstruction.config import ReconstructionConfig
from sam3d_ros.reconstruction.reconstructor import ObjectReconstructor
from sam3d_ros.scene.config import SceneConfig
from sam3d_ros.scene.memory import ObjectMemory
from sam3d_ros.session.session import Session
from sam3d_ros.tracking.config import TrackingConfig, VideoConfig
from sam3d_ros.tracking.video import memory as memory_module
from sam3d_ros.tracking.video.masklets import Masklets
from sam3d_ros.tracking.video.memory import Followed
from sam3d_ros.tracking.video.tracker import (
    EdgeTamVideoTracker,
    Sam2VideoTracker,
    Sam3VideoTracker,
    VideoTracker,
)

KINDS = {
    'sam2_video': Sam2VideoTracker,
    'sam3_video': Sam3VideoTracker,
    'edgetam_video': EdgeTamVideoTracker,
}
BOXES = [
    ((-0.15, 0.0, 0.06), (0.12, 0.12, 0.12), (200, 40, 40)),
    ((0.15, 0.0, 0.05), (0.1, 0.1, 0.1), (40, 40, 200)),
]


@pytest.fixture(scope='module')
def views(boxes_world):
    """Return frames of two boxes, 10 a second, and their index images."""
    eyes = [(0.05 * k, -0.8, 0.6) for k in range(6)]
    return [boxes_world(eye, BOXES, (k + 1) * 10**8) for k, eye in enumerate(eyes)]


def detected(view, boxes=(0, 1)):
    frame, index = view
    masks = {box: index == box for box in boxes}
    items = [Instance(mask, 0.9, mask_box(mask), 'truth', str(b)) for b, mask in masks.items()]
    return Instances(frame.stamp_ns, tuple(items))


def options(checkpoint='', **values):
    return TrackingConfig(video=VideoConfig(checkpoint=checkpoint, device='cpu', **values))


class Detector:
    """Answers with the true masks of the views."""

    def __init__(self, views):
        self._views = {view[0].stamp_ns: view for view in views}

    def segment(self, frame, prompts=()):
        return detected(self._views[frame.stamp_ns])


@pytest.mark.parametrize('kind', sorted(KINDS))
def test_a_random_checkpoint_goes_through_the_whole_session(kind, request, views):
    config = options(request.getfixturevalue(kind), prompt_every=4)
    session = Session(
        Detector(views),
        KINDS[kind](config),
        ObjectReconstructor(ReconstructionConfig(backend='geometric')),
        ObjectMemory(SceneConfig()),
    )
    for frame, _ in views:
        result = session.step(frame)
    assert sorted(item.id for item in result.scene.objects) == [1, 2]
    assert session._tracker._memory.ids == {1, 2}
    saved = session._tracker.state()
    session.reset()
    assert session._tracker._memory.ids == set()
    session._tracker.restore(saved)
    again = session._tracker.update(views[-1][0], detected(views[-1]))
    assert {1, 2} <= {track.id for track in again.items}


@pytest.mark.parametrize('kind', sorted(KINDS))
def test_a_memory_is_bounded_and_the_same_every_time(kind, request, views, monkeypatch):
    monkeypatch.setattr(memory_module, 'REMEMBERED_FRAMES', 2)
    memories = [KINDS[kind](options(request.getfixturevalue(kind)))._memory for _ in range(2)]
    frame, index = views[0]
    said = []
    for memory in memories:
        memory.begin(frame.rgb, {7: index == 0, 3: index == 1})
        for later, _ in views[1:]:
            found = memory.follow(later.rgb)
        said.append(found)
        assert set(found) == memory.ids == {3, 7}
        kept = memory._session
        assert sum(pixels.numel() > 0 for pixels in kept.processed_frames.values()) == 1
        for outputs in kept.output_dict_per_obj.values():
            assert len(outputs['cond_frame_outputs']) == 1
            assert len(outputs['non_cond_frame_outputs']) == 3
    for object_id in (3, 7):
        a, b = said[0][object_id], said[1][object_id]
        assert a.mask.shape == index.shape
        assert (a.mask == b.mask).all()
        assert a.score == b.score
        assert 0 <= a.score <= 1


def test_what_it_begins_with_is_what_it_remembers(sam2_video, views):
    """The model takes a mask that it is prompted with as its own answer in that frame."""
    memory = Sam2VideoTracker(options(sam2_video))._memory
    frame, index = views[0]
    memory.begin(frame.rgb, {1: index == 0})
    logits = memory._session.output_dict_per_obj[0]['cond_frame_outputs'][0]['pred_masks']
    mask = (memory._space.to_image(logits[:, 0]) > 0).numpy()[0]
    assert (mask & (index == 0)).sum() > 0.8 * (mask | (index == 0)).sum()


def test_a_missing_checkpoint_is_said(tmp_path):
    with pytest.raises(BackendError, match='no checkpoint'):
        Sam2VideoTracker(options(str(tmp_path / 'nothing')))


class Scripted:
    """A memory that says what the test tells it to, and notes what it is told.

    :param says: by frame, what is said of each remembered object.
    """

    def __init__(self, says):
        self.says, self.frame, self.ids = says, -1, set()
        self.begun = []

    def forget(self):
        self.ids = set()

    def begin(self, rgb, masks):
        self.ids = set(masks)
        self.begun.append(dict(masks))

    def follow(self, rgb):
        self.frame += 1
        said = self.says[self.frame]
        return {k: Followed(*said.get(k, (np.zeros(rgb.shape[:2], bool), 0.0))) for k in self.ids}


def truth(views, k, score=0.9):
    return {box + 1: (views[k][1] == box, score) for box in (0, 1)}


def run(views, says, seen, **values):
    """Return the memory and the tracks after each frame.

    :param says: from the third frame on; until then, nothing is confirmed and remembered.
    :param seen: the detected boxes in each frame.
    """
    memory = Scripted(says)
    tracker = VideoTracker(options(**values), memory, 'scripted')
    after = [
        tracker.update(view[0], detected(view, boxes))
        for view, boxes in zip(views, seen, strict=True)
    ]
    return memory, after


def test_an_object_that_no_detector_sees_is_followed_once_it_is_confirmed(views):
    says = [truth(views, k) for k in (3, 4, 5)]
    memory, after = run(views, says, [(0, 1)] * 4 + [(0,)] * 2)
    (missing,) = [track for track in after[-1].items if track.id == 2]
    item = after[-1].instances.items[missing.instance]
    assert item.source == 'scripted:followed'
    assert (item.mask == (views[5][1] == 1)).all()
    assert len(memory.begun) == 1  # nothing was wrong: the memory never began anew
    labels = {track.id: after[3].instances.items[track.instance].label for track in after[3].items}
    assert labels == {1: '0', 2: '1'}  # what matches keeps the words of the detector


def test_what_no_detection_has_matched_for_long_is_not_shown_but_still_followed(views):
    says = [truth(views, k) for k in (3, 4, 5)]
    memory, after = run(views, says, [(0, 1)] * 4 + [(0,)] * 2, keep_alive_s=0.1)
    shown = [{track.id for track in tracks.items if track.instance >= 0} for tracks in after]
    assert shown[3:] == [{1, 2}, {1, 2}, {1}]
    assert memory.ids == {1, 2}
    assert {track.id for track in after[-1].items} == {1, 2}  # only free space ends a track


def test_of_two_masks_on_one_thing_the_one_that_was_hidden_last_is_left_out(views):
    masklets = Masklets(VideoConfig())
    here, there = views[0][1] == 0, views[0][1] == 1
    nothing = np.zeros_like(here)
    masklets.hidden({1: Followed(nothing, 0.0), 2: Followed(there, 0.9)}, 0.5, 100)
    masklets.hidden({1: Followed(here, 0.9), 2: Followed(there, 0.2)}, 0.5, 200)
    assert masklets.drawn_away({1: here, 2: here, 3: there}) == {2}
    assert masklets.drawn_away({1: here, 3: here}) == {1}
    assert masklets.drawn_away({1: here, 2: there}) == set()
    assert Masklets(VideoConfig()).drawn_away({1: here, 2: here}) == set()


def test_a_newcomer_on_trial_lives_on_detections_alone(views):
    memory, after = run(views, [{}] * 5, [(0, 1)] + [(0,)] * 5)
    assert [track.id for track in after[1].items if track.instance >= 0] == [1]
    assert all(2 not in masks for masks in memory.begun)


def test_what_disagrees_with_the_surface_in_space_begins_anew(views):
    wrong = {1: (views[4][1] == 1, 0.95), 2: (views[4][1] == 0, 0.9)}  # exchanged
    memory, after = run(views, [truth(views, 3), wrong, truth(views, 5)], [(0, 1)] * 6)
    assert len(memory.begun) == 2
    assert (memory.begun[1][1] == (views[4][1] == 0)).all()
    for k, tracks in enumerate(after):
        for track in tracks.items:
            mask = tracks.instances.items[track.instance].mask
            assert (mask & (views[k][1] == track.id - 1)).any()


def test_masks_in_space_seed_what_the_detector_misses(views):
    """The memory loses an object while it is not detected: its surface points stand in for it."""
    lost = {1: (views[4][1] == 0, 0.9)}
    seen = [(0, 1)] * 4 + [(0,)] * 2
    memory, _ = run(views, [truth(views, 3), lost, truth(views, 5)], seen)
    seeded = memory.begun[1][2]
    assert (seeded & (views[4][1] == 1)).sum() > 0.6 * (seeded | (views[4][1] == 1)).sum()


def test_a_newly_confirmed_object_joins_and_an_old_memory_begins_anew(views):
    says = [truth(views, k) for k in (3, 4, 5)]
    memory, _ = run(views, says, [(0,)] + [(0, 1)] * 5, prompt_every=2)
    assert [set(masks) for masks in memory.begun if masks] == [{1}, {1, 2}, {1, 2}]


def test_another_camera_has_another_memory(views):
    memory = Scripted([])
    tracker = VideoTracker(options(), memory, 'scripted')
    for view in views[:3]:
        tracker.update(view[0], detected(view))
    tracker.update(replace(views[3][0], camera_id='left'), detected(views[3]))
    assert memory.frame == -1  # nothing was followed from one camera into the other
    assert len(memory.begun) == 2
