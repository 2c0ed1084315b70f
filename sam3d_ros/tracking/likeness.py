# SPDX-License-Identifier: Apache-2.0
"""Is what is seen here the thing that was seen there? By the size and the colours of its surface.

Colours are compared as histograms in CIELAB by Bhattacharyya's coefficient, which a changed view
or a shadow hardly lowers; sizes by the longest diagonal and by the longest principal axis.
"""

from __future__ import annotations

from itertools import product

import cv2
import numpy as np

from sam3d_ros.core.types import ByteArray, FloatArray
from sam3d_ros.tracking.memory import Sighting

CELLS = (4, 10, 10)
"""Bins for lightness, green to red, blue to yellow; neighbours share what lies between them."""
CHROMA = 60.0
"""a and b beyond this fall into the last bins."""
MOST_RATIO = 1.65
"""What is seen from elsewhere looks larger or smaller by no more than this."""


def palette(colors: ByteArray) -> FloatArray:
    """Return the histogram of (N, 3) uint8 RGB colours; it sums to 1."""
    lab = cv2.cvtColor(colors[None].astype(np.float32) / 255.0, cv2.COLOR_RGB2LAB)[0]
    share = (lab + [0.0, CHROMA, CHROMA]) / [100.0, 2 * CHROMA, 2 * CHROMA]
    place = np.clip(share * CELLS, 0.0, np.array(CELLS) - 1e-3) - 0.5
    low = np.floor(place).astype(np.intp)
    part = place - low
    histogram = np.zeros(int(np.prod(CELLS)))
    for corner in product((0, 1), repeat=3):
        weight = np.where(corner, part, 1.0 - part).prod(axis=1)
        bins = np.clip(low + corner, 0, np.array(CELLS) - 1)
        index = np.ravel_multi_index(tuple(bins.T), CELLS)
        histogram += np.bincount(index, weight, len(histogram))
    return histogram / len(colors)


def colors_alike(one: ByteArray, other: ByteArray) -> float:
    """Return how alike the colours of two surfaces are, 0..1.

    :param one: (N, 3) uint8 RGB.
    :param other: (M, 3) uint8 RGB.
    """
    return palettes_alike(palette(one), palette(other))


def palettes_alike(one: FloatArray, other: FloatArray) -> float:
    """Return how alike two palettes are, 0..1 (Bhattacharyya's coefficient).

    :param one: a histogram of :func:`palette`.
    :param other: likewise.
    """
    return float(np.sqrt(one * other).sum())


def likeness(known: Sighting, seen: Sighting) -> float:
    """Return how alike two things look, 0..1; 0 when their sizes differ too much.

    :param known: all that is remembered of one.
    :param seen: what one view shows of the other.
    """
    for before, after in ((known.extent_m, seen.extent_m), (known.length_m, seen.length_m)):
        if max(before, after) > MOST_RATIO * min(before, after):
            return 0.0
    return colors_alike(known.colors, seen.colors)
