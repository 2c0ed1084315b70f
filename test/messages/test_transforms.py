# SPDX-License-Identifier: Apache-2.0
"""TF messages: there and back, and transforms that are none."""

import numpy as np
import pytest

from sam3d_ros.core.errors import TransformError
from sam3d_ros.geometry.transforms import from_quaternion
from sam3d_ros.messages.transforms import StampedTransform, transforms_from, transforms_message
from sam3d_ros.messages.types import StoreTypes

TYPES = StoreTypes()
T_MAP_CAMERA = from_quaternion(np.array([0.1, -0.2, 0.3, 0.9]), np.array([1.0, 2.0, 3.0]))


def test_there_and_back():
    sent = StampedTransform(5_000_000_007, 'map', 'camera', T_MAP_CAMERA)
    (back,) = transforms_from(transforms_message(TYPES, [sent]))
    assert (back.stamp_ns, back.parent, back.child) == (5_000_000_007, 'map', 'camera')
    np.testing.assert_allclose(back.T_parent_child, T_MAP_CAMERA, atol=1e-12)


@pytest.mark.parametrize('value', [0.0, float('nan'), float('inf')])
def test_a_quaternion_that_is_none_is_named(value):
    message = transforms_message(TYPES, [StampedTransform(1, 'map', 'camera', T_MAP_CAMERA)])
    for name in 'xyzw':
        setattr(message.transforms[0].transform.rotation, name, value)
    with pytest.raises(TransformError, match='"camera" in "map" with the quaternion'):
        transforms_from(message)
