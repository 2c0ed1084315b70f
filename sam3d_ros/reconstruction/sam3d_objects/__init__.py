# SPDX-License-Identifier: Apache-2.0
"""Adapter to an official SAM 3D Objects installation that runs in an interpreter of its own."""
