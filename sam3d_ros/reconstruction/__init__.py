# SPDX-License-Identifier: Apache-2.0
"""Tracks to complete shape, texture and layout."""
