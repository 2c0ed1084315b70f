# SPDX-License-Identifier: Apache-2.0
"""Colours: one for each object id, for good; and those of the evidence layers."""

from __future__ import annotations

import colorsys

import numpy as np

from sam3d_ros.core.types import FloatArray

_GOLDEN_RATIO = 0.6180339887498949

#: Safe for red-green colour blindness (Okabe and Ito, 2008): blue, orange, vermilion.
OBSERVED_RGB = (0.0, 0.45, 0.70)
OCCLUDED_RGB = (0.90, 0.60, 0.0)
CONTRADICTED_RGB = (0.80, 0.15, 0.10)


def id_color(object_id: int) -> FloatArray:
    """Return the (3,) RGB in 0..1 of an id; neighbouring ids differ by the golden ratio in hue."""
    hue = (0.55 + object_id * _GOLDEN_RATIO) % 1.0
    return np.array(colorsys.hsv_to_rgb(hue, 0.75, 0.95))
