# SPDX-License-Identifier: Apache-2.0
"""Calibrations, pixels and points as people have them give the frames of the good recording."""

from dataclasses import replace

import numpy as np
import pytest
from field_checks import assert_same, levels
from field_recordings import (
    DEPTH,
    DEPTH_INFO,
    LIDAR,
    LINK,
    RGB,
    RGB_INFO,
    changed,
    renamed,
    renaming,
)
from made_up_recordings import Message, image

from sam3d_ros.core.types import Frame
from sam3d_ros.messages.types import StoreTypes
from sam3d_ros.pipeline.checkup import Level

IMAGES = (RGB, DEPTH)


# Calibrations.


def fields(**values):
    def apply(message):
        for name, value in values.items():
            setattr(message, name, value)

    return apply


def test_a_calibration_in_p_only(good, expected, read, doctor):
    for topic in (DEPTH_INFO, RGB_INFO):
        made = changed(good, topic, fields(k=np.zeros(9)))
        assert_same(read(made)[0], expected)
        assert not levels(doctor(made), Level.ERROR)


@pytest.mark.parametrize(
    ('model', 'd'),
    [
        ('equidistant', [0, 0, 0, 0, 0.0]),
        ('plumb_bob', [0.0] * 8),
        ('anything', [0.0] * 3),
        ('', []),
    ],
)
def test_distortion_of_zeros(good, expected, read, model, d):
    made = changed(good, (RGB_INFO, DEPTH_INFO), fields(distortion_model=model, d=np.array(d)))
    assert_same(read(made)[0], expected)


def test_distortion_with_a_fifth_zero(good, read):
    four, five = np.array([0.1, 0.02, 0, 0]), np.array([0.1, 0.02, 0, 0, 0])
    frames = [
        read(changed(good, RGB_INFO, fields(distortion_model='equidistant', d=d)))[0]
        for d in (four, five)
    ]
    assert_same(frames[1], frames[0])


def test_a_calibration_without_size(good, expected, read, doctor):
    made = changed(good, (RGB_INFO, DEPTH_INFO), fields(width=0, height=0))
    got, notes = read(made)
    assert_same(got, expected)
    assert [
        f'{topic}: its CameraInfo has no size' in note
        for topic, note in zip(IMAGES, notes, strict=True)
    ]
    assert not levels(doctor(made), Level.ERROR)


def test_a_name_that_holds_rect_is_not_rectified(good, read, doctor):
    warped = changed(good, RGB_INFO, fields(d=np.array([-0.2, 0.05, 0, 0, 0])))
    straight, _ = read(warped)
    odd = renamed(warped, RGB='/direct/image_raw', RGB_INFO='/direct/camera_info')
    got, _ = read(odd)
    assert_same(got, straight)
    assert any('plumb_bob, will be rectified' in item.text for item in doctor(odd))
    rectified = renamed(warped, RGB='/c/image_rect', RGB_INFO='/c/camera_info')
    assert not np.array_equal(read(rectified)[0][0].rgb, straight[0].rgb)


# Pixels and points.


def scaled_depth(counts_per_mm):
    def apply(message):
        pixels = message.data.view('<u2').reshape(240, 320)
        scaled = np.clip(pixels.astype(float) * counts_per_mm, 0, 65535).astype('<u2')
        return image(message.header, scaled, '16UC1')

    return apply


def test_depth_in_tenths_of_a_millimetre(good, expected, read, doctor):
    made = changed(good, DEPTH, scaled_depth(10))
    got, notes = read(made, depth_unit_m=1e-4, max_depth_m=6.0)
    near = [read(good, max_depth_m=6.0)[0][0]]
    assert_same(got[:1], near)
    assert notes == []
    _, notes = read(made)
    assert 'all is far' in notes[0] and '--depth-unit 0.0001' in notes[0]
    assert any('--depth-unit 0.0001' in text for text in levels(doctor(made), Level.WARN))


@pytest.mark.parametrize(
    ('factor', 'unit_m', 'seen'), [(1000, 0.001, 'far'), (0.01, 100, 'nearer')]
)
def test_float_depth_in_another_unit(good, expected, read, factor, unit_m, seen):
    def other(message):
        metres = message.data.view('<u2').reshape(240, 320).astype('<f4') / 1000
        return image(message.header, metres * np.float32(factor), '32FC1')

    made = changed(good, DEPTH, other)
    got, _ = read(made, depth_unit_m=unit_m)
    assert_same(got, expected, depth_m=1e-4)
    assert f'all is {seen}' in read(made)[1][0]


def test_centimetres_are_suspected(good, read):
    _, notes = read(changed(good, DEPTH, scaled_depth(0.05)))
    assert '--depth-unit 0.01' in notes[0] and 'nearer than a lens' in notes[0]


def test_colour_as_plain_bytes(good, expected, read):
    def plain(order):
        def apply(message):
            rgb = message.data.reshape(240, 320, 3)
            return image(message.header, rgb[..., ::order], '8UC3')

        return apply

    got, notes = read(changed(good, RGB, plain(-1)))
    assert_same(got, expected)
    assert notes == [
        f'{RGB}: encoding 8UC3 does not name colours; taken as bgr8, see --color-order '
        '(pointmaps.color_order)'
    ]
    assert_same(read(changed(good, RGB, plain(1)), color_order='rgb')[0], expected)


