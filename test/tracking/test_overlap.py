# SPDX-License-Identifier: Apache-2.0
"""Ids must survive camera motion, occlusion and absence from view; free space must end them."""

from dataclasses import replace

import numpy as np
import pytest

from sam3d_ros.core.types import Instance, Instances, TrackState
from sam3d_ros.geometry.masks import mask_box
from sam3d_ros.tracking.config import PortraitConfig, TrackingConfig
from sam3d_ros.tracking.overlap import OverlapTracker

STEP_NS = 100_000_000
RED, GREEN, BLUE = (200, 30, 30), (30, 200, 30), (30, 30, 200)
BOXES = [
    ((0.0, -0.12, 0.05), (0.08, 0.08, 0.10), RED),
    ((0.0, 0.10, 0.04), (0.10, 0.06, 0.08), GREEN),
    ((-0.15, 0.0, 0.06), (0.06, 0.06, 0.12), BLUE),
]


def instances_of(frame, index, keep=None):
    items = []
    for number in np.unique(index[index >= 0]):
        if keep is not None and number not in keep:
            continue
        mask = index == number
        rows, columns = np.nonzero(mask)
        box = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        items.append(Instance(mask, 0.9, tuple(int(v) for v in box), f'truth:{number}'))
    return Instances(frame.stamp_ns, tuple(items))


def ids_by_source(tracks):
    items = tracks.instances.items
    return {items[t.instance].source: t.id for t in tracks.items if t.instance >= 0}


def step(tracker, world, eye, boxes, stamp, keep=None, **kwargs):
    frame, index = world(eye, boxes, stamp_ns=stamp * STEP_NS, **kwargs)
    return tracker.update(frame, instances_of(frame, index, keep))


@pytest.fixture
def tracker():
    return OverlapTracker(TrackingConfig())


def test_moving_camera_keeps_ids_and_confirms_after_three_hits(tracker, boxes_world):
    states, seen = [], []
    for k in range(12):
        angle = 0.1 * k
        eye = (0.8 * np.cos(angle), 0.8 * np.sin(angle), 0.6)
        tracks = step(tracker, boxes_world, eye, BOXES, k)
        seen.append(ids_by_source(tracks))
        states.append({track.state for track in tracks.items})
    assert all(ids == seen[0] for ids in seen)
    assert sorted(seen[0].values()) == [1, 2, 3]
    assert states[1] == {TrackState.TENTATIVE}
    assert states[2] == {TrackState.CONFIRMED}


def test_id_survives_full_occlusion(tracker, boxes_world):
    eye = (0.9, 0.0, 0.5)
    for k in range(4):
        before = step(tracker, boxes_world, eye, BOXES[:1], k)
    screen = ((0.3, -0.05, 0.15), (0.02, 0.5, 0.30), BLUE)
    for k in range(4, 12):
        hidden = step(tracker, boxes_world, eye, [BOXES[0], screen], k)
    assert {1} < {track.id for track in hidden.items}
    assert next(t for t in hidden.items if t.id == 1).instance == -1
    after = step(tracker, boxes_world, eye, BOXES[:1], 12)
    assert ids_by_source(before) == ids_by_source(after)


def test_id_survives_absence_from_view(tracker, boxes_world):
    for k in range(4):
        before = step(tracker, boxes_world, (0.8, 0.0, 0.6), BOXES, k)
    for k in range(4, 10):
        away = step(tracker, boxes_world, (0.8, 0.0, 0.6), BOXES, k, target=(2.0, 0.0, 0.5))
    assert len(away.items) == 3
    after = step(tracker, boxes_world, (0.0, 0.8, 0.6), BOXES, 10)
    assert ids_by_source(before) == ids_by_source(after)


def test_free_space_ends_a_track_and_what_comes_back_is_known_again(tracker, boxes_world):
    eye = (0.8, 0.0, 0.6)
    for k in range(4):
        step(tracker, boxes_world, eye, BOXES, k)
    counts = [len(step(tracker, boxes_world, eye, BOXES[:2], k).items) for k in range(4, 8)]
    assert counts == [3, 3, 2, 2]
    back = step(tracker, boxes_world, eye, BOXES, 8)
    assert {track.id for track in back.items} == {1, 2, 3}


def test_an_id_is_not_given_to_something_else(tracker, boxes_world):
    eye = (0.8, 0.0, 0.6)
    for k in range(4):
        step(tracker, boxes_world, eye, BOXES, k)
    other = (BOXES[2][0], BOXES[2][1], GREEN)
    for k in range(4, 8):
        tracks = step(tracker, boxes_world, eye, BOXES[:2], k)
    for k in range(8, 12):
        tracks = step(tracker, boxes_world, eye, [*BOXES[:2], other], k)
    assert {track.id for track in tracks.items} == {1, 2, 4}


