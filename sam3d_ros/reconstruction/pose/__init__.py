# SPDX-License-Identifier: Apache-2.0
"""Where a known shape is in a frame, and how sure that is."""
