# SPDX-License-Identifier: Apache-2.0
"""Live topics are captured as a recording, whatever quality of service they offer."""

import threading

import numpy as np
import pytest

pytest.importorskip('tf2_msgs', reason='no ROS interfaces in this environment')

from rclpy.time import Time
from sensor_msgs.msg import CameraInfo, Image, RegionOfInterest
from std_msgs.msg import Header

from sam3d_ros.core.types import Camera
from sam3d_ros.messages.sensors.cameras import encode_camera
from sam3d_ros.messages.sensors.images import encode_image
from sam3d_ros.messages.topics import Quality
from sam3d_ros.pipeline.checkup import Level, check_up
from sam3d_ros.pointmaps.config import PointmapConfig
from sam3d_ros.ros.capture import Capture
from sam3d_ros.ros.qos import profile

CAMERA = Camera(64, 48, np.array([[60.0, 0, 31.5], [0, 60, 23.5], [0, 0, 1]]))


class Driver:
    """Publishes colour best-effort, depth reliably, at 20 Hz."""

    def __init__(self, node):
        self.number = 0
        make = node.create_publisher
        self.color = make(Image, '/rgb/image_rect', profile(Quality.SENSOR_DATA))
        self.depth = make(Image, '/depth/image_rect', profile(Quality.RELIABLE))
        self.infos = [make(CameraInfo, f'/{name}/camera_info', 10) for name in ('rgb', 'depth')]
        make(Image, '/sam3d/segmentation/overlay', 10)
        make(Image, '/silent/image', 10)
        node.create_timer(0.05, self.publish)

    def publish(self):
        self.number += 1
        stamp = Time(nanoseconds=10**9 + self.number * 50_000_000).to_msg()
        header = Header(stamp=stamp, frame_id='camera')
        self.color.publish(encode_image(np.zeros((48, 64, 3), np.uint8), 'rgb8', Image, header))
        depth = np.full((48, 64), 700, np.uint16)
        self.depth.publish(encode_image(depth, '16UC1', Image, header))
        for info in self.infos:
            info.publish(encode_camera(CAMERA, CameraInfo, RegionOfInterest, header))


@pytest.mark.dds
def test_a_running_camera_is_looked_at_like_a_recording(graph):
    from rclpy.node import Node

    Driver(graph.node('driver'))
    done = threading.Event()
    spinning = threading.Thread(
        target=lambda: [graph.executor.spin_once(timeout_sec=0.1) for _ in iter(done.is_set, True)]
    )
    spinning.start()
    listener = Node('doctor', context=graph.context)
    try:
        with Capture(listener, 1.0, leave_out='/sam3d') as capture:
            found = list(check_up(capture, PointmapConfig()))
            names = {topic.name: topic.count for topic in capture.topics}
    finally:
        listener.destroy_node()
        done.set()
        spinning.join()
    assert names['/rgb/image_rect'] > 3 and names['/silent/image'] == 0
    assert '/sam3d/segmentation/overlay' not in names
    assert not [item for item in found if item.level == Level.ERROR]
    text = '\n'.join(item.text for item in found)
    assert '/rgb/image_rect: ' in text and 'best effort' in text and '20.0 Hz' in text
    assert '100% of the pixels have depth: 0.70' in text
    assert '/silent/image: no messages' in text
