# SPDX-License-Identifier: Apache-2.0
"""Two tracks become one by what their union and they themselves complete to, or stay two."""

from concurrent.futures import Future
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from sam3d_ros.core.types import Instance, Instances, Provenance, Track, Tracks, TrackState
from sam3d_ros.geometry.masks import mask_box
from sam3d_ros.geometry.transforms import apply
from sam3d_ros.reconstruction.completion.completer import Completed
from sam3d_ros.reconstruction.completion.lane import CompletionHere
from sam3d_ros.reconstruction.config import ReconstructionConfig
from sam3d_ros.reconstruction.reconstructor import ObjectReconstructor
from sam3d_ros.session.config import Config
from sam3d_ros.session.merging import LEARNED, Merging, Split
from sam3d_ros.session.session import Session
from sam3d_ros.tracking.config import TrackingConfig
from sam3d_ros.tracking.overlap import OverlapTracker

STEP_NS = 300_000_000
RED, GREEN = (200, 40, 40), (40, 200, 40)
LEFT, RIGHT = ((0.0, -0.04, 0.05), (0.08, 0.08, 0.10)), ((0.0, 0.04, 0.05), (0.08, 0.08, 0.10))


class FakeShape:
    """What the question looks at of a shape."""

    def __init__(self, denied):
        self.denied = denied
        self.provenance = Provenance(LEARNED)


class Reconstructor:
    """Knows the surfaces of two tracks, and answers what it is told to, when it is told to."""

    def __init__(self, frame, instances, denied):
        self._denied = denied
        self.asked = []
        self.futures = []
        self._surfaces = {
            number + 1: (
                apply(frame.T_fixed_cam, frame.pointmap[item.mask].astype(float)),
                frame.rgb[item.mask],
            )
            for number, item in enumerate(instances.items)
        }

    def surface(self, track_id, backend):
        return self._surfaces.get(track_id) if backend == LEARNED else None

    def complete(self, job):
        self.asked.append(job)
        self.futures.append(Future())
        return self.futures[-1]

    def reach(self):
        """Let the first know what the second does, too."""
        both = zip(self._surfaces[1], self._surfaces[2], strict=True)
        self._surfaces[1] = tuple(np.concatenate(each) for each in both)

    def answer(self):
        """Complete what was asked for: the union first, then its parts."""
        for number, future in enumerate(self.futures):
            future.set_result(Completed(0, FakeShape(self._denied[min(number, 1)]), (LEARNED,)))
        self.futures = []


def seen(boxes_world, at, colors=(RED, RED), gap_m=0.0):
    """A frame of two boxes side by side, and its tracks."""
    (place, size), other = RIGHT, LEFT
    boxes = ((*other, colors[0]), ((place[0], place[1] + gap_m, place[2]), size, colors[1]))
    frame, index = boxes_world((0.6, 0.0, 0.4), boxes, stamp_ns=at * STEP_NS)
    masks = [index == number for number in range(2)]
    items = tuple(Instance(mask, 0.9, mask_box(mask), 'test:all') for mask in masks)
    instances = Instances(frame.stamp_ns, items)
    tracks = tuple(
        Track(number + 1, TrackState.CONFIRMED, 3, 0, frame.stamp_ns, 0, number)
        for number in range(2)
    )
    return frame, Tracks(frame.stamp_ns, instances, tracks)


def told(boxes_world, denied, frames=12, *, reaches=False, **world):
    """The first union that is found, and how often was asked; one may know both surfaces."""
    frame, tracks = seen(boxes_world, 0, **world)
    knows = Reconstructor(frame, tracks.instances, denied)
    if reaches:
        knows.reach()
    merging = Merging(knows)
    for at in range(frames):
        frame, tracks = seen(boxes_world, at, **world)
        union = merging.update(frame, tracks)
        knows.answer()
        if union is not None:
            return union, len(knows.asked)
    return None, len(knows.asked)


def test_parts_that_complete_into_nothing_are_one_with_what_does_not(boxes_world):
    union, asked = told(boxes_world, denied=(0.0, 0.15))
    assert (union.kept, union.gone) == (1, 2) and asked == 6
    assert union.reason == (
        'one with 2: of what both complete to 0% is where nothing can be, of what the parts do 15%'
    )
    both = union.view.mask.sum()
    assert both > 0 and union.shape.denied == 0.0


@pytest.mark.parametrize('denied', [(0.15, 0.0), (0.02, 0.02)], ids=['union', 'neither'])
def test_parts_that_need_no_contradiction_stay_two(boxes_world, denied):
    union, asked = told(boxes_world, denied)
    assert union is None
    assert 6 <= asked <= 12, 'it asks again, but ever less often'


def test_one_view_is_enough_where_surfaces_reach_into_each_other(boxes_world):
    union, asked = told(boxes_world, denied=(0.02, 0.02), reaches=True)
    assert (union.kept, union.gone) == (1, 2) and asked == 3


def test_nothing_is_asked_about_what_is_apart_or_of_another_colour(boxes_world):
    assert told(boxes_world, (0.0, 0.9), gap_m=0.03) == (None, 0)
    assert told(boxes_world, (0.0, 0.9), colors=(RED, GREEN)) == (None, 0)


def test_what_was_inferred_touches_nothing(boxes_world):
    frame, tracks = seen(boxes_world, 0)
    knows = Reconstructor(frame, tracks.instances, (0.0, 0.15))
    merging = Merging(knows)
    surface = knows._surfaces.pop(2)
    assert merging.update(frame, tracks) is None and not knows.asked
    for at in range(1, 12):
        knows._surfaces[2] = surface
        assert merging.update(*seen(boxes_world, at)) is None
        knows.answer()
        # It turns out while the answer is under way.
        knows._surfaces.pop(2)
        assert merging.update(*seen(boxes_world, at)) is None
    assert knows.asked


