# SPDX-License-Identifier: Apache-2.0
"""Colour and texture of a mesh, from the views that saw it."""
