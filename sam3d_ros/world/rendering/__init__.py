# SPDX-License-Identifier: Apache-2.0
"""What a camera or a LiDAR makes of a world."""
