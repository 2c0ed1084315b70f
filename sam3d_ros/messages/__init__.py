# SPDX-License-Identifier: Apache-2.0
"""Core types to and from ROS messages; the message classes are handed in."""
