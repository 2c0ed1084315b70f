# SPDX-License-Identifier: Apache-2.0
"""Subsets of message_filters, tf2_ros and cv_bridge with upstream's names and signatures.

Import them through :mod:`sam3d_ros.ros.upstream`, which prefers the real ones.
"""
