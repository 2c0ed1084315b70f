# SPDX-License-Identifier: Apache-2.0
"""Live inputs as people have them: the frames of good ones come out of the pointmap node."""

import copy
from dataclasses import replace

import numpy as np
import pytest
from rclpy.qos import ReliabilityPolicy

from sam3d_ros.core.sensors import sensor_model
from sam3d_ros.geometry.transforms import inverse
from sam3d_ros.messages.cdr import encode
from sam3d_ros.messages.headers import header_message
from sam3d_ros.messages.sensors.clouds import encode_pointmap
from sam3d_ros.messages.topics import TF, Quality
from sam3d_ros.messages.transforms import transforms_from
from sam3d_ros.messages.types import StoreTypes, import_message
from sam3d_ros.messages.typestore import typestore
from sam3d_ros.pointmaps.sources.ranges import RangeMap
from sam3d_ros.ros.qos import profile

pytestmark = pytest.mark.dds
RELIABLE = Quality.RELIABLE


class Pointmaps:
    """A pointmap node of its own, and the frames that it hands on."""

    def __init__(self, ros, namespace, parameters):
        from sam3d_ros.nodes.pointmap.pointmap_node import PointmapNode

        self.ros, self.namespace = ros, namespace
        self._frames = {}
        arguments = ['--ros-args']
        for name, value in parameters.items():
            arguments += ['-p', f'{name}:={value}']
        self.node = PointmapNode(None, namespace=namespace, cli_args=arguments)
        ros.spin(self.node)
        assert self.node.start()
        self.node._frames = self
        self.camera = ros.camera(namespace, quality=Quality.RELIABLE)
        has_depth = parameters.get('inputs.source') != 'color'
        ros.until(lambda: not has_depth or self.camera.subscribers() > 0)
        ros.until(self._is_reliable)

    def send(self, frame, _):
        self._frames[frame.stamp_ns] = frame

    def _is_reliable(self):
        """Return whether the node has followed the publishers: until then it may lose images."""
        topics = ('rgb/image_rect_color', 'depth_registered/image_rect')
        return all(
            info.qos_profile.reliability == ReliabilityPolicy.RELIABLE
            for topic in topics
            for info in self.ros.node.get_subscriptions_info_by_topic(f'{self.namespace}/{topic}')
        )

    @property
    def stamps(self):
        return sorted(self._frames)

    @property
    def frames(self):
        return [self._frames[stamp] for stamp in self.stamps]

    def close(self):
        self.ros.destroy(self.node)
        self.camera.close()


@pytest.fixture
def pointmaps(ros):
    made = []

    def start(namespace, **parameters):
        given = {name.replace('__', '.'): value for name, value in parameters.items()}
        made.append(Pointmaps(ros, namespace, given))
        return made[-1]

    yield start
    for each in made:
        each.close()


@pytest.fixture
def clouds(ros):
    """Return a function that makes a publisher of frames as clouds, once somebody listens."""
    kind = 'sensor_msgs/msg/PointCloud2'
    types = typestore().types
    classes = types[kind], types['sensor_msgs/msg/PointField']
    made = []

    def start(topic):
        publisher = ros.node.create_publisher(import_message(kind), topic, profile(RELIABLE))
        made.append(publisher)
        ros.until(lambda: publisher.get_subscription_count() > 0)

        def publish(frame):
            header = header_message(StoreTypes(), frame.stamp_ns, frame.frame_id)
            cloud = encode_pointmap(frame.pointmap, frame.rgb, *classes, header)
            publisher.publish(encode(cloud, kind))

        return publish

    yield start
    for publisher in made:
        ros.node.destroy_publisher(publisher)


def restamped(messages, names, change):
    """Change the header stamps of some messages, in place."""
    for name in names:
        headers = [getattr(messages[name], 'header', None)]
        headers += [item.header for item in getattr(messages[name], 'transforms', ())]
        for header in filter(None, headers):
            stamp_ns = header.stamp.sec * 10**9 + header.stamp.nanosec
            header.stamp.sec, header.stamp.nanosec = divmod(change(stamp_ns), 10**9)


def until_some(each, frame, change, count=3, **options):
    """Go on publishing a frame, stamped now, messages changed, until frames come out."""

    def more():
        now = replace(frame, stamp_ns=each.ros.node.get_clock().now().nanoseconds)
        # A copy each: they share their header.
        messages = {name: copy.deepcopy(m) for name, m in each.camera.messages(now).items()}
        change(messages)
        each.camera.show(now, **options, **messages)
        return len(each.stamps) >= count

    each.ros.until(more)


@pytest.mark.parametrize('names', [('rgb', 'depth', 'tf', 'rgb_info', 'depth_info'), ('depth',)])
def test_stamps_of_zero_are_replaced_by_receive_times(pointmaps, frames, names):
    each = pointmaps(f'/zero{len(names)}')
    (shown,) = frames(1, frame_id=f'zero_{len(names)}')
    until_some(each, shown, lambda m: restamped(m, names, lambda _: 0))
    assert_now(each, shown)


