# SPDX-License-Identifier: Apache-2.0
"""Tracks survive the way through a message, its bytes and back."""

import numpy as np
import pytest
from made_up_scenes import STAMP_NS, tracks

from sam3d_ros.core.errors import InputError
from sam3d_ros.core.types import Instances, Tracks
from sam3d_ros.messages.cdr import encode
from sam3d_ros.messages.results.instances import tracks_from, tracks_message
from sam3d_ros.messages.types import StoreTypes
from sam3d_ros.messages.typestore import typestore

TYPE = 'sam3d_msgs/msg/InstanceArray'


def sent(value, size_px=(16, 12)):
    """Return the message as its receiver sees it."""
    data = encode(tracks_message(StoreTypes(), value, 'optical', size_px), TYPE)
    return typestore().deserialize_cdr(data, TYPE)


def test_nothing_is_lost():
    before = tracks()
    after = tracks_from(sent(before))
    assert after.stamp_ns == after.instances.stamp_ns == STAMP_NS
    assert after.items[0].__class__ is before.items[0].__class__
    for one, other in zip(before.items, after.items, strict=True):
        for name in one.__slots__:
            assert getattr(one, name) == getattr(other, name)
    for one, other in zip(before.instances.items, after.instances.items, strict=True):
        assert np.array_equal(one.mask, other.mask)
        for name in ('score', 'box_px', 'source', 'label', 'support'):
            assert getattr(one, name) == getattr(other, name)
    for one, other in zip(before.instances.supports, after.instances.supports, strict=True):
        assert np.array_equal(one.normal, other.normal)
        assert one.offset_m == other.offset_m


def test_message_follows_its_contract():
    message = sent(tracks())
    image = message.id_image
    assert (image.encoding, image.width, image.height, image.step) == ('mono16', 16, 12, 32)
    ids = image.data.view(np.uint16).reshape(12, 16)
    assert ids[2, 3] == 1 and ids[6, 7] == 2 and ids[9, 0] == 3 and ids[0, 0] == 0
    assert [item.track_id for item in message.instances] == ['5', '4', '']
    box = message.instances[1].box
    assert (box.x_offset, box.y_offset, box.width, box.height) == (6, 5, 6, 4)
    assert message.header.frame_id == image.header.frame_id == 'optical'


def test_a_frame_without_objects():
    after = tracks_from(sent(Tracks(7, Instances(7))))
    assert after.items == () and after.instances.items == ()


def test_an_id_image_that_names_more_than_there_is():
    message = sent(tracks())
    message.instances = message.instances[:2]
    with pytest.raises(InputError, match=r'values up to 3; wanted .* up to 2'):
        tracks_from(message)
