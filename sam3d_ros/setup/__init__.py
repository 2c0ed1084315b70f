# SPDX-License-Identifier: Apache-2.0
"""What ``./sam3d`` does before the environment exists: standard library only, imports nothing.

``machine`` says what the computer lacks, ``environment`` makes ``.venv``, ``interfaces`` builds
the ROS 2 messages into it with ``rosidl``.
"""