@pytest.mark.parametrize('names', [('depth', 'depth_info'), ('rgb', 'depth')])
def test_clocks_that_never_meet(ros, pointmaps, frames, names):
    each = pointmaps(f'/uptime_{names[0]}')
    (shown,) = frames(1, frame_id=f'uptime_{names[0]}')
    away_ns = ros.node.get_clock().now().nanoseconds - 42 * 10**9
    until_some(each, shown, lambda m: restamped(m, names, lambda stamp: stamp - away_ns))
    assert_now(each, shown)


def assert_now(each, shown):
    """Assert that the newest frame is the one that was shown, stamped by the clock of now."""
    frame = each.frames[-1]
    assert abs(frame.stamp_ns - each.ros.node.get_clock().now().nanoseconds) < 30 * 10**9
    assert frame.fixed_frame == 'world'
    assert np.allclose(frame.T_fixed_cam, shown.T_fixed_cam, atol=1e-6)
    assert np.nanmedian(np.abs(frame.depth_m - shown.depth_m)) < 1e-3


def test_tf_later_than_images_loses_no_frame(ros, pointmaps, frames):
    """30 Hz, TF 0.4 s late: every frame comes out, in order.

    What is received is handed to the node here: the wire may lose images on a busy machine.
    """
    from sam3d_ros.nodes.pointmap.inputs import RangeData, SensorData

    each = pointmaps('/late', inputs__tf_wait_s=5.0)
    (frame,) = frames(1, frame_id='late_camera')
    shown = [
        each.camera.messages(replace(frame, stamp_ns=frame.stamp_ns + number * 33_333_333))
        for number in range(60)
    ]
    late = 12
    for number in range(len(shown) + late):
        if number < len(shown):
            m = shown[number]
            data = SensorData(
                m['rgb'],
                m['rgb_info'],
                (
                    RangeData(
                        f'{each.namespace}/depth_registered/image_rect',
                        m['depth'],
                        m['depth_info'],
                    ),
                ),
            )
            each.node._take(data)
        if number >= late:
            (edge,) = shown[number - late]['tf'].transforms
            each.node._transforms.set_transform(edge, '')
    ros.until(lambda: len(each.stamps) == len(shown))
    assert each.node._waiting.dropped == 0


def test_a_mount_that_is_known_first_is_not_the_fixed_frame(ros, pointmaps, frames):
    """Static TF comes at once, TF of the robot after the first image; what is received is handed
    to the node here."""
    from sam3d_ros.nodes.pointmap.inputs import RangeData, SensorData

    each = pointmaps('/mounted', inputs__tf_wait_s=10.0)
    (shown,) = frames(1, frame_id='mounted_camera')
    m = each.camera.messages(shown)
    mount, robot = (copy.deepcopy(m['tf'].transforms[0]) for _ in range(2))
    mount.header.frame_id = robot.child_frame_id = 'mounted_base'
    ros.until(lambda: each.node._transforms.may_move)
    each.node._transforms.set_transform_static(mount, '')
    each.node._take(
        SensorData(
            m['rgb'],
            m['rgb_info'],
            (
                RangeData(
                    f'{each.namespace}/depth_registered/image_rect', m['depth'], m['depth_info']
                ),
            ),
        )
    )
    each.node._transforms.set_transform(robot, '')
    ros.until(lambda: each.stamps)
    assert each.frames[0].fixed_frame == shown.fixed_frame
    assert np.allclose(each.frames[0].T_fixed_cam, shown.T_fixed_cam @ shown.T_fixed_cam)


def test_tf_of_the_only_namespace_is_taken(ros, pointmaps, frames):
    each = pointmaps('/elsewhere')
    kind = import_message(TF.type)
    moving = ros.node.create_publisher(kind, '/robot7/tf', profile(Quality.TF))
    (shown,) = frames(1, frame_id='elsewhere_camera')

    def change(messages):
        moving.publish(encode(messages.pop('tf'), TF.type))

    until_some(each, shown, change, without=('tf',))
    assert each.frames[-1].fixed_frame == 'world'
    ros.node.destroy_publisher(moving)


def test_slashes_of_tf1_and_plain_bytes(pointmaps, frames):
    each = pointmaps('/tf1')

    def change(messages):
        for name in ('rgb', 'depth', 'rgb_info', 'depth_info'):
            messages[name].header.frame_id = '/tf1_camera'
        image = messages['rgb']
        image.data = image.data.reshape(-1, 3)[:, ::-1].reshape(-1)
        image.encoding = '8UC3'

    (shown,) = frames(1, frame_id='tf1_camera')
    until_some(each, shown, change)
    frame = each.frames[-1]
    assert (frame.frame_id, frame.fixed_frame) == ('tf1_camera', 'world')
    assert np.array_equal(frame.rgb, shown.rgb)


def test_frames_and_units_can_be_overridden(pointmaps, frames):
    each = pointmaps(
        '/override',
        pointmaps__frame_override='/override/rgb/image_rect_color=override_camera,'
        '/override/depth_registered/image_rect=override_camera',
        pointmaps__depth_unit_m=0.5,
    )

    def change(messages):
        for name in ('rgb', 'depth'):
            messages[name].header.frame_id = ''

    (shown,) = frames(1, frame_id='override_camera')
    until_some(each, shown, change)
    frame = each.frames[-1]
    assert frame.frame_id == 'override_camera'
    assert np.nanmedian(np.abs(frame.depth_m - shown.depth_m / 2)) < 1e-3


