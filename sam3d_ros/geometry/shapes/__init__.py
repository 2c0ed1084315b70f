# SPDX-License-Identifier: Apache-2.0
"""Meshes and Gaussians: fewer faces, convex parts, symmetries, and how they look."""
