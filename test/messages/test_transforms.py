# SPDX-License-Identifier: Apache-2.0
"""TF messages hold poses exactly, for confirmed objects only."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up_scenes import STAMP_NS, pose, scene, scene_object

from sam3d_ros.core.types import ObjectState
from sam3d_ros.messages.cdr import encode
from sam3d_ros.messages.transforms import (
    StampedTransform,
    object_transforms,
    transforms_from,
    transforms_message,
)
from sam3d_ros.messages.types import StoreTypes
from sam3d_ros.messages.typestore import typestore

TYPE = 'tf2_msgs/msg/TFMessage'


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 2**31 * 10**9 - 1))
def test_there_and_back(seed, stamp_ns):
    before = StampedTransform(stamp_ns, 'parent', 'child', pose(seed))
    data = encode(transforms_message(StoreTypes(), [before]), TYPE)
    (after,), refused = transforms_from(typestore().deserialize_cdr(data, TYPE))
    assert not refused
    assert (after.stamp_ns, after.parent, after.child) == (stamp_ns, 'parent', 'child')
    assert np.allclose(after.T_parent_child, before.T_parent_child, rtol=0, atol=1e-12)


def test_confirmed_objects_have_frames():
    value = scene(
        scene_object(3),
        scene_object(4, ObjectState.TENTATIVE),
        scene_object(5, ObjectState.OUT_OF_VIEW),
    )
    frames = object_transforms(value, 'thing_')
    assert [(item.parent, item.child) for item in frames] == [
        ('world', 'thing_3'),
        ('world', 'thing_5'),
    ]
    assert all(item.stamp_ns == STAMP_NS for item in frames)
