# SPDX-License-Identifier: Apache-2.0
"""Training of the small perceptrons that judge patches and pairs of them, in numpy alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from scipy.linalg import block_diag

from sam3d_ros.core.types import BoolArray, Float32Array
from sam3d_ros.segmentation.partition.affinity import Network


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a network is trained; the defaults made the ones that are shipped.

    :param members: networks trained from different seeds, whose log-odds are averaged.
    :param jitter: standard deviation of the noise added to features.
    """

    members: int = 3
    hidden: tuple[int, ...] = (64, 48)
    epochs: int = 80
    batch: int = 512
    rate: float = 2e-3
    decay: float = 5e-4
    jitter: float = 0.12
    seed: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """Features with their truth.

    :param features: (P, F) float32.
    :param truth: (P,) bool: a pair is one object, or a patch is part of one.
    :param weight: (P,) float32, about 1.
    """

    features: Float32Array
    truth: BoolArray
    weight: Float32Array


def joined(parts: Sequence[Examples]) -> Examples:
    """Return all examples as one."""
    return Examples(
        np.concatenate([part.features for part in parts]),
        np.concatenate([part.truth for part in parts]),
        np.concatenate([part.weight for part in parts]),
    )


def train(data: Examples, recipe: Recipe) -> Network:
    """Train the members and return their mean as one network with block diagonal weights."""
    members = [_member(data, recipe, recipe.seed + k) for k in range(recipe.members)]
    layers = zip(*(network.weights for network in members), strict=True)
    weights = [
        np.concatenate(layer, axis=1) if k == 0 else block_diag(*layer)
        for k, layer in enumerate(layers)
    ]
    biases = [np.concatenate(layer) for layer in zip(*(n.biases for n in members), strict=True)]
    mean = np.full((recipe.members, 1), 1 / recipe.members)
    weights[-1], biases[-1] = weights[-1] @ mean, biases[-1] @ mean
    return Network(
        tuple(weight.astype(np.float32) for weight in weights),
        tuple(bias.astype(np.float32) for bias in biases),
    )


def _member(data: Examples, recipe: Recipe, seed: int) -> Network:
    """Minimise weighted cross entropy by Adam (Kingma and Ba 2015) with a cosine schedule."""
    rng = np.random.default_rng(seed)
    sizes = (data.features.shape[1], *recipe.hidden, 1)
    network = Network(
        tuple(
            rng.normal(0, np.sqrt(2 / a), (a, b)).astype(np.float32) for a, b in pairwise(sizes)
        ),
        tuple(np.zeros(size, np.float32) for size in sizes[1:]),
    )
    values = [*network.weights, *network.biases]
    moments = [(np.zeros_like(value), np.zeros_like(value)) for value in values]
    per_epoch = len(data.truth) // recipe.batch
    steps = recipe.epochs * per_epoch
    for step in range(steps):
        if step % per_epoch == 0:
            order = rng.permutation(len(data.truth))
        at = step % per_epoch * recipe.batch
        chosen = order[at : at + recipe.batch]
        slopes = _gradient(network, data, chosen, recipe, rng)
        rate = recipe.rate * 0.5 * (1 + np.cos(np.pi * step / steps))
        for value, slope, (first, second) in zip(values, slopes, moments, strict=True):
            first += 0.1 * (slope - first)
            second += 0.001 * (slope * slope - second)
            unbiased = np.sqrt(second / (1 - 0.999 ** (step + 1))) + 1e-8
            value -= rate * first / (1 - 0.9 ** (step + 1)) / unbiased
    return network


def _gradient(
    network: Network, data: Examples, chosen: np.ndarray, recipe: Recipe, rng: np.random.Generator
) -> list[Float32Array]:
    """Gradient of the loss by every weight matrix, then by every bias."""
    features = data.features[chosen]
    layers = [features + rng.normal(0, recipe.jitter, features.shape).astype(np.float32)]
    last = len(network.weights) - 1
    for k, (weight, bias) in enumerate(zip(network.weights, network.biases, strict=True)):
        out = layers[-1] @ weight + bias
        layers.append(out if k == last else np.maximum(out, 0))
    error = 1 / (1 + np.exp(-layers[-1][:, 0])) - data.truth[chosen]
    back = (error * data.weight[chosen] / len(chosen))[:, None].astype(np.float32)
    by_weight: list[Float32Array] = []
    by_bias: list[Float32Array] = []
    for k in range(last, -1, -1):
        decay = np.float32(recipe.decay) * network.weights[k]
        by_weight.insert(0, layers[k].T @ back + decay)
        by_bias.insert(0, back.sum(axis=0))
        back = (back @ network.weights[k].T) * (layers[k] > 0)
    return by_weight + by_bias


def accuracy(network: Network, data: Examples) -> float:
    """Return the weighted share of pairs on the right side of even odds."""
    right = (network.log_odds(data.features) > 0) == data.truth
    return float((right * data.weight).sum() / data.weight.sum())


def save(network: Network, path: Path) -> None:
    """Write the network in the form that the geometric backend reads."""
    stored = {f'weight_{k}': value for k, value in enumerate(network.weights)}
    stored |= {f'bias_{k}': value for k, value in enumerate(network.biases)}
    np.savez_compressed(path, **stored)  # type: ignore[arg-type]
