# SPDX-License-Identifier: Apache-2.0
"""Benches of shapes: from one view, in later views, seen anew, their texture and symmetry."""