@pytest.mark.parametrize('value', [0, float('nan')])
def test_depth_without_a_single_return_has_a_reason(good, read, doctor, value):
    def blind(message):
        return image(message.header, np.full((240, 320), value, '<f4'), '32FC1')

    made = changed(good, DEPTH, blind)
    got, notes = read(made)
    assert all(isinstance(item, Frame) and np.isnan(item.depth_m).all() for item in got)
    assert f'{DEPTH}: an image without a single return' in notes
    assert any('no depth within' in text for text in levels(doctor(made), Level.ERROR))


@pytest.mark.parametrize('filler', [(0, 0, 0), (1e-3, 0, 0), (0.4, 0.1, 0.2), (1e6, 1e6, 1e6)])
def test_points_that_say_no_return_hide_nothing(swept, read, filler):
    expected, _ = read(swept)

    def with_holes(message):
        step = message.point_step
        points = message.data.reshape(-1, step).copy()
        holes = np.zeros((len(points) // 3, step), np.uint8)
        holes[:, :12] = np.array(filler, '<f4').view(np.uint8)
        message.data = np.concatenate([points, holes]).reshape(-1)
        message.width = len(points) + len(holes)
        message.row_step = message.width * step

    got, _ = read(changed(swept, LIDAR, with_holes))
    assert_same(got, expected)


def test_an_organised_cloud_whose_row_step_is_the_whole(swept, read):
    expected, _ = read(swept)

    def organised(message):
        step = message.point_step
        count = message.width // 16 * 16
        message.data = message.data[: count * step]
        message.height, message.width = 16, count // 16
        message.row_step = count * step

    got, _ = read(changed(swept, LIDAR, organised))
    for one, other in zip(got, expected, strict=True):
        both = np.isfinite(one.depth_m) & np.isfinite(other.depth_m)
        assert both.sum() > 0.95 * np.isfinite(other.depth_m).sum()
        assert np.array_equal(one.depth_m[both], other.depth_m[both])


@pytest.mark.parametrize(
    'form', ['16UC1; compressedDepth png', 'compressedDepth', '16UC1; compressedDepth']
)
@pytest.mark.parametrize('header', [b'', bytes(12)])
def test_compressed_depth_with_and_without_a_header(good, expected, read, form, header):
    import cv2

    def packed(item):
        pixels = item.content.data.view('<u2').reshape(240, 320)
        png = cv2.imencode('.png', pixels)[1].tobytes()
        content = StoreTypes().new(
            'sensor_msgs/msg/CompressedImage',
            header=item.content.header,
            format=form,
            data=np.frombuffer(header + png, np.uint8),
        )
        topic = f'{DEPTH}/compressedDepth'
        return Message(topic, 'sensor_msgs/msg/CompressedImage', item.stamp_ns, content)

    made = [packed(item) if item.topic == DEPTH else item for item in good]
    assert_same(read(made)[0], expected)


# What was right before.


def test_five_thousand_static_transforms(good, expected, read):
    static = next(item for item in good if item.topic == '/tf_static')
    many = [replace(static, stamp_ns=static.stamp_ns + at) for at in range(5000)]
    assert_same(read(sorted([*many, *good], key=lambda m: m.stamp_ns))[0], expected)


def test_static_tf_sent_again_with_a_new_parent(good, expected, read):
    static = next(item for item in good if item.topic == '/tf_static')
    wrong = changed([static], '/tf_static', renaming(LINK, 'old_link'))[0]
    assert_same(read([wrong, *good])[0], expected)


def test_big_endian_flag_of_bytes_does_not_matter(good, expected, read):
    assert_same(read(changed(good, RGB, fields(is_bigendian=1)))[0], expected)


def test_a_stale_calibration_is_warned_about(good, doctor):
    def stale(message):
        message.k = message.k * 2
        message.k[8] = 1
        message.p = message.p * 2
        message.p[10] = 1

    found = doctor(changed(good, (RGB_INFO, DEPTH_INFO), stale))
    assert any('240' in text for text in levels(found, Level.WARN))


def test_binning_with_a_calibration_of_full_size(good, expected, read):
    def full(message):
        message.width, message.height = 640, 480
        message.binning_x = message.binning_y = 2
        for name in ('k', 'p'):
            matrix = getattr(message, name).copy().reshape(3, -1)
            matrix[:2] *= 2
            matrix[:2, 2] += 0.5
            setattr(message, name, matrix.reshape(-1))

    assert_same(read(changed(good, (RGB_INFO, DEPTH_INFO), full))[0], expected)


@pytest.mark.parametrize(
    ('model', 'd'),
    [
        ('plumb_bob', [0.1, -0.2, 0, 0, 0.05, 0, 0, 0]),
        ('rational_polynomial', [80.0, -300, 1e-4, 2e-4, 500, 80, -310, 520]),
    ],
)
def test_eight_coefficients_with_an_empty_p(good, read, model, d):
    wide = fields(distortion_model=model, d=np.array(d), p=np.zeros(12))
    got, notes = read(changed(good, RGB_INFO, wide))
    assert all(isinstance(item, Frame) for item in got) and notes == []
