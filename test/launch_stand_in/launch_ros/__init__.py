# SPDX-License-Identifier: Apache-2.0
"""A small stand-in for ``launch_ros``: the calls that our launch files make."""
