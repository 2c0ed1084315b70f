# SPDX-License-Identifier: Apache-2.0
"""Where a depth camera is when no TF says it: own RGB-D odometry."""
