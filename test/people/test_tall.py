# SPDX-License-Identifier: Apache-2.0
"""Depth alone finds upright bodies, and not what is flat or stands on a table."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from sam3d_ros.core.types import Frame
from sam3d_ros.geometry.cameras import pointmap_from_depth
from sam3d_ros.people.scenery import find_scenery, level_axes
from sam3d_ros.people.tall import Tall, _stands_free, find_tall


def bodies(frame: Frame) -> list[Tall]:
    return find_tall(find_scenery(frame, 6.0), 0.7)


@pytest.mark.parametrize('activity', ['standing', 'walking', 'sitting', 'half_hidden', 'child'])
def test_a_person_is_one_tall_body(activity: str, drawn: Callable) -> None:
    episode, samples = drawn(activity, seed=1)
    frame = samples[0].frame()
    scenery = find_scenery(frame, 6.0)
    mask = episode.masks(samples[0])[0]
    step = scenery.step
    mask = mask[step // 2 :: step, step // 2 :: step]
    mask = mask[: scenery.level.shape[0], : scenery.level.shape[1]]
    whose = [float(mask[body.cells].mean()) for body in find_tall(scenery, 0.7)]
    assert sum(share > 0.5 for share in whose) == 1


def test_a_body_is_where_the_trunk_is(drawn: Callable) -> None:
    episode, samples = drawn('standing', seed=1)
    frame = samples[0].frame()
    (body,) = bodies(frame)
    place = frame.T_fixed_cam[:3, :3] @ level_axes(frame).T @ body.middle_m
    place += frame.T_fixed_cam[:3, 3]
    trunk = episode.joints_m[0, 0, [11, 12, 23, 24]].mean(axis=0)
    assert np.linalg.norm((place - trunk)[:2]) < 0.15
    floor_m = frame.T_fixed_cam[2, 3] + body.bottom_m
    assert abs(floor_m) < 0.05


def test_somebody_who_lies_is_no_tall_body(drawn: Callable) -> None:
    _, samples = drawn('lying', seed=2)
    assert bodies(samples[0].frame()) == []


def test_two_people_are_two_bodies(drawn: Callable) -> None:
    _, samples = drawn('standing', seed=2, distance_m=2.8, people=2)
    assert len(bodies(samples[0].frame())) == 2


def test_it_works_in_the_dark(drawn: Callable) -> None:
    _, samples = drawn('standing', seed=1)
    frame = samples[0].frame()
    assert len(bodies(replace(frame, rgb=np.zeros_like(frame.rgb)))) == 1


def room(frame: Frame, solid: Callable[[np.ndarray], np.ndarray]) -> Frame:
    """Return a frame of a floor and a wall at 3 m, seen level from 1.2 m, and of ``solid``.

    ``solid`` gives (H, W) distances z of a thing from (H, W, 3) rays, inf where it is not.
    """
    from sam3d_ros.geometry.cameras import rays

    sight = rays(frame.camera)
    floor = np.where(sight[..., 1] > 1e-3, 1.2 / np.maximum(sight[..., 1], 1e-3), np.inf)
    depth = np.minimum(np.minimum(floor, 3.0), solid(sight)).astype(np.float32)
    return replace(
        frame,
        pointmap=pointmap_from_depth(depth, frame.camera),
        T_fixed_cam=np.eye(4),
        up_cam=np.array([0.0, -1.0, 0.0]),
    )


def panel(sight: np.ndarray) -> np.ndarray:
    inside = (np.abs(sight[..., 0] * 2.0) < 0.4) & (np.abs(sight[..., 1] * 2.0 - 0.2) < 0.9)
    return np.where(inside, 2.0, np.inf)


def column(sight: np.ndarray) -> np.ndarray:
    across = np.abs(sight[..., 0] * 2.0)
    inside = (across < 0.25) & (sight[..., 1] * 2.0 > -0.5) & (sight[..., 1] * 2.0 < 1.2)
    return np.where(inside, 2.0 - np.sqrt(np.maximum(0.0625 - across**2, 0)), np.inf)


def can_on_table(sight: np.ndarray) -> np.ndarray:
    table = np.where((sight[..., 1] > 0.1), 0.4 / np.maximum(sight[..., 1], 0.1), np.inf)
    table = np.where((table < 2.0) & (np.abs(sight[..., 0] * table) < 0.6), table, np.inf)
    inside = (np.abs(sight[..., 0] * 1.2) < 0.1) & (sight[..., 1] * 1.2 > -0.15)
    return np.minimum(table, np.where(inside & (sight[..., 1] * 1.2 < 0.4), 1.2, np.inf))


@pytest.mark.parametrize(
    ('solid', 'count'),
    [
        (lambda sight: np.full(sight.shape[:2], np.inf), 0),
        (panel, 0),
        (can_on_table, 0),
        (column, 1),
    ],
    ids=['empty room', 'screen', 'thing on a table', 'column: it cannot be told'],
)
def test_flat_things_and_things_on_tables_are_no_bodies(
    solid: Callable, count: int, drawn: Callable
) -> None:
    frame = drawn('standing', seed=1)[1][0].frame()
    assert len(bodies(room(frame, solid))) == count


def test_a_part_of_something_larger_does_not_stand_free(drawn: Callable) -> None:
    frame = room(drawn('standing', seed=1)[1][0].frame(), column)
    scenery = find_scenery(frame, 6.0)
    (body,) = find_tall(scenery, 0.7)
    assert body.is_free
    # What is beside it is now no farther than itself, as beside a shelf of a bookcase.
    points = scenery.points.copy()
    beyond = ~body.cells & ~scenery.level
    away = np.linalg.norm(points[..., :2], axis=-1)
    nearest = float(np.median(away[body.cells]))
    points[beyond, :2] *= (nearest / away[beyond])[:, None]
    assert not _stands_free(replace(scenery, points=points), body.cells)


def test_a_frame_without_depth_shows_no_body(drawn: Callable) -> None:
    frame = drawn('standing', seed=1)[1][0].frame()
    assert bodies(replace(frame, pointmap=np.full_like(frame.pointmap, np.nan))) == []
