# SPDX-License-Identifier: Apache-2.0
"""cv_bridge's class: arrays to messages and back, in the encodings that people ask for."""

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='no ROS in this environment')

from std_msgs.msg import Header

from sam3d_ros.ros.compat.cv_bridge import CvBridge, CvBridgeError

RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 255, (6, 8, 3), np.uint8)
BRIDGE = CvBridge()


def test_passthrough_round_trip():
    for array, name in [
        (RGB, '8UC3'),
        (RGB[..., 0].copy(), '8UC1'),
        (RNG.normal(size=(3, 4)).astype(np.float32), '32FC1'),
        (RNG.integers(0, 9, (3, 4), np.uint16), '16UC1'),
    ]:
        message = BRIDGE.cv2_to_imgmsg(array, header=Header(frame_id='camera'))
        assert (message.encoding, message.header.frame_id) == (name, 'camera')
        np.testing.assert_array_equal(BRIDGE.imgmsg_to_cv2(message), array)


def test_colour_conversions():
    message = BRIDGE.cv2_to_imgmsg(RGB, 'rgb8')
    np.testing.assert_array_equal(BRIDGE.imgmsg_to_cv2(message, 'bgr8'), RGB[..., ::-1])
    assert BRIDGE.imgmsg_to_cv2(message, 'rgba8').shape == (6, 8, 4)
    grey = BRIDGE.imgmsg_to_cv2(message, 'mono8')
    np.testing.assert_allclose(grey, RGB @ [0.299, 0.587, 0.114], atol=1.0)
    assert np.shares_memory(
        BRIDGE.imgmsg_to_cv2(message, 'rgb8'), np.frombuffer(message.data, np.uint8)
    )


def test_depth_changes_its_type_but_not_its_meaning():
    message = BRIDGE.cv2_to_imgmsg(np.full((2, 2), 1500, np.uint16), '16UC1')
    depth = BRIDGE.imgmsg_to_cv2(message, '32FC1')
    assert depth.dtype == np.float32 and (depth == 1500).all()


def test_compressed_round_trip():
    smooth = np.full((16, 16, 3), (200, 30, 90), np.uint8)
    png = BRIDGE.cv2_to_compressed_imgmsg(smooth, 'png')
    assert png.format == 'png'
    np.testing.assert_array_equal(BRIDGE.compressed_imgmsg_to_cv2(png), smooth)
    jpeg = BRIDGE.cv2_to_compressed_imgmsg(smooth)
    decoded = BRIDGE.compressed_imgmsg_to_cv2(jpeg, 'rgb8').astype(int)
    np.testing.assert_allclose(decoded, smooth[..., ::-1], atol=6)


def test_what_makes_no_sense_is_refused():
    message = BRIDGE.cv2_to_imgmsg(RGB, 'rgb8')
    with pytest.raises(CvBridgeError, match='rgb8'):
        BRIDGE.imgmsg_to_cv2(message, '16UC1')
    with pytest.raises(CvBridgeError, match='16UC1'):
        BRIDGE.cv2_to_imgmsg(RGB, '16UC1')
    with pytest.raises(TypeError):
        BRIDGE.cv2_to_imgmsg([1, 2])
    message.step = 3
    with pytest.raises(CvBridgeError, match='step 3'):
        BRIDGE.imgmsg_to_cv2(message)