def test_absence_is_told_once(tracker, boxes_world):
    eye = (0.8, 0.0, 0.6)
    for k in range(4):
        step(tracker, boxes_world, eye, BOXES, k)
    gone = ids_by_source(step(tracker, boxes_world, eye, BOXES, 4))['truth:2']
    told = [step(tracker, boxes_world, eye, BOXES[:2], k).absent for k in range(5, 10)]
    assert [absent for absent in told if absent] == [(gone,)]


def test_thin_thing_that_is_taken_is_missed(tracker, boxes_world):
    """A book as thick as depth is vague: the table under it is not it."""
    eye, book = (0.6, 0.0, 0.6), ((0.0, 0.0, 0.01), (0.16, 0.12, 0.02), RED)
    for k in range(6):
        step(tracker, boxes_world, eye, [book], k)
    for k in range(6, 12):
        tracks = step(tracker, boxes_world, eye, [], k)
    assert tracks.items == ()


def test_what_was_put_elsewhere_unseen_keeps_its_id(tracker, boxes_world):
    eye = (0.8, 0.0, 0.6)
    for k in range(4):
        before = step(tracker, boxes_world, eye, BOXES, k)
    for k in range(4, 8):
        step(tracker, boxes_world, eye, BOXES, k, target=(2.0, 0.0, 0.5))
    moved = [*BOXES[:2], ((0.2, 0.12, 0.06), *BOXES[2][1:])]
    after = step(tracker, boxes_world, eye, moved, 8)
    assert ids_by_source(before) == ids_by_source(after)
    assert {track.state for track in after.items} == {TrackState.CONFIRMED}


def test_a_newcomer_is_what_is_missing_once_the_old_place_is_seen_empty(tracker, boxes_world):
    eye = (0.8, 0.0, 0.6)
    for k in range(4):
        before = step(tracker, boxes_world, eye, BOXES, k)
    screen = ((-0.1, 0.0, 0.15), (0.02, 0.12, 0.30), RED)
    moved = [*BOXES[:2], ((0.2, 0.12, 0.06), *BOXES[2][1:])]
    hidden = step(tracker, boxes_world, eye, [*moved, screen], 4, keep=(0, 1, 2))
    assert set(ids_by_source(hidden).values()) == {1, 2, 4}
    after = step(tracker, boxes_world, eye, moved, 5)
    assert ids_by_source(after) == ids_by_source(before)
    assert {track.id for track in after.items} == {1, 2, 3}


def test_of_two_that_look_alike_neither_is_taken_for_the_one_that_moved(tracker, boxes_world):
    eye = (0.8, 0.0, 0.6)
    twins = [(place, (0.06, 0.06, 0.12), BLUE) for place in ((-0.15, 0.0, 0.06), (0.0, 0.1, 0.06))]
    for k in range(4):
        step(tracker, boxes_world, eye, twins, k)
    for k in range(4, 8):
        step(tracker, boxes_world, eye, twins, k, target=(2.0, 0.0, 0.5))
    moved = [((0.1, -0.2, 0.06), *twins[0][1:]), ((0.2, 0.2, 0.06), *twins[0][1:])]
    after = step(tracker, boxes_world, eye, moved, 8)
    assert set(ids_by_source(after).values()) == {3, 4}


class Unlike:
    """Finds no picture of one thing like another."""

    are_there = True

    def likeness(self, known, seen, is_doubtful):
        return 0.0


@pytest.mark.parametrize(
    ('newcomers', 'alone', 'is_known'), [(1, 0.97, True), (2, 0.97, False), (1, 1.1, False)]
)
def test_pictures_refuse_what_has_the_same_colours_only_where_there_is_a_rival(
    boxes_world, newcomers, alone, is_known
):
    tracker = OverlapTracker(TrackingConfig(portraits=PortraitConfig(alone=alone)))
    tracker._looks = Unlike()
    eye, large, (_, *like) = (0.8, 0.0, 0.6), (320, 240), BOXES[2]
    for k in range(4):
        step(tracker, boxes_world, eye, BOXES, k, size=large)
    for k in range(4, 8):
        step(tracker, boxes_world, eye, BOXES, k, target=(2.0, 0.0, 0.5), size=large)
    places = [(0.2, 0.12, 0.06), (0.2, -0.12, 0.06)]
    moved = [*BOXES[:2], *((place, *like) for place in places[:newcomers])]
    after = step(tracker, boxes_world, eye, moved, 8, size=large)
    assert (3 in ids_by_source(after).values()) == is_known


