# SPDX-License-Identifier: Apache-2.0
"""Recordings as people have them give the frames of the good one, or a sentence that says why not.

Each test changes one thing in a small good recording and compares what is read.
"""

import copy
from dataclasses import replace

import numpy as np
import pytest
from field_checks import assert_same, levels
from field_recordings import (
    DEPTH,
    DEPTH_INFO,
    LINK,
    OPTICAL,
    RGB,
    RGB_INFO,
    changed,
    compressed_beside,
    headers,
    image_beside,
    renamed,
    renaming,
    stamped,
    without,
)
from made_up_recordings import image, write
from scipy.spatial.transform import Rotation

from sam3d_ros.bags.recording import Recording
from sam3d_ros.bags.selection import select
from sam3d_ros.core.errors import ConfigurationError, RecordingError, TransformError
from sam3d_ros.messages.transforms import transform_from, transform_message
from sam3d_ros.messages.types import StoreTypes
from sam3d_ros.pipeline.checkup import Level
from sam3d_ros.pipeline.frames import FrameReader
from sam3d_ros.pointmaps.config import PointmapConfig

IMAGES = (RGB, DEPTH)
SENSORS = (RGB, DEPTH, RGB_INFO, DEPTH_INFO)
UPTIME_NS = 1_700_000_000_000_000_000 - 42_000_000_000


# Topics that are there beside those that count.


@pytest.mark.parametrize(
    ('topic', 'form'),
    [
        (f'{DEPTH}/zstd', 'zstd'),
        (f'{DEPTH}/rvl2', '16UC1; rvl2'),
        ('/a_cam/image_compressed', 'h264'),
        ('/a_cam/image_raw/ffmpeg', 'libx264;nv12;rgb8;rgb8'),
        ('/camera/color/image_raw/compressed', 'h265'),
    ],
)
def test_transports_that_cannot_be_read_are_left_out_by_name(good, expected, read, topic, form):
    got, notes = read(compressed_beside(good, topic, form))
    assert_same(got, expected)
    assert notes == [f'{topic} is left out: format "{form}" is not one we can read']


def test_only_video_is_refused_with_the_cause(good, read):
    made = compressed_beside(without(good, RGB), '/camera/color/image', 'h264')
    with pytest.raises(RecordingError, match=r'no topic with a colour.*/image \(format "h264" is'):
        read(made)


@pytest.mark.parametrize(
    ('topic', 'pixels', 'encoding'),
    [
        ('/ir/image_raw', np.full((240, 320), 300, '<u2'), 'mono16'),
        ('/camera/infra1/image_rect_raw', np.full((240, 320), 90, 'u1'), 'mono8'),
        ('/a_thermal/image', np.full((240, 320), 29000, '<u2'), '16UC1'),
        ('/a/confidence/map', np.full((240, 320), 50, '<f4'), '32FC1'),
        ('/camera/depth/confidence', np.full((240, 320), 3, '<u2'), '16UC1'),
        ('/left/image_raw', np.full((240, 320), 300, '<u2'), 'mono16'),
        ('/a/image', np.full((240, 320), 29000, '<u2'), '16UC1'),
        ('/a_mask/image', np.full((240, 320, 3), 1, 'u1'), 'rgb8'),
        ('/a_webcam/image', np.full((120, 160, 3), 1, 'u1'), 'rgb8'),
    ],
)
def test_images_of_other_sensors_are_not_taken(good, expected, read, topic, pixels, encoding):
    got, notes = read(image_beside(good, topic, pixels, encoding))
    assert_same(got, expected)
    if encoding in ('mono16', '32FC1'):
        assert len(notes) == 1 and notes[0].startswith(f'{topic} ({encoding}) is not taken for')


def test_aligned_depth_before_raw_depth_of_the_same_frame(good, expected, read):
    pixels = np.full((240, 320), 700, '<u2')
    got, _ = read(image_beside(good, '/camera/a_depth/image_raw', pixels, '16UC1'))
    assert_same(got, expected)


def test_a_true_tie_stops(good, read):
    made = image_beside(good, '/a/depth', np.full((240, 320), 700, '<u2'), '16UC1')
    made = image_beside(made, '/b/depth', np.full((240, 320), 700, '<u2'), '16UC1')
    with pytest.raises(RecordingError, match=r'/a/depth, /b/depth.*Type --depth /a/depth'):
        read(without(made, DEPTH, DEPTH_INFO))


@pytest.mark.parametrize('encoding', ['mono8', 'mono16', '8UC1'])
def test_a_monochrome_camera_is_taken_as_grey(good, expected, read, encoding):
    def grey(message):
        rgb = message.data.reshape(240, 320, 3)
        pixels = rgb[..., 1].astype('<u2') * 257 if encoding == 'mono16' else rgb[..., 1]
        return image(message.header, pixels, encoding)

    got, _ = read(changed(good, RGB, grey))
    assert_same(got, expected, rgb=False)
    for one, other in zip(got, expected, strict=True):
        assert np.abs(one.rgb[..., 0].astype(int) - other.rgb[..., 1]).max() <= 1


