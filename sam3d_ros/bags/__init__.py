# SPDX-License-Identifier: Apache-2.0
"""Reading and writing recordings through rosbags; no rclpy."""
