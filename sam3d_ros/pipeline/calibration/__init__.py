# SPDX-License-Identifier: Apache-2.0
"""Where cameras and LiDARs of a rig are to each other, refined from what they both see."""