def test_one_bad_first_message_costs_itself(good, expected, read):
    made = list(good)
    for topic in IMAGES:
        at = next(number for number, item in enumerate(made) if item.topic == topic)
        made[at] = replace(made[at], content=b'\0\1\0\0' + bytes(9))
    got, _ = read(made)
    assert_same(got[-3:], expected[1:])


# TF.


def with_bad_edge(message):
    mount = message.transforms[0]
    bad = copy.deepcopy(mount)
    bad.child_frame_id = 'wheel'
    bad.transform.rotation.w = float('nan')
    last = copy.deepcopy(mount)
    last.header.frame_id, last.child_frame_id = OPTICAL, 'gripper'
    message.transforms = [mount, bad, last]


def test_one_bad_edge_of_many_is_dropped(good, expected, tmp_path, read):
    made = changed(good, '/tf_static', with_bad_edge)
    static = next(item for item in made if item.topic == '/tf_static')
    made += [replace(static, stamp_ns=made[-1].stamp_ns + at) for at in (1, 2)]
    path = write(tmp_path / 'bad_edge', made)
    assert_same(read(None, path=path)[0], expected)
    with Recording(path) as recording:
        reader = FrameReader(recording, select(recording), PointmapConfig())
        assert reader.scan.tree.knows('gripper') and not reader.scan.tree.knows('wheel')
        (sentence,) = reader.scan.refused
    assert '/tf_static' in sentence and '"wheel"' in sentence and '(3 times)' in sentence


@pytest.mark.parametrize('child', ['', LINK])
def test_an_edge_to_nowhere_is_dropped(good, expected, read, child):
    def odd(message):
        other = copy.deepcopy(message.transforms[0])
        other.child_frame_id = child
        message.transforms = [other, *message.transforms]

    assert_same(read(changed(good, '/tf_static', odd))[0], expected)


def with_slashes(message):
    for header in headers(message):
        header.frame_id = f'/{header.frame_id}'
    for item in getattr(message, 'transforms', ()):
        item.child_frame_id = f'/{item.child_frame_id}'


def test_slashes_of_tf1_go_everywhere(good, expected, read, doctor):
    made = changed(good, None, with_slashes)
    assert_same(read(made)[0], expected)
    got, _ = read(without(made, '/tf', '/tf_static'), odometry='off')
    assert {(item.frame_id, item.fixed_frame) for item in got} == {(OPTICAL, OPTICAL)}
    assert not levels(doctor(made), Level.WARN)


@pytest.mark.parametrize(
    'names',
    [
        {'TF': '/robot1/tf', 'TF_STATIC': '/robot1/tf_static'},
        {'TF': '/robot1/tf'},
        {'TF': '/a/b/tf', 'TF_STATIC': '/a/b/tf_static'},
    ],
)
def test_tf_of_the_only_namespace_is_taken(good, expected, read, names):
    got, (note,) = read(renamed(good, **names))
    assert_same(got, expected)
    assert note.startswith(f'TF is taken from {names["TF"]}')


def test_tf_of_several_namespaces_is_named_with_the_option(good, expected, read):
    one = renamed(good, TF='/r1/tf', TF_STATIC='/r1/tf_static')
    two = renamed(good, TF='/r2/tf', TF_STATIC='/r2/tf_static')
    both = sorted(
        [*one, *two[:1], *(m for m in two if m.topic == '/r2/tf')], key=lambda m: m.stamp_ns
    )
    with pytest.raises(TransformError, match=r'/r1/tf, /r2/tf.*--tf-namespace /r1'):
        read(both)
    assert_same(read(both, tf_namespace='/r2')[0], expected)
    other = [m for m in two if m.topic.startswith('/r2')]
    other = changed(other, None, renaming(OPTICAL, 'optical2', LINK, 'link2'))
    assert_same(read(sorted([*one, *other], key=lambda m: m.stamp_ns))[0], expected)


def test_images_stamped_with_the_body_frame(good, expected, read, doctor):
    made = changed(good, SENSORS, renaming(OPTICAL, LINK))
    (warning,) = [text for text in levels(doctor(made), Level.WARN) if 'floor' in text]
    assert 'is a wall' in warning and f'--frame-override TOPIC={OPTICAL}' in warning
    _, notes = read(made)
    assert warning in notes, 'process says it too'
    given = f'{RGB}={OPTICAL},{DEPTH}=/{OPTICAL}'
    got, notes = read(made, frame_override=given)
    assert_same(got, expected)
    assert notes == []
    assert not levels(doctor(made, frame_override=given), Level.WARN)


def test_the_floor_is_a_wall_without_an_optical_frame_in_tf_too(good, doctor):
    made = changed(good, SENSORS, renaming(OPTICAL, LINK))
    (warning,) = levels(doctor(without(made, '/tf_static')), Level.WARN)
    assert 'the floor is a wall' in warning