def test_a_cloud_takes_over_while_depth_is_silent(ros, pointmaps, clouds, frames):
    """Silence is that of the stamps; the diagnostic names who is missed until it is back."""
    each = pointmaps('/spare')
    (shown,) = frames(1, frame_id='spare_camera')
    publish_cloud = clouds('/spare/points')
    begun_ns = ros.node.get_clock().now().nanoseconds
    sent = []

    def until_made_from(sensor, says, without=()):
        def more():
            sent.append(begun_ns + len(sent) * 100_000_000)
            frame = replace(shown, stamp_ns=sent[-1])
            each.camera.show(frame, without=without)
            publish_cloud(frame)
            if len(sent) % 10 == 0:
                each.node._report()
            is_made = each.stamps and each.frames[-1].sensor.kind == sensor
            return is_made and says(each.node.health.status('inputs').message)

        ros.until(more)

    depth = '/spare/depth_registered/image_rect'
    lost = f'{depth} silent: range comes from what is left'
    until_made_from('structured_light', lambda said: 'silent' not in said)
    until_made_from('lidar', lambda said: lost in said, ('depth',))
    assert each.node._status().values['range from'] == '/spare/points'
    until_made_from('structured_light', lambda said: 'silent' not in said)
    assert each.node._status().values['range from'] == depth


class Inferring:
    """A source that needs colour alone, and measures nothing."""

    noise = None

    def range_of(self, color, measured, tree):
        assert measured is None
        depth_m = np.full(color.rgb.shape[:2], 1.5, np.float32)
        nothing = np.zeros(depth_m.shape, bool)
        return RangeMap(depth_m, sensor_model('tof'), nothing, 0.01 * depth_m)

    def forget(self):
        pass


def test_colour_alone_becomes_frames_of_inferred_range(pointmaps, frames, monkeypatch):
    monkeypatch.setattr('sam3d_ros.pointmaps.intake.make_backend', lambda *_: Inferring())
    each = pointmaps('/plain', inputs__source='color', pointmaps__range='depth_anything')
    (shown,) = frames(1, frame_id='plain_camera')
    until_some(each, shown, lambda m: None, count=2, without=('depth', 'depth_info'))
    frame = each.frames[-1]
    assert (frame.depth_m == 1.5).all() and not frame.measured.any()
    assert np.allclose(frame.sigma_m, 0.015)
    assert each.node._status().values['range from'] == '/plain/rgb/image_rect_color, inferred'


def test_sensors_that_are_fused_make_one_frame(ros, pointmaps, clouds, frames):
    """The depth camera is blind on the left: the cloud gives what is there."""
    each = pointmaps('/fused', pointmaps__range='fused', pointmaps__measure_noise='false')
    (shown,) = frames(1, frame_id='fused_camera')
    publish_cloud = clouds('/fused/points')
    half = shown.pointmap.copy()
    half[:, : half.shape[1] // 2] = np.nan

    def more():
        now = replace(shown, stamp_ns=ros.node.get_clock().now().nanoseconds)
        publish_cloud(now)
        each.camera.show(replace(now, pointmap=half))
        return any(frame.range_sigma_m is not None for frame in each.frames)

    ros.until(more)
    fused = next(frame for frame in each.frames if frame.range_sigma_m is not None)
    known = np.isfinite(shown.depth_m)
    assert np.isfinite(fused.depth_m[known]).mean() > 0.9
    assert set(each.node._inputs.range_from.split(', ')) <= {
        '/fused/depth_registered/image_rect',
        '/fused/points',
    }


def test_a_camera_without_tf_is_followed_and_its_tf_is_sent(ros, pointmaps, frames):
    """Frames come in odom, one by one, and TF from there to the camera with them."""
    each = pointmaps('/in_a_hand', inputs__tf_wait_s=0.5)
    told = ros.listener(TF, '')
    for at in range(4):
        (drawn,) = frames(eye=(0.5, 0.02 * at - 0.6, 0.6), frame_id='hand_camera', size=(320, 240))
        each.camera.show(drawn, without=('tf',))
        ros.until(lambda stamp_ns=drawn.stamp_ns: stamp_ns in each.stamps)
    assert {frame.fixed_frame for frame in each.frames} == {'odom'}
    moved = inverse(each.frames[0].T_fixed_cam) @ each.frames[-1].T_fixed_cam
    assert np.linalg.norm(moved[:3, 3]) == pytest.approx(0.06, abs=0.01)
    last = each.frames[-1]

    def edge(message):
        edges = [e for e in transforms_from(message)[0] if e.child == 'hand_camera']
        return edges if edges and edges[-1].stamp_ns == last.stamp_ns else []

    sent = edge(told.wait(edge))[-1]
    assert sent.parent == 'odom' and np.allclose(sent.T_parent_child, last.T_fixed_cam, atol=1e-6)
