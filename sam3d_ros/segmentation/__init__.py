# SPDX-License-Identifier: Apache-2.0
"""Frames and prompts to instances."""
