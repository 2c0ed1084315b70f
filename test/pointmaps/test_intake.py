# SPDX-License-Identifier: Apache-2.0
"""Range sources are backends: by kind, by name, those of others too."""

import importlib.metadata
from dataclasses import dataclass, replace

import numpy as np
import pytest

from sam3d_ros.core.config import build, option
from sam3d_ros.core.errors import BackendError, ConfigurationError
from sam3d_ros.core.notes import Notes
from sam3d_ros.core.registry import backend_names, with_options
from sam3d_ros.core.sensors import sensor_model
from sam3d_ros.core.types import Camera
from sam3d_ros.geometry.transform_tree import TransformTree
from sam3d_ros.messages.frames import decode_frame, encode_frame
from sam3d_ros.messages.headers import header_message
from sam3d_ros.messages.sensors.cameras import encode_camera
from sam3d_ros.messages.sensors.clouds import encode_pointmap
from sam3d_ros.messages.sensors.images import encode_image
from sam3d_ros.messages.types import StoreTypes
from sam3d_ros.messages.typestore import typestore
from sam3d_ros.pointmaps.config import PointmapConfig
from sam3d_ros.pointmaps.intake import Arrived, Intake
from sam3d_ros.pointmaps.sources.ranges import RangeMap
from sam3d_ros.session.config import config_kind

NS = 1_700_000_000_000_000_000
CAMERA = Camera(40, 30, np.array([[40.0, 0, 19.5], [0, 40.0, 14.5], [0, 0, 1]]))
HEADER = header_message(StoreTypes(), NS, 'optical')
CLASSES = typestore().types
RGB = np.full((30, 40, 3), 90, np.uint8)


def arrived(topic, message):
    kinds = ('sensor_msgs/msg/CameraInfo', 'sensor_msgs/msg/RegionOfInterest')
    return Arrived(topic, message, encode_camera(CAMERA, *map(CLASSES.get, kinds), HEADER), NS)


COLOR = arrived('/rgb', encode_image(RGB, 'rgb8', CLASSES['sensor_msgs/msg/Image'], HEADER))
DEPTH = arrived(
    '/depth',
    encode_image(np.full((30, 40), 1.5, '<f4'), '32FC1', CLASSES['sensor_msgs/msg/Image'], HEADER),
)
FLAT = np.stack(
    [*np.meshgrid(np.linspace(-1, 1, 40), np.linspace(-1, 1, 30)), np.full((30, 40), 2)], -1
)
CLOUD = arrived(
    '/points',
    encode_pointmap(
        FLAT.astype(np.float32),
        RGB,
        CLASSES['sensor_msgs/msg/PointCloud2'],
        CLASSES['sensor_msgs/msg/PointField'],
        HEADER,
    ),
)


class Guess:
    """A learned source of somebody else's: the lower half is made up."""

    noise = None

    @dataclass(frozen=True)
    class Options:
        known: float = option(
            0.5, 'share of the image that was measured', minimum=0.0, maximum=1.0
        )

    def __init__(self, config, options):
        self.limit_m, self.known = config.max_depth_m, options.known

    def range_of(self, color, measured, tree):
        depth = np.full(color.rgb.shape[:2], self.limit_m, np.float32)
        known = np.arange(depth.size).reshape(depth.shape) < depth.size * self.known
        return RangeMap(depth, sensor_model('tof'), known)

    def forget(self):
        pass


@pytest.fixture
def plugged_in(monkeypatch):
    """Register ``Guess`` as another package would."""
    entry = importlib.metadata.EntryPoint('guess', f'{__name__}:Guess', 'sam3d_ros.range')
    monkeypatch.setattr(type(entry), 'load', lambda self: Guess)
    real = importlib.metadata.entry_points
    monkeypatch.setattr(
        'sam3d_ros.core.registry.entry_points',
        lambda group: (entry,) if group == 'sam3d_ros.range' else real(group=group),
    )
    for cached in (with_options, config_kind):
        cached.cache_clear()
    yield
    for cached in (with_options, config_kind):
        cached.cache_clear()


