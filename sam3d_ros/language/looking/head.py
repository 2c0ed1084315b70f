# SPDX-License-Identifier: Apache-2.0
"""Features of a picture and measures of a surface to log-odds of each kind.

Trained by ``python -m sam3d_ros.training.names.train``; ``models/names.md`` has the recipe.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import numpy as np

from sam3d_ros.core.types import Float32Array

MEMBERS = 3


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """Perceptrons of one hidden layer, whose log-odds are averaged.

    :param mean: (1280,) float32 of the features of pictures.
    :param axes: (1280, P) float32 what is kept of them, whitened.
    :param weights: for each member (P + S, hidden) and (hidden, KINDS) float32.
    :param biases: for each member (hidden,) and (KINDS,) float32.
    :param temperature: that log-odds are divided by, so that probabilities are honest.
    """

    mean: Float32Array
    axes: Float32Array
    weights: tuple[tuple[Float32Array, Float32Array], ...]
    biases: tuple[tuple[Float32Array, Float32Array], ...]
    temperature: float

    def appearance(self, picture: Float32Array) -> Float32Array:
        """Return (N, P) float32 whitened features of (N, 1280) features of pictures."""
        found: Float32Array = np.asarray((picture - self.mean) @ self.axes, np.float32)
        return found

    def log_odds(self, appearance: Float32Array, shape: Float32Array) -> Float32Array:
        """Return (N, KINDS) float32, from which a softmax makes probabilities.

        :param appearance: (N, P) of :meth:`appearance`.
        :param shape: (N, S) of :func:`sam3d_ros.language.shape.features`.
        """
        inputs = np.concatenate([appearance, shape], axis=1)
        total = np.zeros(1, np.float32)
        for (first, last), (inner, outer) in zip(self.weights, self.biases, strict=True):
            total = total + np.maximum(inputs @ first + inner, 0) @ last + outer
        odds: Float32Array = (total / len(self.weights) / self.temperature).astype(np.float32)
        return odds


@lru_cache(maxsize=1)
def trained_head() -> Head:
    """Return the head that comes with this package."""
    with (files(__package__) / 'head.npz').open('rb') as stream:
        stored = np.load(stream)
        members = range(MEMBERS)
        return Head(
            stored['mean'],
            stored['axes'],
            tuple((stored[f'weight_{k}_0'], stored[f'weight_{k}_1']) for k in members),
            tuple((stored[f'bias_{k}_0'], stored[f'bias_{k}_1']) for k in members),
            float(stored['temperature']),
        )
