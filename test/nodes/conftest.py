# SPDX-License-Identifier: Apache-2.0
"""Real nodes over real DDS for the tests: a graph, a made-up camera, listeners with bounded waits.

Everything runs on this machine alone, in a DDS domain of its own.
"""

import os
import sys
import threading
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from sam3d_ros.core.types import Frame
from sam3d_ros.messages.cdr import encode
from sam3d_ros.messages.headers import header_message
from sam3d_ros.messages.sensors.cameras import encode_camera
from sam3d_ros.messages.sensors.images import encode_image
from sam3d_ros.messages.topics import OBJECTS, TF, Quality
from sam3d_ros.messages.transforms import StampedTransform, transforms_message
from sam3d_ros.messages.types import StoreTypes, import_message
from sam3d_ros.messages.typestore import typestore
from sam3d_ros.ros.transport import use_large_segments

os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
os.environ['ROS_DOMAIN_ID'] = str(1 + os.getpid() % 100)

sys.path.insert(0, str(Path(__file__).parents[1] / 'messages'))

WAIT_S = 25.0
"""Longest wait for anything; only a failing test waits that long."""
BOXES = (
    ((0.0, 0.15, 0.06), (0.10, 0.08, 0.12), (200, 40, 40)),
    ((0.05, -0.15, 0.05), (0.12, 0.12, 0.10), (40, 200, 40)),
)
EYE = (0.9, 0.0, 0.7)
FRAME_NS = 100_000_000


class Listener:
    """The decoded messages of one topic, oldest first."""

    def __init__(self, node, name, typename, quality):
        from sam3d_ros.ros.qos import profile

        self.messages = []
        self._typename = typename
        self._changed = threading.Condition()
        self._node = node
        self._subscription = node.create_subscription(
            import_message(typename), name, self._take, profile(quality), raw=True
        )

    def _take(self, data):
        message = typestore().deserialize_cdr(data, self._typename)
        with self._changed:
            self.messages.append(message)
            self._changed.notify_all()

    def wait(self, wanted=lambda message: True, timeout_s=WAIT_S):
        """Return the first message that ``wanted`` says yes to."""
        found = []

        def look():
            found[:] = [message for message in self.messages if wanted(message)][:1]
            return bool(found)

        with self._changed:
            if not self._changed.wait_for(look, timeout_s):
                raise AssertionError(f'no such message among {len(self.messages)}')
        return found[0]

    def clear(self):
        with self._changed:
            self.messages.clear()

    def close(self):
        self._node.destroy_subscription(self._subscription)


class FakeCamera:
    """Publishes frames as a depth camera and a localisation would."""

    def __init__(self, node, namespace, encoding='32FC1', quality=Quality.SENSOR_DATA):
        from sam3d_ros.ros.qos import profile

        self._types = StoreTypes()
        self.encoding = encoding

        def publisher(name, typename, chosen=quality):
            kind = import_message(typename)
            return node.create_publisher(kind, name, profile(chosen)), typename

        image, info = 'sensor_msgs/msg/Image', 'sensor_msgs/msg/CameraInfo'
        self._outputs = {
            'rgb': publisher(f'{namespace}/rgb/image_rect_color', image),
            'rgb_info': publisher(f'{namespace}/rgb/camera_info', info),
            'depth': publisher(f'{namespace}/depth_registered/image_rect', image),
            'depth_info': publisher(f'{namespace}/depth_registered/camera_info', info),
            'tf': publisher('/tf', TF.type, TF.quality),
        }
        self._node = node

    def subscribers(self):
        return min(self._outputs[name][0].get_subscription_count() for name in ('rgb', 'depth'))

    def messages(self, frame: Frame):
        """Return the messages of a frame by the name of their output."""
        header = header_message(self._types, frame.stamp_ns, frame.frame_id)
        classes = {
            name: typestore().types[f'sensor_msgs/msg/{name}']
            for name in ('Image', 'CameraInfo', 'RegionOfInterest')
        }
        info = encode_camera(
            frame.camera, classes['CameraInfo'], classes['RegionOfInterest'], header
        )
        depth = frame.depth_m.copy()
        if self.encoding == '16UC1':
            depth = np.rint(np.nan_to_num(depth, nan=0.0) * 1000).astype(np.uint16)
        edge = StampedTransform(
            frame.stamp_ns, frame.fixed_frame, frame.frame_id, frame.T_fixed_cam
        )
        return {
            'tf': transforms_message(self._types, [edge]),
            'rgb_info': info,
            'depth_info': info,
            'rgb': encode_image(frame.rgb, 'rgb8', classes['Image'], header),
            'depth': encode_image(depth, self.encoding, classes['Image'], header),
        }

    def show(self, frame: Frame, without=(), **changed):
        """Publish a frame, some messages left out or replaced."""
        for name, message in (self.messages(frame) | changed).items():
            if name not in without:
                output, typename = self._outputs[name]
                output.publish(encode(message, typename))

    def close(self):
        for output, _ in self._outputs.values():
            self._node.destroy_publisher(output)


EVERY_FRAME = {'outputs.list_period_s': 0.0, 'session.hurry_s': 0.0}
"""Options with which every frame is segmented and told of, however fast they come."""


