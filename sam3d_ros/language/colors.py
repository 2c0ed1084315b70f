# SPDX-License-Identifier: Apache-2.0
"""Colours by their English names, as under white light.

Names are regions of CIE L*a*b* (CIE 15:2004, D65) with soft borders, for the eleven basic terms of
Berlin and Kay, "Basic Color Terms" (1969), and two between them. The light's colour is estimated
by Shades of Gray (Finlayson and Trezzi, Color Imaging Conference 2004).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import cv2
import numpy as np
from scipy.ndimage import gaussian_filter

from sam3d_ros.core.types import BoolArray, ByteArray, Float32Array, FloatArray
from sam3d_ros.geometry.colors import encoded, linear

TERMS = (
    'black', 'white', 'grey', 'red', 'orange', 'yellow', 'green', 'turquoise', 'blue', 'purple',
    'pink', 'brown', 'beige',
)  # fmt: skip
HUES = ('red', 'orange', 'yellow', 'green', 'turquoise', 'blue', 'purple', 'pink', 'brown')
NORM = 6
"""Exponent of the norm that the light is estimated by."""
MOST_TINT = 0.25
"""How far the estimated light may be off white in a channel."""
BRIGHT, MOST_GAIN = 0.7, 4.0
"""A picture whose light is dimmer than this is brightened to it, by no more than this factor: what
is black is darker than the rest, not just in the dark."""
STEP = 8
"""Cells of the table of names, of 256 levels of a channel."""
SOFT = 0.9
"""Blur of the table, cells."""
BURNT = 250
"""Values of pixels from which a highlight hides the colour."""


def white_balance(rgb: ByteArray) -> FloatArray:
    """Return (3,) factors on linear light that make the light of a picture white, and not dim.

    :param rgb: (H, W, 3) uint8; a small one will do.
    """
    light = linear(rgb).reshape(-1, 3).astype(np.float64)
    usable = light.max(axis=1) < 0.95
    if not usable.any():
        return np.ones(3)
    norm = (light[usable] ** NORM).mean(axis=0) ** (1 / NORM) + 1e-6
    tint = np.clip(norm / norm.mean(), 1 - MOST_TINT, 1 + MOST_TINT)
    factors: FloatArray = np.clip(BRIGHT / norm.mean(), 1.0, MOST_GAIN) / tint
    return factors


def shares(rgb: ByteArray, factors: FloatArray | None = None) -> Float32Array:
    """Return (TERMS,) float32 how much of a surface is called by each name; they add up to 1.

    :param rgb: (N, 3) uint8 colours of its pixels.
    :param factors: of :func:`white_balance`; None = the light is white.
    """
    matte = rgb[(rgb < BURNT).any(axis=1)]
    if 4 * len(matte) < len(rgb):
        matte = rgb
    if factors is not None:
        matte = encoded(linear(matte) * factors.astype(np.float32))
    cells = matte // STEP
    found: Float32Array = _names()[cells[:, 0], cells[:, 1], cells[:, 2]].mean(axis=0)
    return found


def applies(name: str, share: Mapping[str, float]) -> float:
    """Return the probability that people would call a thing so.

    :param name: of :data:`TERMS`, or dark, light, colourful.
    :param share: how much of it is called by each of the terms.
    """
    get = share.get
    if name == 'dark':
        return _likely(get('black', 0) + 0.5 * get('brown', 0), 0.45)
    if name == 'light':
        return _likely(get('white', 0) + get('beige', 0) + 0.5 * get('pink', 0), 0.45)
    if name == 'colourful':
        hues = sorted((get(hue, 0.0) for hue in HUES), reverse=True)
        return _likely(hues[0] + 2 * hues[1] + 2 * hues[2], 1.0)
    own = get(name, 0.0)
    close = 0.5 * sum(get(other, 0.0) for other in NEIGHBOURS.get(name, ()))
    best = max(share.values(), default=0.0)
    return _likely(own + min(close, own) + (0.1 if own >= best > 0 else 0.0), 0.42)


NEIGHBOURS = {
    'blue': ('turquoise',), 'green': ('turquoise',), 'turquoise': ('blue', 'green'),
    'red': ('pink',), 'orange': ('brown', 'yellow'), 'brown': ('orange', 'beige'),
    'beige': ('white', 'brown'), 'white': ('beige', 'grey'), 'grey': ('white', 'black'),
    'black': ('grey',), 'purple': ('pink', 'blue'), 'pink': ('purple', 'red'),
    'yellow': ('orange', 'beige'),
}  # fmt: skip
"""Names that light and shade take for each other."""


def _likely(share: float, even: float) -> float:
    return float(1 / (1 + np.exp(-(share - even) / 0.06)))


@lru_cache(maxsize=1)
def _names() -> Float32Array:
    """Return (n, n, n, TERMS) float32: by what names each colour goes."""
    level = np.arange(STEP // 2, 256, STEP, dtype=np.uint8)
    grid = np.stack(np.meshgrid(level, level, level, indexing='ij'), axis=-1)
    image = (grid.reshape(-1, 1, 3) / np.float32(255)).astype(np.float32)
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB).reshape(*grid.shape).astype(np.float64)
    hard = np.stack(_regions(lab), axis=-1).astype(np.float32)
    soft = np.stack(
        [gaussian_filter(hard[..., k], SOFT, mode='nearest') for k in range(len(TERMS))], axis=-1
    )
    return (soft / soft.sum(axis=-1, keepdims=True)).astype(np.float32)


def _regions(lab: FloatArray) -> list[BoolArray]:
    """Return for each term where in L*a*b* it is the name; every colour has one."""
    L = lab[..., 0]
    C = np.hypot(lab[..., 1], lab[..., 2])
    h = np.degrees(np.arctan2(lab[..., 2], lab[..., 1])) % 360
    is_warm = (h > 40) & (h < 110)
    grey_below = np.where(is_warm, 11, 9) + 0.03 * L
    dull = grey_below > C
    black = (L < 11) | ((L < 18) & (C < 20)) | ((L < 25) & (C < 14))
    white = dull & (L > 78) & ~black
    beige = is_warm & (L > 66) & (grey_below <= C) & (C < 30) & ~black
    grey = dull & ~black & ~white
    rest = ~(black | white | grey | beige)
    reds = rest & ((h >= 350) | (h < 48))
    pink = (reds & (L > 62)) | (rest & (h >= 325) & (h < 350) & (L > 45))
    pink |= reds & ((h >= 350) | (h < 12)) & (L > 55)
    brown = reds & ~pink & (C < 32) & (h > 20) & (h < 48)
    red = reds & ~pink & ~brown
    oranges = rest & (h >= 48) & (h < 76)
    orange = oranges & (L > 50) & (C > 42)
    brown |= oranges & ~orange
    yellows = rest & (h >= 76) & (h < 110)
    yellow = yellows & (L > 50)
    brown |= yellows & ~yellow & (h < 94)
    green = (yellows & ~yellow & (h >= 94)) | (rest & (h >= 110) & (h < 182))
    turquoise = rest & (h >= 182) & (h < 232)
    blue = rest & (h >= 232) & (h < 304)
    purple = rest & (h >= 304) & (h < 350) & ~pink
    found = {
        'black': black, 'white': white, 'grey': grey, 'red': red, 'orange': orange,
        'yellow': yellow, 'green': green, 'turquoise': turquoise, 'blue': blue, 'purple': purple,
        'pink': pink, 'brown': brown, 'beige': beige,
    }  # fmt: skip
    return [found[term] for term in TERMS]
