# SPDX-License-Identifier: Apache-2.0
"""Depth Anything 3 of somebody's installation, in an interpreter of its own."""
