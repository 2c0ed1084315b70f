# SPDX-License-Identifier: Apache-2.0
"""Everybody over time: who is who, what is a picture, what is nobody's object."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from sam3d_ros.core.people import INDEX
from sam3d_ros.core.types import Frame, Instance, Instances, Track, Tracks, TrackState
from sam3d_ros.geometry.cameras import pointmap_from_depth, project
from sam3d_ros.geometry.transforms import apply, inverse
from sam3d_ros.people.config import PeopleConfig
from sam3d_ros.people.masks import PeoplePixels, with_held, without_people
from sam3d_ros.people.stage import PeopleStage
from sam3d_ros.world.people.episodes import people_episode
from sam3d_ros.world.samples import samples as drawn_samples
from sam3d_ros.world.suites import make_episode


def test_somebody_is_told_at_once_and_recognised_soon(drawn: Callable) -> None:
    episode, samples = drawn('standing', seed=1, frames=4)
    stage = PeopleStage(PeopleConfig())
    labels = []
    for k, sample in enumerate(samples):
        (person,) = stage.update(sample.frame()).items
        labels.append(person.label)
        trunk = episode.joints_m[k, 0, [11, 12, 23, 24]].mean(axis=0)
        assert person.id == 1 and person.by_depth and person.in_view
        assert np.linalg.norm((person.position_m - trunk)[:2]) < 0.2
        assert person.capsules
    assert labels[0] == 'tall_mover' and labels[-1] == 'person'
    assert person.skeleton is not None and len(person.capsules) > 10


def test_depth_alone_never_recognises(drawn: Callable) -> None:
    _, samples = drawn('standing', seed=1, frames=4)
    stage = PeopleStage(PeopleConfig(use='depth'))
    people = [stage.update(sample.frame()) for sample in samples]
    assert {item.label for result in people for item in result.items} == {'tall_mover'}


def test_the_image_keeps_whom_depth_misses(drawn: Callable) -> None:
    _, samples = drawn('standing', seed=1, frames=4)
    stage = PeopleStage(PeopleConfig())
    for sample in samples:
        frame = sample.frame()
        people = stage.update(replace(frame, pointmap=np.full_like(frame.pointmap, np.nan)))
    (person,) = people.items
    assert person.by_image and not person.by_depth
    assert person.covariance[:3, :3].max() > 0.01  # how far away is a guess


def test_nobody_is_looked_for_when_off(drawn: Callable) -> None:
    _, samples = drawn('standing', seed=1, frames=4)
    assert PeopleStage().update(samples[0].frame()).items == ()


def test_an_id_lasts_over_two_seconds_of_absence(drawn: Callable) -> None:
    episode, samples = drawn('leaving', seed=1, frames=26)
    stage = PeopleStage(PeopleConfig(use='depth'))
    people = [stage.update(sample.frame()) for sample in samples]
    assert {item.id for result in (people[0], people[-1]) for item in result.items} == {1}
    away = [result for k, result in enumerate(people) if np.isnan(episode.joints_m[k]).all()]
    assert away[-1].items == ()


def test_ids_last_through_a_crossing(drawn: Callable) -> None:
    episode, samples = drawn('crossing', seed=3, frames=14, distance_m=2.6)
    stage = PeopleStage(PeopleConfig(use='depth'))
    owners = []
    for k, sample in enumerate(samples):
        people = stage.update(sample.frame())
        trunks = episode.joints_m[k][:, [11, 12, 23, 24]].mean(axis=1)
        seen = [item for item in people.items if item.in_view]
        owners.append(
            [
                min(seen, key=lambda item: float(np.linalg.norm(item.position_m - at))).id
                for at in trunks
            ]
        )
    assert owners[2] == owners[-1] and len(set(owners[-1])) == 2


def test_a_poster_is_a_picture(shared_data: Path) -> None:
    file = shared_data / 'people' / 'person_sitting.jpg'
    if not file.is_file():
        pytest.skip(f'no photograph at {file}')
    poster = np.ascontiguousarray(cv2.imread(str(file))[..., ::-1])
    episode = people_episode('entering', 2, 9, distance_m=2.0, poster=poster)
    stage = PeopleStage(PeopleConfig())
    for sample in list(drawn_samples(episode.episode))[:3]:  # nobody has entered yet
        assert stage.update(sample.frame()).items == ()


def test_time_that_goes_back_forgets_people_and_not_their_ids(drawn: Callable) -> None:
    _, samples = drawn('standing', seed=1, frames=4)
    stage = PeopleStage(PeopleConfig(use='depth'))
    stage.update(samples[0].frame())
    state = stage.state()
    stage.reset()
    assert [item.id for item in stage.update(samples[1].frame()).items] == [2]
    again = PeopleStage(PeopleConfig(use='depth'))
    again.restore(state)
    assert [item.id for item in again.update(samples[1].frame()).items] == [2]


def test_a_camera_without_up_says_so_once(drawn: Callable) -> None:
    _, samples = drawn('standing', seed=1, frames=4)
    said: list[str] = []
    stage = PeopleStage(PeopleConfig(use='depth'), said.append)
    for sample in samples:
        assert stage.update(replace(sample.frame(), up_cam=None)).items == ()
    assert len(said) == 1 and 'up' in said[0]


def test_a_hand_in_front_of_the_lens_is_nobody(drawn: Callable) -> None:
    frame = drawn('standing', seed=1)[1][0].frame()
    depth = np.full(frame.depth_m.shape, 0.12, np.float32)
    depth[:40] = np.nan
    covered = replace(
        frame,
        pointmap=np.dstack([np.zeros_like(depth), np.zeros_like(depth), depth]),
        rgb=np.full_like(frame.rgb, 90),
    )
    assert PeopleStage(PeopleConfig()).update(covered).items == ()


def instance(rows: slice, columns: slice) -> Instance:
    mask = np.zeros((240, 320), bool)
    mask[rows, columns] = True
    box = (columns.start, rows.start, columns.stop, rows.stop)
    return Instance(mask, 1.0, box, 'made up')


def test_people_are_no_objects_and_no_part_of_one() -> None:
    body = np.zeros((240, 320), bool)
    body[50:200, 100:150] = True
    within = instance(slice(60, 90), slice(105, 140))
    across = instance(slice(60, 90), slice(140, 190))
    apart = instance(slice(10, 40), slice(200, 260))
    found = without_people(Instances(0, (within, across, apart)), PeoplePixels(body, ())).items
    assert [item.box_px for item in found] == [(150, 60, 190, 90), apart.box_px]


def test_a_body_that_may_be_a_shelf_keeps_what_stands_on_it() -> None:
    body = np.zeros((240, 320), bool)
    body[20:220, 50:250] = True
    cup, door = instance(slice(60, 80), slice(105, 125)), instance(slice(90, 200), slice(60, 160))
    pixels = PeoplePixels(np.zeros_like(body), (body,))
    assert without_people(Instances(0, (cup, door)), pixels).items == (cup,)


def test_a_table_with_things_has_nobody() -> None:
    # Of the things on it a ball looks to the image like a head, half as large.
    stage = PeopleStage(PeopleConfig(use='image'))
    for sample in drawn_samples(make_episode('demo', 0, frames=20, size_px=(640, 480))):
        assert not stage.update(sample.frame()).items


def test_what_a_hand_holds_is_held(drawn: Callable) -> None:
    _, samples = drawn('reaching', seed=1, frames=4)
    stage = PeopleStage(PeopleConfig())
    for sample in samples:
        frame = sample.frame()
        people = stage.update(frame)
    (person,) = people.items
    assert person.skeleton is not None
    wrist = person.skeleton.points_m[15]
    near = held_tracks(frame, wrist + [0.0, 0.0, 0.05])
    far = held_tracks(frame, wrist + [0.0, 0.0, 0.6])
    assert with_held(people, *near).items[0].held == (7,)
    assert with_held(people, *far).items[0].held == ()


def held_tracks(frame: Frame, at_fixed: np.ndarray) -> tuple[Frame, Tracks]:
    """Return a frame with a thing at a place of the fixed frame, and its track."""

    thing = instance(slice(10, 30), slice(10, 30))
    pointmap = frame.pointmap.copy()
    pointmap[thing.mask] = apply(inverse(frame.T_fixed_cam), at_fixed)
    track = Track(7, TrackState.CONFIRMED, 5, 0, 0, 0, 0)
    instances = Instances(frame.stamp_ns, (thing,))
    return replace(frame, pointmap=pointmap), Tracks(frame.stamp_ns, instances, (track,))


def test_who_is_recognised_is_people_to_the_fingertips(drawn: Callable) -> None:
    # Somebody on a stool: the forearm is held level, as a table is.
    episode, samples = drawn('sitting', seed=21, frames=4, distance_m=1.8)
    stage = PeopleStage(PeopleConfig())
    for sample in samples:
        frame = sample.frame()
        people = stage.update(frame)
    assert people.items[0].skeleton is not None and stage.pixels is not None
    shown = episode.masks(sample)[0] & np.isfinite(frame.depth_m)
    assert (stage.pixels.sure & shown).sum() > 0.97 * shown.sum()
    assert (stage.pixels.sure & ~episode.masks(sample)[0]).sum() < 0.5 * shown.sum()


def test_what_is_beyond_a_hand_is_not_people(drawn: Callable) -> None:
    _, samples = drawn('reaching', seed=1, frames=4)
    stage = PeopleStage(PeopleConfig())
    for sample in samples[:3]:
        people = stage.update(sample.frame())
    hand = people.items[0].skeleton.points_m[[INDEX['right_wrist'], INDEX['right_index']]]
    frame = samples[3].frame()
    beyond = apply(inverse(frame.T_fixed_cam), hand[1] + 2.0 * (hand[1] - hand[0]))
    column, row = np.rint(project(beyond, frame.camera)).astype(int)
    part = np.s_[row - 5 : row + 6, column - 5 : column + 6]
    depth = frame.depth_m.copy()
    depth[part] = beyond[2]
    points = pointmap_from_depth(depth, frame.camera)
    stage.update(replace(frame, pointmap=points))
    assert stage.pixels is not None
    assert stage.pixels.sure.any() and not stage.pixels.sure[part].any()
