# SPDX-License-Identifier: Apache-2.0
"""tf2_ros' names over our tree: lookups, exceptions, waiting, DDS, jumps in time."""

import time

import numpy as np
import pytest

pytest.importorskip('tf2_msgs', reason='no ROS interfaces in this environment')

import yaml
from builtin_interfaces.msg import Time as TimeMessage
from geometry_msgs.msg import TransformStamped
from rclpy.duration import Duration
from rclpy.time import Time
from rosgraph_msgs.msg import Clock

from sam3d_ros.ros.compat import tf2_ros


def stamped(parent, child, x, seconds=0.0, q=(0.0, 0.0, 0.0, 1.0)):
    message = TransformStamped(child_frame_id=child)
    message.header.frame_id = parent
    message.header.stamp = Time(nanoseconds=round(seconds * 1e9)).to_msg()
    message.transform.translation.x = float(x)
    r = message.transform.rotation
    r.x, r.y, r.z, r.w = q
    return message


def at(seconds):
    return Time(nanoseconds=round(seconds * 1e9))


@pytest.fixture
def buffer():
    made = tf2_ros.Buffer()
    for t in (10.0, 11.0):
        made.set_transform(stamped('map', 'base', t, t), 'test')
    made.set_transform_static(stamped('base', 'camera', 100), 'test')
    return made


def test_lookup_interpolates_and_carries_its_stamp(buffer):
    found = buffer.lookup_transform('map', 'camera', at(10.25))
    assert found.transform.translation.x == pytest.approx(110.25)
    assert (found.header.frame_id, found.child_frame_id) == ('map', 'camera')
    assert found.header.stamp == TimeMessage(sec=10, nanosec=250_000_000)
    inverse = buffer.lookup_transform('camera', 'map', TimeMessage(sec=10, nanosec=250_000_000))
    assert inverse.transform.translation.x == pytest.approx(-110.25)


def test_time_zero_is_the_latest(buffer):
    found = buffer.lookup_transform('map', 'camera', Time())
    assert found.transform.translation.x == pytest.approx(111)
    assert found.header.stamp.sec == 11
    moved = buffer.lookup_transform_full('base', at(11), 'base', at(10), 'map')
    assert moved.transform.translation.x == pytest.approx(-1)


def test_rotation_survives(buffer):
    q = np.array([0.1, -0.2, 0.3, 0.9])
    q /= np.linalg.norm(q)
    buffer.set_transform_static(stamped('camera', 'tool', 0, q=tuple(q)), 'test')
    r = buffer.lookup_transform('camera', 'tool', at(3)).transform.rotation
    np.testing.assert_allclose([r.x, r.y, r.z, r.w], q, atol=1e-12)


def test_exceptions_are_those_of_upstream(buffer):
    buffer.set_transform_static(stamped('moon', 'rover', 1), 'test')
    for target, source, when, kind in [
        ('map', 'nowhere', 10, tf2_ros.LookupException),
        ('map', 'rover', 10, tf2_ros.ConnectivityException),
        ('map', 'base', 11.5, tf2_ros.ExtrapolationException),
        ('map', 'base', 9, tf2_ros.ExtrapolationException),
    ]:
        with pytest.raises(kind) as seen:
            buffer.lookup_transform(target, source, at(when))
        assert isinstance(seen.value, tf2_ros.TransformException)
        assert not buffer.can_transform(target, source, at(when))
        possible, why = buffer.can_transform(target, source, at(when), return_debug_tuple=True)
        assert not possible and why == str(seen.value)


def test_nonsense_is_ignored(buffer):
    buffer.set_transform(stamped('map', 'map', 1, 12), 'test')
    buffer.set_transform(stamped('map', 'base', float('nan'), 12), 'test')
    buffer.set_transform(stamped('map', 'base', 1, 12, q=(0.0, 0.0, 0.0, 0.0)), 'test')
    assert not buffer.can_transform('map', 'base', at(12))
    assert buffer.can_transform('map', 'base', at(11))


