# SPDX-License-Identifier: Apache-2.0
"""Colour, size and shape words of one thing among others, as probabilities that they hold."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.special import expit

from sam3d_ros.core.types import FloatArray
from sam3d_ros.language.colors import applies
from sam3d_ros.language.grammar import Word
from sam3d_ros.language.lexicon import Role
from sam3d_ros.language.shape import Measures
from sam3d_ros.language.things import Thing

USUAL_M = 0.08
"""Side of a cube as large as the usual thing on a table."""
COMPARED = 0.7
"""How far a thing is compared with those around it, rather than with the usual one."""
SIZE_SPREAD = 0.12
"""Blur of the border between large and small, of the logarithm of a side."""
LARGE = 1.2
"""A large thing is so much larger than those that it is compared with."""


def word_probability(word: Word, thing: Thing, things: Sequence[Thing]) -> float:
    """Return the probability that a word, without its negation, holds of a thing.

    :param word: about colour, size or shape.
    :param thing: one of ``things``.
    :param things: all of the scene: small and large are said in comparison.
    """
    if word.role == Role.COLOR:
        return applies(word.meaning, thing.colors)
    shape = thing.measures
    if word.meaning in ('small', 'large'):
        return _compared(
            word.meaning == 'large', shape.size_m, [t.measures.size_m for t in things]
        )
    if word.meaning in ('tall', 'short'):
        slender = _above(shape.height_m / shape.across_m[0], 1.0, 0.15)
        heights = [t.measures.height_m for t in things]
        high = _compared(word.meaning == 'tall', shape.height_m, heights)
        return max(high, slender * high**0.5) if word.meaning == 'tall' else high
    return SHAPES[word.meaning](shape)


def _compared(is_large: bool, own_m: float, all_m: Sequence[float]) -> float:
    border = float(np.log(USUAL_M))
    if len(all_m) > 1:
        border += COMPARED * (float(np.median(np.log(all_m))) - border)
    sign = 1 if is_large else -1
    return _above(sign * (np.log(own_m) - border), np.log(LARGE), SIZE_SPREAD)


def sure(sigmas: FloatArray | float) -> FloatArray:
    """Return the probability that a value measured so many sigmas above zero is above it."""
    return np.asarray(expit(1.7 * sigmas))


def _above(value: float, border: float, spread: float) -> float:
    """Return the probability that a value is above a border that is blurred so far."""
    return float(sure((value - border) / spread))


def _round_outline(shape: Measures) -> float:
    """Return how surely the outline along the axis it turns about is a circle."""
    a, b, c = shape.extents_m
    # About the shortest axis a plate turns, about the longest a bottle.
    plate = _above(b / a, 0.85, 0.05) * _above(0.86, float(shape.outlines[2]), 0.03)
    bottle = _above(c / b, 0.85, 0.05) * _above(0.86, float(shape.outlines[0]), 0.03)
    return max(plate, bottle)


def _spherical(shape: Measures) -> float:
    a, _, c = shape.extents_m
    return _above(c / a, 0.78, 0.06) * _above(0.66, shape.fill, 0.04)


def _cylindrical(shape: Measures) -> float:
    return _round_outline(shape) * _above(shape.fill, 0.66, 0.04) * (1 - _spherical(shape))


def _boxy(shape: Measures) -> float:
    return _above(shape.fill, 0.84, 0.03) * _above(float(shape.outlines.min()), 0.86, 0.03)


SHAPES: dict[str, Callable[[Measures], float]] = {
    'long': lambda s: _above(float(s.extents_m[0] / s.extents_m[1]), 2.2, 0.3),
    'thin': lambda s: _above(0.3, float(s.extents_m[1] / s.extents_m[0]), 0.06),
    'wide': lambda s: _above(float(s.across_m[0]) / s.height_m, 1.6, 0.25),
    'flat': lambda s: (
        _above(0.33, float(s.extents_m[2] / s.extents_m[1]), 0.06)
        * _above(0.45, s.height_m / float(s.across_m[1]), 0.1)
    ),
    'round': lambda s: max(_spherical(s), _round_outline(s)),
    'spherical': _spherical,
    'cylindrical': _cylindrical,
    'boxy': _boxy,
    'cubic': lambda s: _boxy(s) * _above(float(s.extents_m[2] / s.extents_m[0]), 0.75, 0.07),
    'hollow': lambda s: _above(0.62, s.solidity, 0.06),
}
