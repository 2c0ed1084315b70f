# SPDX-License-Identifier: Apache-2.0
"""The node that makes frames of sensor messages."""
