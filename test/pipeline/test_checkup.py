# SPDX-License-Identifier: Apache-2.0
"""The doctor's rules: a good recording has no errors; each thing that is wrong is named."""

import numpy as np
import pytest

from sam3d_ros.bags.recording import Recording
from sam3d_ros.bags.writer import RecordingWriter
from sam3d_ros.core.types import Camera
from sam3d_ros.geometry.transforms import transform
from sam3d_ros.messages.headers import header_message
from sam3d_ros.messages.sensors.cameras import encode_camera
from sam3d_ros.messages.sensors.images import encode_image
from sam3d_ros.messages.topics import Quality
from sam3d_ros.messages.transforms import StampedTransform, transforms_message
from sam3d_ros.messages.types import StoreTypes
from sam3d_ros.messages.typestore import typestore
from sam3d_ros.pipeline.checkup import Level, check_up
from sam3d_ros.pointmaps.config import PointmapConfig

CLASSES = typestore().types
TYPES = StoreTypes()
CAMERA = Camera(64, 48, np.array([[60.0, 0, 31.5], [0, 60, 23.5], [0, 0, 1]]))
START_NS = 100_000_000_000
STEP_NS = 100_000_000


def message_image(array, encoding, stamp_ns, frame):
    header = header_message(TYPES, stamp_ns, frame)
    return encode_image(array, encoding, CLASSES['sensor_msgs/msg/Image'], header)


def message_info(stamp_ns, frame, focal_px):
    K = CAMERA.K.copy()
    K[0, 0] = focal_px
    return encode_camera(
        Camera(64, 48, K),
        CLASSES['sensor_msgs/msg/CameraInfo'],
        CLASSES['sensor_msgs/msg/RegionOfInterest'],
        header_message(TYPES, stamp_ns, frame),
    )


def write(path, *, frame='rgb', late_ns=0, depth_mm=900, focal_px=60.0, tf=True, step_ns=STEP_NS):
    """Write six frames; every argument is something that a real recording gets wrong."""
    rgb = np.full((48, 64, 3), 90, np.uint8)
    depth = np.full((48, 64), depth_mm, np.uint16)
    with RecordingWriter(path) as writer:
        for number in range(6):
            t = START_NS + number * step_ns
            images = [
                ('rgb', rgb, 'rgb8', 'rgb', t),
                ('depth', depth, '16UC1', frame, t + late_ns),
            ]
            for name, array, encoding, its_frame, stamp in images:
                image = message_image(array, encoding, stamp, its_frame)
                writer.write(
                    f'/{name}/image_rect', 'sensor_msgs/msg/Image', t, image, Quality.SENSOR_DATA
                )
                info = message_info(stamp, its_frame, focal_px if name == 'rgb' else 60.0)
                writer.write(f'/{name}/camera_info', 'sensor_msgs/msg/CameraInfo', t, info)
            if tf:
                edge = StampedTransform(
                    t, 'map', 'rgb', transform(np.eye(3), np.array([0, 0, 1.0]))
                )
                message = transforms_message(TYPES, [edge])
                writer.write('/tf', 'tf2_msgs/msg/TFMessage', t, message, Quality.TF)


def findings(path, **config):
    with Recording(path) as recording:
        return list(check_up(recording, PointmapConfig(**config)))


def errors(found):
    return [(item.subject, item.text) for item in found if item.level == Level.ERROR]


def test_a_good_recording_has_nothing_to_complain_about(tmp_path):
    write(tmp_path / 'good')
    found = findings(tmp_path / 'good')
    assert {item.level for item in found} == {Level.OK}
    text = '\n'.join(f'{item.subject}: {item.text}' for item in found)
    for expected in [
        'topic: /rgb/image_rect: 6 x rgb8, 64x48, frame "rgb", best effort',
        'colour: /rgb/image_rect: 10.0 Hz, 0 gaps',
        'sync: 6 of 6 colour images',
        'TF: map <- rgb; fixed frame "map", known for 100%',
        'frames: 100% of the pixels have depth: 0.90 .. 0.90 .. 0.90 m; gravity from TF',
    ]:
        assert expected in text


@pytest.mark.parametrize(
    ('wrong', 'config', 'subject', 'words'),
    [
        ({'focal_px': 0.0}, {}, 'colour camera', 'K[0] = 0'),
        ({'late_ns': 60_000_000, 'step_ns': 10**9}, {}, 'sync', 'nearest 0.060 s'),
        ({'frame': 'ir'}, {}, 'TF', 'depth is in "ir", colour in "rgb"'),
        ({'depth_mm': 0}, {}, 'frames', 'no depth within [0.1, 10] m'),
        ({'depth_mm': 20_000}, {}, 'frames', 'no depth within [0.1, 10] m'),
        ({}, {'fixed_frame': 'odom'}, 'TF', 'no transform names frame "odom"'),
        ({'tf': False}, {'fixed_frame': 'odom'}, 'TF', 'no transform names "rgb"'),
    ],
)
def test_what_stops_the_pipeline_is_named(tmp_path, wrong, config, subject, words):
    write(tmp_path / 'bad', **wrong)
    found = errors(findings(tmp_path / 'bad', **config))
    assert any(item[0] == subject and words in item[1] for item in found), found


def test_a_recording_without_tf_is_warned_about_but_not_stopped(tmp_path):
    write(tmp_path / 'still', tf=False)
    found = findings(tmp_path / 'still')
    assert errors(found) == []
    assert [item.subject for item in found if item.level == Level.WARN] == ['TF']


def test_a_recording_without_images_is_told_what_is_missing(tmp_path):
    with RecordingWriter(tmp_path / 'empty') as writer:
        writer.declare('/rgb/image_raw', 'sensor_msgs/msg/Image', Quality.SENSOR_DATA)
    found = findings(tmp_path / 'empty')
    assert errors(found)[0][0] == 'topics'
    assert any('/rgb/image_raw: no messages' in item.text for item in found)
