# SPDX-License-Identifier: Apache-2.0
"""Reconstructions survive the way through a message, its bytes and back."""

import numpy as np
import pytest
from made_up_scenes import reconstructions

from sam3d_ros.core.errors import InputError
from sam3d_ros.core.types import Reconstructions
from sam3d_ros.messages.cdr import encode
from sam3d_ros.messages.reconstructions import reconstructions_from, reconstructions_message
from sam3d_ros.messages.types import StoreTypes
from sam3d_ros.messages.typestore import typestore

TYPE = 'sam3d_msgs/msg/ReconstructionArray'


def sent(value):
    """Return the message as its receiver sees it."""
    data = encode(reconstructions_message(StoreTypes(), value, 'optical'), TYPE)
    return typestore().deserialize_cdr(data, TYPE)


def test_nothing_is_lost():
    before = reconstructions()
    message = sent(before)
    after = reconstructions_from(message)
    assert message.header.frame_id == 'optical'
    assert after.stamp_ns == before.stamp_ns
    for one, other in zip(before.items, after.items, strict=True):
        for name in ('vertices_m', 'faces', 'colors', 'face_labels', 'face_confidence'):
            expected, got = getattr(one.mesh, name), getattr(other.mesh, name)
            assert np.array_equal(expected, got) and expected.dtype == got.dtype
        assert np.allclose(one.T_cam_obj, other.T_cam_obj, rtol=0, atol=1e-12)
        assert np.array_equal(one.covariance, other.covariance)
        for name in one.__slots__:
            if name not in ('mesh', 'T_cam_obj', 'covariance'):
                assert getattr(one, name) == getattr(other, name), name


def test_empty_is_a_message_too():
    assert reconstructions_from(sent(Reconstructions(5))).items == ()


@pytest.mark.parametrize(
    ('field', 'value', 'reason'),
    [
        ('vertices', np.zeros(7, np.float32), 'track 4'),
        ('vertex_colors', np.zeros(6, np.uint8), '2 colours'),
        ('triangles', np.array([0, 1, 999] * 116, np.uint32), 'not there'),
    ],
)
def test_meshes_whose_arrays_do_not_fit(field, value, reason):
    message = sent(reconstructions())
    setattr(message.reconstructions[0], field, value)
    with pytest.raises(InputError, match=reason):
        reconstructions_from(message)
