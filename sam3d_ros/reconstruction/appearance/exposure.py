# SPDX-License-Identifier: Apache-2.0
"""Exposure balance: one gain per view and channel that brings all views to the first one's light.

Two views that see the same surface points differ by the ratio of their gains; its median over the
points forgives highlights and shadows that moved. All pairs are solved for at once by least
squares in the logarithm, as panoramas are (Brown and Lowe, "Automatic Panoramic Image Stitching
using Invariant Features", IJCV 2007, section 6).
"""

from __future__ import annotations

from itertools import combinations

import numpy as np

from sam3d_ros.core.types import BoolArray, Float32Array, FloatArray

DARKEST, BRIGHTEST = 0.003, 0.92
"""Linear light between which a pixel is neither lost in noise nor saturated."""

LEAST_SHARED = 40
"""Points that two views must share to be compared."""

HOLD = 1e-3
"""Pull of every gain to 1, so small that it decides only where nothing else does."""


def exposure_gains(light: Float32Array, seen: BoolArray) -> Float32Array:
    """Return (K, 3) float32 factors on linear light that balance K views; 1 for the first one.

    :param light: (K, P, 3) linear light of P surface points in each view.
    :param seen: (K, P) bool, which points each view sees; what others hold is not read.
    """
    views = len(light)
    gains = np.ones((views, 3), np.float32)
    red, green, blue = np.moveaxis((light > DARKEST) & (light < BRIGHTEST), 2, 0)
    usable = seen & red & green & blue
    stops = np.log(np.maximum(light, DARKEST)).transpose(0, 2, 1)
    rows: list[FloatArray] = []
    values: list[FloatArray] = []
    for i, j in combinations(range(views), 2):
        shared = usable[i] & usable[j]
        if np.count_nonzero(shared) < LEAST_SHARED:
            continue
        row = np.zeros(views)
        row[i], row[j] = 1.0, -1.0
        weight = np.sqrt(np.count_nonzero(shared) / seen.shape[1])
        rows.append(weight * row)
        values.append(weight * np.median((stops[j] - stops[i])[:, shared], axis=1))
    if not rows:
        return gains
    system = np.stack([*rows, *(HOLD * np.eye(views))])[:, 1:]
    wanted = np.stack([*values, *np.zeros((views, 3))])
    gains[1:] = np.exp(np.linalg.lstsq(system, wanted, rcond=None)[0])
    return gains
