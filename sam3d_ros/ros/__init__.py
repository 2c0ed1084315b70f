# SPDX-License-Identifier: Apache-2.0
"""The only place besides nodes/ that touches rclpy: compat, QoS, TF, parameters, sync."""