def test_newcomer_that_most_frames_do_not_show_ends(tracker, boxes_world):
    eye = (0.8, 0.0, 0.6)
    for k in range(8):
        keep = None if k in (3, 6) else {0, 1}
        tracks = step(tracker, boxes_world, eye, BOXES, k, keep=keep)
    assert {track.id for track in tracks.items} == {1, 2}


def test_what_few_frames_show_is_followed_but_not_told_of(tracker, boxes_world):
    eye = (0.8, 0.0, 0.6)

    def state(k, is_shown):
        tracks = step(tracker, boxes_world, eye, BOXES, k, keep=None if is_shown else {0, 1})
        return next(track.state for track in tracks.items if track.id == 3)

    assert [state(k, True) for k in range(4)][-1] == TrackState.CONFIRMED
    assert [state(k, False) for k in range(4, 8)][-1] == TrackState.TENTATIVE
    assert [state(k, True) for k in range(8, 14)][-1] == TrackState.CONFIRMED


def test_missed_segmentation_does_not_end_a_track(tracker, boxes_world):
    eye = (0.8, 0.0, 0.6)
    for k in range(4):
        step(tracker, boxes_world, eye, BOXES, k)
    for k in range(4, 20):
        tracks = step(tracker, boxes_world, eye, BOXES, k, keep={0, 1})
    assert {track.id for track in tracks.items} == {1, 2, 3}


def test_no_depth_proves_nothing(tracker, boxes_world):
    eye = (0.8, 0.0, 0.6)
    for k in range(4):
        step(tracker, boxes_world, eye, BOXES, k)
    frame, _ = boxes_world(eye, [], stamp_ns=4, floor=False)
    for _ in range(6):
        tracks = tracker.update(frame, Instances(4))
    assert len(tracks.items) == 3


def test_moving_object_keeps_its_id(tracker, boxes_world):
    for k in range(12):
        y = -0.2 + 0.04 * k
        tracks = step(
            tracker, boxes_world, (0.9, 0.0, 0.6), [((0.0, y, 0.04), (0.06, 0.06, 0.08), RED)], k
        )
    assert [(track.id, track.instance) for track in tracks.items] == [(1, 0)]


def test_what_comes_to_light_behind_one_that_vanished_does_not_take_its_id(tracker, boxes_world):
    eye = (0.8, 0.0, 0.6)
    # Of about the same size and mean colour, as dark things are, but not of the same colours.
    gone = ((0.1, 0.0, 0.05), (0.04, 0.12, 0.10), (40, 60, 80))
    behind = ((0.03, 0.0, 0.05), (0.04, 0.12, 0.10), (60, 50, 45))
    for k in range(4):
        before = step(tracker, boxes_world, eye, [gone, behind], k, keep=[0])
    (known,) = ids_by_source(before).values()
    for k in range(4, 9):
        after = step(tracker, boxes_world, eye, [behind], k)
    assert known not in {track.id for track in after.items}


def test_unconfirmed_track_is_dropped(tracker, boxes_world):
    eye = (0.8, 0.0, 0.6)
    step(tracker, boxes_world, eye, BOXES, 0)
    counts = [len(step(tracker, boxes_world, eye, BOXES, k, keep={0}).items) for k in range(1, 5)]
    assert counts[-1] == 1


def test_split_masks_do_not_leave_ghosts(tracker, boxes_world):
    """Two objects segmented as one at first: the surplus track must not stay for ever."""
    eye = (0.8, 0.0, 0.6)
    near = [
        ((0.0, -0.04, 0.05), (0.08, 0.08, 0.10), RED),
        ((0.0, 0.04, 0.05), (0.08, 0.08, 0.10), RED),
    ]
    for k in range(4):
        step(tracker, boxes_world, eye, near, k)
    for k in range(4, 10):
        frame, index = boxes_world(eye, near, stamp_ns=k * STEP_NS)
        tracks = tracker.update(frame, instances_of(frame, np.where(index >= 0, 0, index)))
    assert len(tracks.items) == 1


def test_half_hidden_thing_that_melts_into_what_hides_it_keeps_its_id(tracker, boxes_world):
    eye = (0.8, 0.0, 0.35)
    front = ((0.1, -0.03, 0.05), (0.06, 0.12, 0.10), RED)
    behind = ((0.0, 0.03, 0.06), (0.06, 0.10, 0.12), GREEN)
    known, alive = [], []
    for k in range(40):
        frame, index = boxes_world(eye, [front, behind], stamp_ns=k * STEP_NS)
        apart = k % 10 < 5
        masks = index if apart else np.where(index >= 0, 0, index)
        tracks = tracker.update(frame, instances_of(frame, masks))
        if apart and k % 10 == 4:
            known.append(ids_by_source(tracks))
        alive.append(len(tracks.items))
    assert known == [{'truth:0': 1, 'truth:1': 2}] * 4
    assert [alive[k] for k in range(9, 40, 10)] == [1] * 4


