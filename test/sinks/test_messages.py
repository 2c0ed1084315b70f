# SPDX-License-Identifier: Apache-2.0
"""Poses with every frame, meshes when they change."""

from dataclasses import replace

import numpy as np
import pytest
from made_up_scenes import STAMP_NS, scene, scene_object

from sam3d_ros.core.types import ObjectState
from sam3d_ros.messages.config import OutputConfig, TfConfig
from sam3d_ros.messages.topics import DETECTIONS, MARKERS, OBJECTS, TF
from sam3d_ros.sinks.messages import ResultMessages

TENTH_NS = 100_000_000
ITEM = scene_object(3)


def moved(by_m):
    T = ITEM.T_fixed_obj.copy()
    T[0, 3] += by_m
    return replace(ITEM, T_fixed_obj=T)


def told(messages, tenths, *items):
    """Return the topics that a scene so many tenths of a second after the start is told on."""
    value = scene(*items, stamp_ns=STAMP_NS + tenths * TENTH_NS)
    return [topic for topic, _ in (*messages.poses(value), *messages.of_changes(value))]


def test_poses_come_first_and_with_every_frame():
    messages = ResultMessages(OutputConfig(), TfConfig())
    for tenths in range(4):
        assert told(messages, tenths, moved(tenths * 1e-4))[:2] == [TF, DETECTIONS]


def test_while_poses_alone_move_the_list_waits_for_a_second():
    messages = ResultMessages(OutputConfig(), TfConfig())
    listed = [OBJECTS in told(messages, tenths, moved(tenths * 1e-4)) for tenths in range(25)]
    assert [tenths for tenths, there in enumerate(listed) if there] == [0, 10, 20]


@pytest.mark.parametrize(
    'change',
    [
        {'state': ObjectState.OCCLUDED},
        {'label': 'bowl'},
        {'mesh': replace(ITEM.mesh, vertices_m=ITEM.mesh.vertices_m + np.float32(0.01))},
    ],
    ids=['state', 'label', 'mesh'],
)
def test_what_changes_is_told_at_once(change):
    messages = ResultMessages(OutputConfig(), TfConfig())
    told(messages, 0, ITEM)
    assert OBJECTS in told(messages, 1, replace(ITEM, **change))


def test_markers_of_a_shape_made_again_wait_for_a_second_and_are_not_lost():
    messages = ResultMessages(OutputConfig(), TfConfig())
    sizes = [ITEM.mesh.vertices_m * np.float32(1 + 0.001 * n) for n in range(14)]
    shapes = [replace(ITEM, mesh=replace(ITEM.mesh, vertices_m=size)) for size in sizes]
    drawn = [MARKERS in told(messages, n, shape) for n, shape in enumerate(shapes)]
    assert [n for n, there in enumerate(drawn) if there] == [0, 10]
    assert [topic for topic, _ in messages.held_back()] == [MARKERS]
    assert list(messages.held_back()) == []


def test_what_comes_and_goes_is_told_at_once():
    messages = ResultMessages(OutputConfig(), TfConfig())
    told(messages, 0, ITEM)
    assert OBJECTS in told(messages, 1, ITEM, scene_object(4))
    assert OBJECTS in told(messages, 2, ITEM)


def test_what_is_tentative_and_gone_again_costs_no_list():
    messages = ResultMessages(OutputConfig(), TfConfig())
    told(messages, 0, ITEM)
    ghost = scene_object(4, ObjectState.TENTATIVE)
    assert OBJECTS not in told(messages, 1, ITEM, ghost)
    assert OBJECTS not in told(messages, 2, ITEM)
    assert OBJECTS in told(messages, 3, ITEM, replace(ghost, state=ObjectState.VISIBLE))


def test_markers_are_not_drawn_again_for_every_change_of_the_score():
    messages = ResultMessages(OutputConfig(), TfConfig())
    scores = [replace(ITEM, score=0.3 + 0.1 * (tenths % 6)) for tenths in range(25)]
    drawn = [MARKERS in told(messages, tenths, item) for tenths, item in enumerate(scores)]
    assert [tenths for tenths, there in enumerate(drawn) if there] == [0, 10, 20]


def test_the_last_list_is_not_lost():
    messages = ResultMessages(OutputConfig(), TfConfig())
    told(messages, 0, ITEM)
    assert list(messages.held_back()) == []
    told(messages, 1, moved(1e-4))
    ((topic, message),) = messages.held_back()
    assert topic == OBJECTS
    assert message.header.stamp.nanosec == (STAMP_NS + TENTH_NS) % 1_000_000_000
    assert list(messages.held_back()) == []


def test_the_period_is_an_option_and_time_that_goes_back_ends_it():
    messages = ResultMessages(OutputConfig(list_period_s=0.0), TfConfig())
    assert all(OBJECTS in told(messages, tenths, ITEM) for tenths in range(3))
    messages = ResultMessages(OutputConfig(), TfConfig())
    told(messages, 50, ITEM)
    assert OBJECTS in told(messages, 0, ITEM)


def test_frames_are_as_many_as_configured():
    messages = ResultMessages(OutputConfig(), TfConfig(max_frames=1))
    value = scene(ITEM, scene_object(4), stamp_ns=STAMP_NS)
    transforms = next(message for topic, message in messages.poses(value) if topic == TF)
    assert [item.child_frame_id for item in transforms.transforms] == ['object_3']
    assert TF not in told(ResultMessages(OutputConfig(), TfConfig(publish=False)), 0, ITEM)
