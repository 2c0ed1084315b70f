# SPDX-License-Identifier: Apache-2.0
"""Depth images or LiDAR clouds to frames."""