def tilted(deg, offset_m=0.0):
    """Return a change that tilts the lens in its housing."""

    def apply(message):
        mount = transform_from(message.transforms[0])
        T = mount.T_parent_child.copy()
        T[:3, :3] = T[:3, :3] @ Rotation.from_euler('x', deg, degrees=True).as_matrix()
        T[:3, 3] = [0.0, offset_m, 0.0]
        message.transforms = [transform_message(StoreTypes(), replace(mount, T_parent_child=T))]

    return apply


@pytest.mark.parametrize(('deg', 'offset_m'), [(0, 0.0), (6, 0.0), (30, 0.12), (-90, 0.03)])
def test_a_housing_tells_nothing_of_gravity(good, expected, read, deg, offset_m):
    made = changed(without(good, '/tf'), '/tf_static', tilted(deg, offset_m))
    got, _ = read(made, odometry='off')
    assert {item.fixed_frame for item in got} == {LINK}
    assert [item.up_cam for item in got] == [None] * 4
    # The same housing said again and again on /tf.
    mount = next(item for item in made if item.topic == '/tf_static')
    times = [item.stamp_ns for item in made if item.topic == RGB]
    again = [
        replace(
            changed([mount], '/tf_static', stamped(lambda _, t=t: t))[0], topic='/tf', stamp_ns=t
        )
        for t in times
    ]
    got, _ = read(
        sorted([*without(made, '/tf_static'), *again], key=lambda m: m.stamp_ns), odometry='off'
    )
    assert [item.up_cam for item in got] == [None] * 4


# Stamps.


@pytest.mark.parametrize('constant_ns', [0, 1_234_000_000_000])
@pytest.mark.parametrize('topics', [None, IMAGES, (RGB,), (DEPTH,), SENSORS, ('/tf',)])
def test_stamps_that_say_nothing_are_replaced_by_receive_times(
    good, expected, read, constant_ns, topics
):
    made = changed(good, topics, stamped(lambda _: constant_ns))
    got, notes = read(made)
    assert_same(got, expected)
    assert notes and all('receive times are used' in note and '--stamps' in note for note in notes)
    assert len(notes) == len(set(notes))


def test_some_zero_stamps_among_good_ones(good, expected, read):
    seen = iter(range(100))
    made = changed(good, RGB, stamped(lambda t: 0 if next(seen) % 2 else t))
    assert_same(read(made)[0], expected)


def test_a_calibration_without_a_stamp(good, expected, read):
    got, notes = read(changed(good, (RGB_INFO, DEPTH_INFO), stamped(lambda _: 0)))
    assert_same(got, expected)
    assert notes == []


@pytest.mark.parametrize(
    'topics',
    [(DEPTH, DEPTH_INFO), (RGB, RGB_INFO), SENSORS, ('/tf',)],
    ids=['depth', 'colour', 'images', 'tf'],
)
@pytest.mark.parametrize('shift_ns', [-UPTIME_NS, 3_600_000_000_000])
def test_clocks_that_never_meet(good, expected, read, doctor, topics, shift_ns):
    made = changed(good, topics, stamped(lambda t: t + shift_ns))
    got, notes = read(made)
    assert_same(got, expected, stamps='/tf' not in topics)
    (note,) = notes
    assert f'{abs(shift_ns) * 1e-9:.3f} s' in note and 'by receive time' in note
    found = doctor(made)
    assert note in levels(found, Level.WARN) and not levels(found, Level.ERROR)


def test_the_header_can_be_insisted_on(good, read):
    made = changed(good, DEPTH, stamped(lambda t: t - UPTIME_NS))
    with pytest.raises(RecordingError, match=r'no two are within.*--stamp-offset'):
        read(made, stamps='header')


def test_a_stamp_offset(good, expected, read):
    made = changed(good, (DEPTH, DEPTH_INFO), stamped(lambda t: t - 250_000_000))
    got, _ = read(made, stamp_offset=f'{DEPTH}=0.25')
    assert_same(got, expected)
    got, _ = read(made, stamp_offset=f'{DEPTH}=0.25', stamps='header')
    assert_same(got, expected)


def test_receive_times_can_be_insisted_on(good, expected, read):
    late = [replace(item, stamp_ns=item.stamp_ns + 5_000_000) for item in good]
    got, _ = read(late, stamps='receive')
    assert [f.stamp_ns for f in got] == [f.stamp_ns + 5_000_000 for f in expected]
    assert_same(got, expected, stamps=False)


@pytest.mark.parametrize(
    ('options', 'words'),
    [
        ({'stamp_offset': '/nowhere=1'}, '/nowhere, which is not in'),
        ({'frame_override': f'{RGB}'}, 'wanted TOPIC=VALUE'),
        ({'stamp_offset': f'{RGB}=soon'}, 'wanted TOPIC=SECONDS'),
    ],
)
def test_options_that_cannot_be_followed_are_named(good, read, options, words):
    with pytest.raises(ConfigurationError, match=words):
        read(good, **options)
