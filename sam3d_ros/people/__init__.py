# SPDX-License-Identifier: Apache-2.0
"""People in front of the robot, by depth and by image; perception, not a safety function."""
