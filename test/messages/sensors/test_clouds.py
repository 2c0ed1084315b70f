# SPDX-License-Identifier: Apache-2.0
"""PointCloud2: any layout is read, pointmaps survive the way through a message."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rosbags.typesys import Stores, get_typestore

from sam3d_ros.core.errors import InputError
from sam3d_ros.messages.sensors import clouds

TYPES = get_typestore(Stores.ROS2_JAZZY).types
HEADER = TYPES['std_msgs/msg/Header'](
    stamp=TYPES['builtin_interfaces/msg/Time'](sec=3, nanosec=5), frame_id='camera'
)
CODES = {'f4': 7, 'f8': 8, 'u4': 6, 'i2': 3, 'u1': 2}


def field(name, offset, kind, count=1):
    return SimpleNamespace(name=name, offset=offset, datatype=CODES[kind], count=count)


def cloud(table, *, row_padding=0):
    """Build a message from a structured (H, W) array."""
    height, width = table.shape
    rows = [row.tobytes() + b'\xcd' * row_padding for row in table]
    fields = [
        field(name, offset, kind.base.str[1:], int(np.prod(kind.shape, dtype=int)))
        for name, (kind, offset, *_) in table.dtype.fields.items()
    ]
    first = table.dtype[0].base
    return SimpleNamespace(
        height=height,
        width=width,
        fields=fields,
        is_bigendian=first.str.startswith('>'),
        point_step=table.itemsize,
        row_step=len(rows[0]) if rows else 0,
        data=b''.join(rows),
    )


@settings(max_examples=60, deadline=None)
@given(
    height=st.integers(1, 4),
    width=st.integers(0, 5),
    kind=st.sampled_from(['f4', 'f8', 'i2']),
    order=st.sampled_from('<>'),
    gap=st.integers(0, 5),
    axes=st.permutations('xyz'),
    row_padding=st.integers(0, 3),
)
def test_points_of_any_layout(height, width, kind, order, gap, axes, row_padding):
    size = np.dtype(kind).itemsize
    layout = np.dtype(
        {
            'names': [*axes, 'ring'],
            'formats': [order + kind] * 3 + [order + 'i2'],
            'offsets': [gap, gap + size, gap + 2 * size, gap + 3 * size],
            'itemsize': gap + 3 * size + 2 + gap,
        }
    )
    table = np.zeros((height, width), layout)
    truth = np.random.default_rng(0).integers(-99, 99, (height, width, 3)).astype(np.float32)
    for at, axis in enumerate('xyz'):
        table[axis] = truth[..., at]
    points = clouds.decode_cloud(cloud(table, row_padding=row_padding)).points_m
    assert points.dtype == np.float32
    np.testing.assert_array_equal(points, truth[0] if height == 1 else truth)


@pytest.mark.parametrize('order', '<>')
@pytest.mark.parametrize('kind', ['f4', 'u4'])
@pytest.mark.parametrize('name', ['rgb', 'rgba'])
def test_packed_colour(order, kind, name):
    table = np.zeros((1, 2), [(axis, order + 'f4') for axis in 'xyz'] + [(name, order + kind)])
    packed = np.array([0xFF0A141E, 0x00FF0001], np.uint32)
    table[name] = packed.view('f4') if kind == 'f4' else packed
    rgb = clouds.decode_cloud(cloud(table)).rgb
    np.testing.assert_array_equal(rgb, [[10, 20, 30], [255, 0, 1]])


def test_separate_colour_channels_and_no_colour():
    table = np.zeros((2, 2), [*((a, '<f4') for a in 'xyz'), *((c, 'u1') for c in 'rgb')])
    table['g'] = 9
    assert (clouds.decode_cloud(cloud(table)).rgb == [0, 9, 0]).all()
    assert clouds.decode_cloud(cloud(table[list('xyz')].copy())).rgb is None


def test_arrays_in_fields():
    table = np.zeros((1, 3), [*((a, '<f4') for a in 'xyz'), ('normal', '<f4', (3,))])
    table['normal'][..., 2] = 1
    np.testing.assert_array_equal(clouds.decode_fields(cloud(table))['normal'][:, 2], 1)


def classes():
    yield TYPES['sensor_msgs/msg/PointCloud2'], TYPES['sensor_msgs/msg/PointField'], HEADER
    try:
        from sensor_msgs.msg import PointCloud2, PointField
        from std_msgs.msg import Header
    except ImportError:
        return
    yield PointCloud2, PointField, Header(frame_id='camera')


def test_a_pointmap_survives_the_way_through_a_message():
    rng = np.random.default_rng(1)
    pointmap = rng.normal(size=(48, 64, 3)).astype(np.float32)
    pointmap[3:9, 4:8] = np.nan
    rgb = rng.integers(0, 255, (48, 64, 3), np.uint8, endpoint=True)
    for cloud_class, field_class, header in classes():
        message = clouds.encode_pointmap(pointmap, rgb, cloud_class, field_class, header)
        assert message.point_step == 16 and message.row_step == 16 * 64
        assert message.header.frame_id == 'camera' and not message.is_dense
        back, colours = clouds.decode_pointmap(message)
        np.testing.assert_array_equal(back, pointmap)
        np.testing.assert_array_equal(colours, rgb)
        assert np.shares_memory(
            clouds.decode_cloud(message).points_m, np.frombuffer(message.data, np.uint8)
        )


@pytest.mark.parametrize(
    'wrong', [{'row_step': 144}, {'row_step': 0}, {'row_step': 40}, {'point_step': 8}]
)
def test_steps_that_cannot_be_right_are_inferred(wrong):
    table = np.zeros((3, 4), [(axis, '<f4') for axis in 'xyz'])
    table['z'] = np.arange(12).reshape(3, 4)
    points_m = clouds.decode_cloud(SimpleNamespace(**vars(cloud(table)) | wrong)).points_m
    assert np.array_equal(points_m[..., 2], table['z'])


def test_rows_are_padded_where_only_the_size_says_so():
    table = np.zeros((3, 4), [(axis, '<f4') for axis in 'xyz'])
    table['z'] = np.arange(12).reshape(3, 4)
    wrong = vars(cloud(table, row_padding=16)) | {'row_step': 192}
    points_m = clouds.decode_cloud(SimpleNamespace(**wrong)).points_m
    assert np.array_equal(points_m[..., 2], table['z'])


def test_a_height_of_zero_is_one_row():
    table = np.zeros((1, 4), [(axis, '<f4') for axis in 'xyz'])
    flat = vars(cloud(table)) | {'height': 0}
    assert clouds.decode_cloud(SimpleNamespace(**flat)).points_m.shape == (4, 3)


def test_broken_clouds_say_so():
    table = np.zeros((3, 4), [(axis, '<f4') for axis in 'xyz'])
    whole = cloud(table)
    for change, words in [
        ({'data': whole.data[:-1]}, '143 bytes'),
        ({'data': whole.data[:-12], 'row_step': 40}, 'row_step 40'),
        ({'data': whole.data[:-12], 'point_step': 8}, 'field "z" ends at byte 12'),
        ({'fields': whole.fields[:2]}, 'fields x, y'),
        ({'fields': []}, r'\(none\)'),
        ({'fields': [SimpleNamespace(name='x', offset=0, datatype=9, count=1)]}, 'datatype 9'),
    ]:
        with pytest.raises(InputError, match=words):
            clouds.decode_cloud(SimpleNamespace(**vars(whole) | change))
    with pytest.raises(InputError, match='no colour'):
        clouds.decode_pointmap(whole)
