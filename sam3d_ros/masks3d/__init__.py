# SPDX-License-Identifier: Apache-2.0
"""Masks on surface points: what several views say together about where an object ends."""
