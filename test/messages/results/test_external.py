# SPDX-License-Identifier: Apache-2.0
"""Masks of anybody's node: what is left out gets a sensible value, what cannot be is refused."""

from dataclasses import replace

import numpy as np
import pytest
from made_up_scenes import STAMP_NS, tracks

from sam3d_ros.core.errors import InputError
from sam3d_ros.messages.headers import header_message
from sam3d_ros.messages.results.external import (
    MOST_LABELS,
    external_instances,
    labelled_instances,
)
from sam3d_ros.messages.results.instances import tracks_message
from sam3d_ros.messages.sensors.images import encode_image
from sam3d_ros.messages.types import StoreTypes
from sam3d_ros.messages.typestore import typestore

TYPES = StoreTypes()


def array_of(**changed):
    """Return an InstanceArray of the made-up instances, the first one changed."""
    first, *others = tracks().instances.items
    instances = replace(tracks().instances, items=(replace(first, **changed), *others))
    value = replace(tracks(), instances=instances, items=())
    return tracks_message(TYPES, value, 'optical', (16, 12))


def image_of(labels, encoding):
    header = header_message(TYPES, STAMP_NS, 'optical')
    return encode_image(labels, encoding, typestore().types['sensor_msgs/msg/Image'], header)


def test_what_was_left_out_is_filled_in():
    before = tracks().instances
    found = external_instances(array_of(score=0.0, source='', box_px=(0, 0, 0, 0)))
    assert found.stamp_ns == STAMP_NS
    assert len(found.supports) == len(before.supports)
    assert (found.items[0].score, found.items[0].source) == (1.0, 'external')
    assert found.items[0].box_px == before.items[0].box_px
    np.testing.assert_array_equal(found.items[0].mask, before.items[0].mask)
    assert found.items[1].score == pytest.approx(before.items[1].score)


def test_an_instance_without_a_pixel_is_left_out():
    empty = np.zeros((12, 16), bool)
    assert len(external_instances(array_of(mask=empty)).items) == len(tracks().instances.items) - 1


@pytest.mark.parametrize('changed', [{'score': 3.0}, {'score': float('nan')}, {'support': 7}])
def test_scores_and_supports_that_cannot_be_are_refused(changed):
    with pytest.raises(InputError, match=r'instance 1 with score .* wanted a score in 0\.\.1'):
        external_instances(array_of(**changed))


def test_a_coloured_id_image_is_refused():
    message = array_of()
    message.id_image = image_of(np.zeros((12, 16, 3), np.uint8), 'rgb8')
    with pytest.raises(InputError, match='id image of rgb8'):
        external_instances(message)


@pytest.mark.parametrize(
    ('encoding', 'dtype'),
    [('mono16', 'u2'), ('16UC1', 'u2'), ('32SC1', 'i4'), ('mono8', 'u1'), ('8UC1', 'u1')],
)
def test_every_value_above_zero_is_an_object(encoding, dtype):
    labels = np.zeros((12, 16), dtype)
    labels[2:5, 3:9] = 7
    labels[8:, 10:] = 200
    if encoding == '32SC1':
        labels[0] = -1
    found = labelled_instances(image_of(labels, encoding))
    assert found.stamp_ns == STAMP_NS
    assert [item.box_px for item in found.items] == [(3, 2, 9, 5), (10, 8, 16, 12)]
    np.testing.assert_array_equal(found.items[0].mask, labels == 7)
    assert {(item.score, item.source, item.support) for item in found.items} == {
        (1.0, 'external', -1)
    }


def test_an_image_of_background_has_no_object():
    assert labelled_instances(image_of(np.zeros((12, 16), np.uint16), 'mono16')).items == ()


@pytest.mark.parametrize(
    ('labels', 'encoding', 'complaint'),
    [
        (np.zeros((4, 4), np.float32), '32FC1', 'encoding "32FC1"; wanted one of mono16'),
        (np.zeros((4, 4, 3), np.uint8), 'rgb8', 'encoding "rgb8"'),
        (
            np.arange(MOST_LABELS + 2, dtype=np.uint16).reshape(2, -1),
            'mono16',
            r'1001 labels in one image; wanted at most 1000',
        ),
    ],
)
def test_what_is_no_label_image_is_refused(labels, encoding, complaint):
    with pytest.raises(InputError, match=complaint):
        labelled_instances(image_of(labels, encoding))