def test_part_that_is_now_and_then_a_mask_of_its_own_does_not_stay(tracker, boxes_world):
    """A bottle's cap, split off in one frame of three, must not become an object for ever."""
    eye = (0.8, 0.0, 0.6)
    cap = ((0.0, 0.0, 0.12), (0.06, 0.06, 0.04), RED)
    body = ((0.0, 0.0, 0.05), (0.06, 0.06, 0.10), RED)
    alive = []
    for k in range(24):
        frame, index = boxes_world(eye, [body, cap], stamp_ns=k * STEP_NS)
        split = k < 4 or k % 3 == 0
        whole = index if split else np.where(index >= 0, 0, index)
        items = tracker.update(frame, instances_of(frame, whole)).items
        alive.append(sum(track.state == TrackState.CONFIRMED for track in items))
    assert alive[3] == 2
    assert set(alive[12:]) == {1}


def test_clear_restarts_ids_and_reset_does_not(tracker, boxes_world):
    eye = (0.8, 0.0, 0.6)
    step(tracker, boxes_world, eye, BOXES, 0)
    tracker.reset()
    assert {t.id for t in step(tracker, boxes_world, eye, BOXES, 1).items} == {4, 5, 6}
    tracker.clear()
    assert {t.id for t in step(tracker, boxes_world, eye, BOXES, 2).items} == {1, 2, 3}


def test_adopted_track_is_recognised(tracker, boxes_world):
    eye = (0.8, 0.0, 0.6)
    frame, index = boxes_world(eye, BOXES[:1])
    points = frame.pointmap[index == 0].astype(float) @ frame.T_fixed_cam[:3, :3].T
    tracker.adopt(
        41,
        points + frame.T_fixed_cam[:3, 3],
        np.tile(np.array(RED, np.uint8), (len(points), 1)),
        0,
    )
    tracks = step(tracker, boxes_world, (0.7, 0.3, 0.6), BOXES, 1)
    assert ids_by_source(tracks)['truth:0'] == 41
    assert min(t.id for t in tracks.items if t.id != 41) == 42
    for k in range(2, 8):
        tracks = step(tracker, boxes_world, eye, BOXES, k, keep={1, 2})
    assert next(t.state for t in tracks.items if t.id == 41) == TrackState.CONFIRMED


LARGE = {'size': (320, 240)}


def torn(instances, source):
    """Return instances with one of them in an upper and a lower half."""
    items = []
    for item in instances.items:
        top, bottom = item.box_px[1], item.box_px[3]
        upper = item.mask.copy()
        upper[(top + bottom) // 2 :] = False
        halves = [upper, item.mask & ~upper] if item.source == source else [item.mask]
        items += [replace(item, mask=half, box_px=mask_box(half)) for half in halves]
    return replace(instances, items=tuple(items))


def test_what_one_view_tears_off_comes_back(tracker, boxes_world):
    for k in range(8):
        frame, index = boxes_world((0.7, 0.02 * k, 0.6), BOXES, stamp_ns=k * STEP_NS, **LARGE)
        whole = instances_of(frame, index)
        tracks = tracker.update(frame, torn(whole, 'truth:0') if k in (2, 3, 6) else whole)
        assert [track.id for track in tracks.items] == [1, 2, 3]
        mask = tracks.instances.items[tracks.items[0].instance].mask
        assert (mask == (index == 0)).all()


def test_what_nearly_all_views_show_in_pieces_falls_apart(tracker, boxes_world):
    counts = []
    for k in range(14):
        frame, index = boxes_world((0.7, 0.02 * k, 0.6), BOXES, stamp_ns=k * STEP_NS, **LARGE)
        whole = instances_of(frame, index)
        tracks = tracker.update(frame, whole if k < 2 else torn(whole, 'truth:0'))
        counts.append(len(tracks.instances.items))
    assert counts[2] == 3
    assert counts[-1] == 4


def test_nothing_is_mended_where_that_is_switched_off(boxes_world):
    tracker = OverlapTracker(TrackingConfig(mend=False))
    for k in range(4):
        frame, index = boxes_world((0.7, 0.02 * k, 0.6), BOXES, stamp_ns=k * STEP_NS, **LARGE)
        whole = instances_of(frame, index)
        tracks = tracker.update(frame, torn(whole, 'truth:0') if k == 3 else whole)
    assert len(tracks.instances.items) == 4
