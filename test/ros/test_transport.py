# SPDX-License-Identifier: Apache-2.0
"""Large best-effort messages between processes arrive; the user's own choice is respected."""

import os
import subprocess
import sys
from time import monotonic

import pytest

from sam3d_ros.ros import transport

PUBLISHER = """
import array, sys
from time import monotonic
from sam3d_ros.ros.transport import use_large_segments
assert use_large_segments()
import rclpy
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image
rclpy.init()
node = rclpy.create_node('publisher')
publisher = node.create_publisher(Image, 'large', qos_profile_sensor_data)
message = Image(height=480, width=640, encoding='rgb8', step=1920)
message._data = array.array('B', bytes(921600))
deadline = monotonic() + 20
while publisher.get_subscription_count() == 0 and monotonic() < deadline:
    rclpy.spin_once(node, timeout_sec=0.05)
for number in range(40):
    message.header.stamp.sec = number
    publisher.publish(message)
    sys.stdin.readline()
"""


@pytest.fixture
def no_choice(monkeypatch):
    for name in transport.USER_CHOICES:
        monkeypatch.setenv(name, '')


def test_user_choice_and_small_memory_are_respected(no_choice, monkeypatch, tmp_path):
    monkeypatch.setattr(transport, 'NEEDED_BYTES', 1 << 60)
    assert not transport.use_large_segments()
    assert not os.environ[transport.VARIABLE]
    monkeypatch.setattr(transport, 'SHARED_MEMORY', tmp_path / 'nowhere')
    assert not transport.use_large_segments()
    monkeypatch.setenv('FASTDDS_BUILTIN_TRANSPORTS', 'UDPv4')
    assert not transport.use_large_segments()
    assert not os.environ[transport.VARIABLE]


@pytest.mark.dds
def test_every_large_image_arrives(no_choice, monkeypatch):
    """The publisher waits for a line after each image, so a lost one would stop the count."""
    pytest.importorskip('rclpy', reason='needs the ROS wheels (extra: ros)')
    monkeypatch.setenv('ROS_DOMAIN_ID', str(1 + os.getpid() % 90))
    monkeypatch.setenv('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
    if not transport.use_large_segments():
        pytest.skip('too little shared memory here for large segments')
    import rclpy
    from rclpy.qos import qos_profile_sensor_data
    from sensor_msgs.msg import Image

    received = []
    rclpy.init(args=[])
    node = rclpy.create_node('subscriber')
    node.create_subscription(
        Image, 'large', lambda m: received.append(m.header.stamp.sec), qos_profile_sensor_data
    )
    process = subprocess.Popen([sys.executable, '-c', PUBLISHER], stdin=subprocess.PIPE, text=True)
    try:
        deadline = monotonic() + 40
        while len(received) < 40 and monotonic() < deadline and process.poll() is None:
            before = len(received)
            rclpy.spin_once(node, timeout_sec=0.1)
            if len(received) > before:
                process.stdin.write('\n')
                process.stdin.flush()
    finally:
        process.kill()
        process.wait()
        node.destroy_node()
        rclpy.shutdown()
    assert received == list(range(40))
