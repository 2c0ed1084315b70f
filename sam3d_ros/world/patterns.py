# SPDX-License-Identifier: Apache-2.0
"""Plain pictures for floors, tables and walls."""

from __future__ import annotations

import cv2
import numpy as np

from sam3d_ros.core.types import ByteArray, FloatArray
from sam3d_ros.world.paint import random_color

Rng = np.random.Generator
SURROUNDINGS_VIVID = 0.35
"""Floors and tables are less colourful than things."""


def random_pattern(rng: Rng, side_px: int = 512) -> ByteArray:
    """Return a (side, side, 3) uint8 picture: plain, wood, tiles, checks or mottled."""
    first = random_color(rng, SURROUNDINGS_VIVID)
    second = 0.7 * first + 0.3 * random_color(rng, SURROUNDINGS_VIVID)
    v, u = np.mgrid[0:side_px, 0:side_px] / side_px
    noise = _noise(rng, side_px, 12)
    kind = int(rng.integers(5))
    if kind == 0:
        share = 0.2 * noise
    elif kind == 1:
        rings = rng.uniform(8, 20) * v + 1.5 * _noise(rng, side_px, 4)
        share = 0.5 + 0.5 * np.sin(2 * np.pi * rings) * (0.6 + 0.4 * noise)
    elif kind == 2:
        count = int(rng.integers(3, 8))
        joint = (np.minimum(u * count % 1.0, v * count % 1.0) < 0.04).astype(float)
        share = np.maximum(joint, 0.15 * noise)
    elif kind == 3:
        count = 2 * int(rng.integers(3, 9))
        share = (np.floor(u * count) + np.floor(v * count)) % 2
    else:
        share = np.clip(0.5 + 0.6 * (noise + 0.5 * _noise(rng, side_px, 60)), 0, 1)
    grain = rng.normal(0.0, 3.0, (side_px, side_px, 1))
    picture = first + share[..., None] * (second - first) + grain
    image: ByteArray = np.clip(picture, 0, 255).astype(np.uint8)
    return image


def _noise(rng: Rng, side_px: int, cells: int) -> FloatArray:
    """Return (side, side) smooth noise about -1..1 with ``cells`` cells across."""
    coarse = rng.uniform(-1, 1, (cells, cells)).astype(np.float32)
    smooth = cv2.resize(coarse, (side_px, side_px), interpolation=cv2.INTER_CUBIC)
    return smooth.astype(np.float64)