class Graph:
    """The nodes in one namespace, and what it takes to feed and to watch them."""

    def __init__(self, ros, namespace, parameters=None, bus=None):
        from sam3d_ros.nodes.objects.objects_node import ObjectsNode
        from sam3d_ros.nodes.pointmap.pointmap_node import PointmapNode

        self.ros = ros
        self.namespace = namespace
        self.nodes = {}
        for kind in (ObjectsNode, PointmapNode):
            arguments = ['--ros-args']
            for name, value in (EVERY_FRAME | (parameters or {})).items():
                arguments += ['-p', f'{name}:={value}']
            node = kind(bus, namespace=namespace, cli_args=arguments)
            self.nodes[node.get_name()] = node
            ros.spin(node)
            assert node.start()

    def listen(self, topic):
        return self.ros.listener(topic, self.namespace)

    def camera(self, **options):
        camera = self.ros.camera(self.namespace, **options)
        self.ros.until(lambda: camera.subscribers() > 0)
        return camera

    def call(self, kind, name, **fields):
        """Return the response of a service of the graph."""
        return self.ros.call(kind, f'{self.namespace}/{name}', **fields)

    def close(self):
        while self.nodes:
            self.ros.destroy(self.nodes.popitem()[1])


class Ros:
    """A running context, nodes whose callbacks run, and a node for the tests' own use."""

    def __init__(self):
        import rclpy
        from rclpy.signals import SignalHandlerOptions

        use_large_segments()
        rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
        self.node = rclpy.create_node('tests')
        self._spinners = {}
        self._graphs = []
        self.spin(self.node)
        self._stamp_ns = 1_700_000_000_000_000_000

    def spin(self, node):
        """Run the callbacks of a node until it is destroyed."""
        from sam3d_ros.ros.spinning import Spinner

        self._spinners[node] = Spinner(node)

    def destroy(self, node):
        self._spinners.pop(node).close()
        node.destroy_node()

    def graph(self, namespace, parameters=None, bus=None):
        graph = Graph(self, namespace, parameters, bus)
        self._graphs.append(graph)
        return graph

    def listener(self, topic, namespace):
        return Listener(self.node, topic.resolve(namespace), topic.type, topic.quality)

    def camera(self, namespace, **options):
        return FakeCamera(self.node, namespace, **options)

    def stamp(self):
        """Return the stamp of the next frame."""
        self._stamp_ns += FRAME_NS
        return self._stamp_ns

    def until(self, condition, timeout_s=WAIT_S):
        deadline = time.monotonic() + timeout_s
        pause = threading.Event()
        while not condition():
            assert time.monotonic() < deadline, 'it did not come to pass'
            pause.wait(0.02)

    def call(self, kind, name, **fields):
        client = self.node.create_client(kind, name)
        assert client.wait_for_service(WAIT_S), name
        response = client.call(kind.Request(**fields), timeout_sec=WAIT_S)
        self.node.destroy_client(client)
        assert response is not None, f'no answer from {name}'
        return response

    def close(self):
        import rclpy

        for graph in self._graphs:
            graph.close()
        self.destroy(self.node)
        rclpy.try_shutdown()


@pytest.fixture(scope='module')
def ros():
    ros = Ros()
    yield ros
    ros.close()


@pytest.fixture(scope='module')
def camera(graph):
    """Return a camera of the graph that a file has as its fixture."""
    return graph.camera()


@pytest.fixture
def objects(graph):
    """Return a listener to the objects of that graph, which knows none."""
    from sam3d_msgs.srv import ClearScene

    listener = graph.listen(OBJECTS)
    assert graph.call(ClearScene, 'scene/clear').success
    listener.clear()
    yield listener
    listener.close()


@pytest.fixture
def frames(ros, boxes_world):
    """Return a function that makes the next ``count`` frames of a still camera."""

    def make(count=1, boxes=BOXES, eye=EYE, frame_id='camera', size=(160, 120)):
        drawn, _ = boxes_world(eye, boxes, size=size)
        return [replace(drawn, stamp_ns=ros.stamp(), frame_id=frame_id) for _ in range(count)]

    return make


def stamp_ns(message) -> int:
    """Return the header stamp of a decoded message."""
    return message.header.stamp.sec * 1_000_000_000 + message.header.stamp.nanosec


@pytest.fixture
def handed_on():
    """Return what stands in for ``message_filters.Subscriber``: it hands on what a test says."""

    class Subscriber:
        def __init__(self, node, kind, topic, qos_profile):
            self.kind, self.sub = kind, SimpleNamespace(qos_profile=qos_profile)

        def registerCallback(self, callback):
            self.callback = callback

    return Subscriber


@pytest.fixture
def play():
    """Return a function that shows frames one by one, each when the one before is through.

    It returns the last list of objects, once all of them have shapes.
    """

    def run(camera, listener, frames):
        for number, frame in enumerate(frames):
            camera.show(frame)
            came = partial(lambda at, m: stamp_ns(m) == at, frame.stamp_ns)
            if number == 0:
                # A subscription that follows a new publisher's quality may lose its first image.
                try:
                    listener.wait(came, 5.0)
                    continue
                except AssertionError:
                    camera.show(frame)
            listener.wait(came)
        return listener.wait(
            lambda m: (
                stamp_ns(m) == frame.stamp_ns
                and all(len(item.mesh.triangles) for item in m.objects)
            )
        )

    return run
