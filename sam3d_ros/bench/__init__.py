# SPDX-License-Identifier: Apache-2.0
"""Measurements against truth and against peers."""