def test_who_reads_a_message_is_told_by_its_kind():
    assert set(backend_names('range')) >= {'depth', 'points'}
    intake = Intake(PointmapConfig(camera_id='left'))
    near, far = (intake.frame(COLOR, [other], TransformTree()) for other in (DEPTH, CLOUD))
    assert np.nanmedian(near.depth_m) == 1.5 and np.nanmedian(far.depth_m) == pytest.approx(2.0)
    assert (near.sensor.kind, far.sensor.kind) == ('structured_light', 'lidar')
    assert near.camera_id == far.camera_id == 'left' and near.measured is None
    assert near.sigma_m.shape == (30, 40) and np.nanmin(near.sigma_m) > 0


def test_a_learned_source_of_others_is_chosen_by_name(plugged_in):
    intake = Intake(PointmapConfig(range='guess', max_depth_m=3.0))
    frame = intake.frame(COLOR, [DEPTH], TransformTree())
    assert (frame.depth_m == 3.0).all() and frame.sensor.name == 'tof'
    assert frame.measured.sum() == 600
    again = decode_frame(encode_frame(frame))
    assert np.array_equal(again.measured, frame.measured) and again.camera_id == ''


def test_options_of_a_source_are_the_users_to_set(plugged_in):
    values = {'pointmaps': {'range': 'guess', 'guess': {'known': 0.25}}}
    config = build(config_kind(), values)
    frame = Intake(config.pointmaps).frame(COLOR, [DEPTH], TransformTree())
    assert frame.measured.sum() == 300
    with pytest.raises(ConfigurationError, match=r'pointmaps\.guess\.known = 2.0; wanted'):
        build(config_kind(), {'pointmaps': {'guess': {'known': 2.0}}})


def test_a_source_that_is_not_there_is_named():
    with pytest.raises(
        BackendError,
        match=r'no range backend "radar"; wanted one of depth, depth_anything, .*points',
    ):
        Intake(PointmapConfig(range='radar')).frame(COLOR, [DEPTH], TransformTree())


def test_a_camera_info_that_is_not_of_the_cloud_s_camera_is_noted_once():
    notes = Notes()
    intake = Intake(notes=notes)
    for _ in range(2):
        intake.frame(COLOR, [CLOUD], TransformTree())
    (said,) = (note for note in notes.sentences if 'CameraInfo says' in note)
    assert said.startswith('/points: ') and 'fy 40.0' in said and 'fy 29.0' in said


def test_a_look_is_not_followed_and_a_cloud_comes_to_where_odometry_is():
    intake = Intake()
    tree = TransformTree()
    assert intake.frame(COLOR, [DEPTH], tree, is_look=True).fixed_frame == 'optical'
    assert not intake.needs_every_frame
    assert intake.frame(COLOR, [CLOUD], tree).fixed_frame == 'optical'
    assert not intake.needs_every_frame
    pixels = np.full((30, 40), 2.0, '<f4')
    image = encode_image(pixels, '32FC1', CLASSES['sensor_msgs/msg/Image'], HEADER)
    assert intake.frame(COLOR, [arrived('/depth', image)], tree).fixed_frame == 'odom'
    assert intake.frame(COLOR, [CLOUD], tree).fixed_frame == 'odom'


def test_one_of_several_cameras_alone_goes_on_measuring_itself():
    intake = Intake(PointmapConfig(range='fused'))
    other = replace(DEPTH, topic='/other')
    intake.frame(COLOR, [DEPTH, other], TransformTree())
    source = intake.source('fused')
    first = source.noise
    intake.frame(COLOR, [DEPTH], TransformTree())
    assert source.noise is first and set(source._depths) == {'/depth', '/other'}


def test_of_several_depth_cameras_each_measures_itself():
    intake = Intake()
    for topic in ('/depth', '/other', '/depth'):
        intake.frame(COLOR, [replace(DEPTH, topic=topic)], TransformTree(), is_look=True)
    first, other = intake.source('depth', '/depth'), intake.source('depth', '/other')
    assert first is intake.source('depth') and first is not other
    assert first.noise is not other.noise


def test_what_was_kept_of_one_depth_camera_is_not_taken_for_that_of_another_that_sends_first():
    intake = Intake()
    kept = intake.source('depth', '/depth')
    intake.frame(COLOR, [replace(DEPTH, topic='/other')], TransformTree(), is_look=True)
    assert intake.source('depth', '/other') is not kept is intake.source('depth', '/depth')
