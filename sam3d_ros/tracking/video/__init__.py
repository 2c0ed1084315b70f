# SPDX-License-Identifier: Apache-2.0
"""Tracking with the memory of a video model."""