@pytest.mark.parametrize('inferred', [0.0, 0.8])
def test_only_of_what_was_measured_is_there_a_surface_to_compare(inferred):
    shape = SimpleNamespace(provenance=Provenance(LEARNED), inferred=inferred)
    points = SimpleNamespace(vertices_m=np.zeros((5, 3), np.float32), colors=None)
    known = SimpleNamespace(
        shape=shape, points=points, is_poor=False, is_locked=False, T_fixed_obj=np.eye(4)
    )
    reconstructor = ObjectReconstructor(ReconstructionConfig())
    reconstructor._memories[1] = known
    assert (reconstructor.surface(1, LEARNED) is not None) == (inferred == 0.0)
    assert reconstructor.surface(1) is not None


def test_frames_do_not_wait_for_the_answer(boxes_world):
    frame, tracks = seen(boxes_world, 0)
    knows = Reconstructor(frame, tracks.instances, (0.0, 0.15))
    merging = Merging(knows)
    for at in range(10):
        assert merging.update(*seen(boxes_world, at)) is None
    assert len(knows.asked) == 3
    merging.clear()
    knows.answer()
    assert merging.update(*seen(boxes_world, 0)) is None


def test_one_that_is_gone_before_the_answer_is_not_merged(boxes_world):
    frame, tracks = seen(boxes_world, 0)
    knows = Reconstructor(frame, tracks.instances, (0.0, 0.15))
    merging = Merging(knows)
    for at in range(8):
        frame, tracks = seen(boxes_world, at)
        union = merging.update(frame, replace(tracks, items=tracks.items[: 1 + (at < 2)]))
        assert union is None
        knows.answer()


class Torn:
    """A segmenter that always tears one box into halves, left and right."""

    def __init__(self, mask_of):
        self._mask_of = mask_of

    def segment(self, frame, prompts=()):
        masks = self._mask_of[frame.stamp_ns]
        items = tuple(Instance(mask, 0.9, mask_box(mask), 'test:all') for mask in masks)
        return Instances(frame.stamp_ns, items)


class Sure(CompletionHere):
    """Completes as ever, and says that what shows no half needs no contradiction."""

    def order(self, job, *, patient=False):
        future = Future()
        (view,) = job.views
        completed = super().order(job, patient=patient).result()
        denied = 0.2 if (view.foreign & np.isfinite(view.pointmap[..., 2])).any() else 0.0
        future.set_result(replace(completed, shape=replace(completed.shape, denied=denied)))
        return future


def test_two_tracks_of_one_thing_are_one_with_the_older_id_and_the_reason(boxes_world):
    """After the shapes have told, the pieces of every view are put together again."""
    config = Config()
    running = Session.from_config(config, lane=Sure(config.reconstruction))
    box = ((0.0, 0.0, 0.05), (0.10, 0.16, 0.10), RED)
    halves = {}
    frames = []
    for at in range(8):
        eye = (0.6, 0.05 * at, 0.45)
        frame, index = boxes_world(eye, (box,), stamp_ns=(at + 1) * STEP_NS)
        across = apply(frame.T_fixed_cam, frame.pointmap.astype(float))[..., 1]
        halves[frame.stamp_ns] = [(index == 0) & (across < 0), (index == 0) & (across >= 0)]
        frames.append(frame)
    running.segmenter = Torn(halves)
    counts = []
    for frame in frames:
        scene = running.step(frame).scene
        counts.append(len(scene.objects))
    assert counts[:3] == [2, 2, 2] and counts[-1] == 1
    (item,) = scene.objects
    assert item.id == 1 and item.state_reason.startswith('seen; one with 2: ')
    assert np.abs(np.sort(item.size_m) - np.sort(box[1])).max() < 0.03


def test_one_that_took_anothers_surface_for_its_own_gives_it_back(boxes_world):
    """What the completion denies to the whole stays two; who knew too much knows less."""
    frame, tracks = seen(boxes_world, 0)
    knows = Reconstructor(frame, tracks.instances, (0.2, 0.0))
    own, other = (knows.surface(k, LEARNED) for k in (1, 2))
    melted = tuple(np.concatenate(both) for both in zip(own, other, strict=True))
    knows._surfaces = {1: other, 2: melted}
    merging = Merging(knows)
    for at in range(12):
        verdict = merging.update(*seen(boxes_world, at))
        knows.answer()
        if verdict is not None:
            break
    assert isinstance(verdict, Split) and (verdict.kept, verdict.other) == (2, 1)
    assert verdict.reason.startswith('not one with 1: of what both complete to 20%')


def test_a_track_forgets_the_surface_of_another_and_keeps_its_id(boxes_world):
    tracker = OverlapTracker(TrackingConfig())
    frame, tracks = seen(boxes_world, 0)
    both, second = (tracks.instances.items[k].mask for k in (0, 1))
    for track_id, mask in ((1, both | second), (2, second)):
        points = apply(frame.T_fixed_cam, frame.pointmap[mask].astype(float))
        tracker.adopt(track_id, points, frame.rgb[mask], frame.stamp_ns)
    tracker.split(1, 2)
    ids = {track.id: track.instance for track in tracker.update(frame, tracks.instances).items}
    assert ids == {1: 0, 2: 1}
    known = {memory.id: memory.sighting.points_fixed for memory in tracker._memories}
    assert (known[1][:, 1] < 0.01).all() and (known[2][:, 1] > -0.01).all()
