# SPDX-License-Identifier: Apache-2.0
"""Frames and prompts to instances; backends are found by name in ``sam3d_ros.segmentation``."""
