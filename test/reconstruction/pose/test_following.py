# SPDX-License-Identifier: Apache-2.0
"""Objects are followed by their shapes alone in frames that nobody segments."""

from dataclasses import replace

import numpy as np
import pytest

from sam3d_ros.reconstruction.config import ReconstructionConfig
from sam3d_ros.reconstruction.reconstructor import ObjectReconstructor

CONFIG = replace(ReconstructionConfig(), backend='geometric')
BOX_AT = (0.0, -0.08, 0.05)


def boxes(scenes, at=BOX_AT):
    return [scenes.Box(at, (0.07, 0.11, 0.10)), scenes.Ball((0.0, 0.08, 0.04), 0.04)]


@pytest.fixture
def known(scenes):
    """A stage that knows two objects, their tracks, and where they are."""
    stage = ObjectReconstructor(CONFIG)
    for number in range(3):
        frame, instances = scenes.see(boxes(scenes), noise_seed=number, stamp_ns=number)
        tracks = scenes.tracked(instances, number + 1)
        out = stage.reconstruct(frame, tracks)
    return stage, tracks, places(frame, out)


def places(frame, out):
    return {item.track_id: (frame.T_fixed_cam @ item.T_cam_obj)[:3, 3] for item in out.items}


def iou(a, b):
    return (a & b).sum() / (a | b).sum()


def test_masks_are_where_the_shapes_are_seen_from_here(scenes, known):
    stage, tracks, where = known
    frame, truth = scenes.see(boxes(scenes), (-0.5, 0.04, 0.36), noise_seed=9, stamp_ns=9)
    after, out = stage.follow(frame, tracks)
    assert after.stamp_ns == out.stamp_ns == 9
    for track, before, true in zip(after.items, tracks.items, truth.items, strict=True):
        found = after.instances.items[track.instance]
        assert iou(found.mask, true.mask) > 0.85
        assert found.score == tracks.instances.items[before.instance].score
        assert (track.hits, track.missed, track.last_seen_ns) == (before.hits, before.missed, 9)
    for track_id, place in places(frame, out).items():
        assert np.linalg.norm(place - where[track_id]) < 0.002


def test_a_pushed_object_is_followed_from_frame_to_frame(scenes, known):
    stage, tracks, where = known
    for number in range(1, 6):
        moved = boxes(scenes, (0.006 * number, BOX_AT[1] - 0.004 * number, BOX_AT[2]))
        frame, _ = scenes.see(moved, noise_seed=20 + number, stamp_ns=9 + number)
        tracks, out = stage.follow(frame, tracks)
    now = places(frame, out)
    np.testing.assert_allclose(now[1] - where[1], [0.03, -0.02, 0.0], atol=0.005)
    np.testing.assert_allclose(now[2], where[2], atol=0.002)


def test_what_is_hidden_or_out_of_the_image_has_no_mask(scenes, known):
    stage, tracks, _ = known
    frame, _ = scenes.see(boxes(scenes), noise_seed=5, stamp_ns=9)
    frame.pointmap[tracks.instances.items[0].mask] -= np.float32(0.1)  # something before it
    after, out = stage.follow(frame, tracks)
    assert [track.instance for track in after.items] == [-1, 0]
    assert [item.track_id for item in out.items] == [2]
    away, _ = scenes.see(boxes(scenes), (-0.5, 0.0, 0.35), (-1.0, 0.0, 0.2), stamp_ns=10)
    after, out = stage.follow(away, tracks)
    assert [track.instance for track in after.items] == [-1, -1]
    assert out.items == ()


def test_no_view_of_such_a_frame_is_kept(scenes, known):
    stage, tracks, _ = known
    before = stage.texture_source(1).views
    frame, _ = scenes.see(boxes(scenes), (-0.4, 0.3, 0.35), noise_seed=9, stamp_ns=9)
    stage.follow(frame, tracks)
    assert stage.texture_source(1).views == before


def test_an_object_without_a_shape_waits_for_a_segmented_frame(scenes):
    class Never:
        def ask(self, jobs):
            pass

        def finished(self):
            return []

        def keep(self, track_ids):
            pass

    stage = ObjectReconstructor(CONFIG, Never())
    frame, instances = scenes.see(boxes(scenes), noise_seed=0)
    tracks = scenes.tracked(instances)
    stage.reconstruct(frame, tracks)
    after, out = stage.follow(replace(frame, stamp_ns=1), tracks)
    assert [track.instance for track in after.items] == [-1, -1]
    assert out.items == ()
