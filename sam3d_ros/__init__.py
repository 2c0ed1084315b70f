# SPDX-License-Identifier: Apache-2.0
"""3D object perception for ROS 2: complete, metric, persistent objects from RGB-D streams."""

__version__ = '0.1.0'