def test_frames_as_yaml(buffer):
    frames = yaml.safe_load(buffer.all_frames_as_yaml())
    assert frames['base']['parent'] == 'map'
    assert frames['base']['most_recent_transform'] == 11.0
    assert frames['camera']['parent'] == 'base'
    assert 'camera exists with parent base' in buffer.all_frames_as_string()
    assert yaml.safe_load(tf2_ros.Buffer().all_frames_as_yaml()) == {}


def test_waiting_blocks_no_longer_than_asked(buffer):
    begin = time.monotonic()
    with pytest.raises(tf2_ros.ExtrapolationException):
        buffer.lookup_transform('map', 'base', at(99), Duration(seconds=0.05))
    assert time.monotonic() - begin < 5


def test_a_future_is_done_when_the_transform_comes(buffer):
    assert buffer.wait_for_transform_async('map', 'base', at(10.5)).done()
    future = buffer.wait_for_transform_async('map', 'base', at(11.5))
    full = buffer.wait_for_transform_full_async('base', at(11.5), 'base', at(10), 'map')
    assert not future.done()
    buffer.set_transform(stamped('map', 'base', 12, 12.0), 'test')
    assert future.result().transform.translation.x == pytest.approx(11.5)
    assert full.result().transform.translation.x == pytest.approx(-1.5)


def test_cache_time():
    buffer = tf2_ros.Buffer(cache_time=Duration(seconds=2))
    for t in range(10):
        buffer.set_transform(stamped('map', 'base', t, t + 1.0), 'test')
    assert buffer.can_transform('map', 'base', at(8.5))
    assert not buffer.can_transform('map', 'base', at(7.5))


def test_a_second_executor_is_not_offered(buffer):
    with pytest.raises(ValueError, match='spin_thread'):
        tf2_ros.TransformListener(buffer, None, spin_thread=True)


@pytest.mark.dds
def test_broadcasters_reach_a_listener_that_comes_late(graph):
    talker, listener = graph.node('talker'), graph.node('listener')
    moving, fixed = (
        tf2_ros.TransformBroadcaster(talker),
        tf2_ros.StaticTransformBroadcaster(talker),
    )
    fixed.sendTransform(stamped('base', 'camera', 1))
    fixed.sendTransform([stamped('base', 'lidar', 2)])
    buffer = tf2_ros.Buffer(node=listener)
    tf_listener = tf2_ros.TransformListener(buffer, listener)
    graph.spin_until(
        lambda: buffer.can_transform('lidar', 'camera', at(0)) and buffer.tree.knows('map'),
        each=lambda: moving.sendTransform(stamped('map', 'base', 5, 20.0)),
    )
    found = buffer.lookup_transform('map', 'lidar', at(20))
    assert found.transform.translation.x == pytest.approx(7)
    tf_listener.unregister()


@pytest.mark.dds
def test_the_buffer_forgets_when_sim_time_goes_back(graph):
    node = graph.node('simulated', {'use_sim_time': True})
    clock = graph.node('clock').create_publisher(Clock, '/clock', 10)
    buffer = tf2_ros.Buffer(node=node)

    def seconds():
        return node.get_clock().now().nanoseconds * 1e-9

    def turn_to(t):
        graph.spin_until(
            lambda: seconds() == t, each=lambda: clock.publish(Clock(clock=at(t).to_msg()))
        )

    turn_to(50.0)
    buffer.set_transform(stamped('map', 'base', 1, 50.0), 'test')
    buffer.set_transform_static(stamped('base', 'camera', 1), 'test')
    turn_to(51.0)
    assert buffer.can_transform('map', 'base', at(50))
    turn_to(3.0)
    assert not buffer.can_transform('map', 'base', at(50))
    assert buffer.can_transform('base', 'camera', at(3))
