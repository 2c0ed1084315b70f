# SPDX-License-Identifier: Apache-2.0
"""Train the network that tells whether two patches are parts of one thing.

``python -m sam3d_ros.training.borders --objects DIR --frames CACHE`` renders the worlds below
(kept in CACHE, so that a second run only trains) and writes ``segmentation/borders.npz``.
Minutes on a CPU, numpy alone.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from scipy.linalg import block_diag

from sam3d_ros import segmentation
from sam3d_ros.core.errors import ConfigurationError
from sam3d_ros.core.types import BoolArray, Camera, Float32Array, Frame, IndexArray
from sam3d_ros.geometry.cameras import pointmap_from_depth
from sam3d_ros.segmentation.affinity import Network
from sam3d_ros.segmentation.config import SegmentationConfig
from sam3d_ros.segmentation.partition import PairedPatches, find_surfaces, pair_patches
from sam3d_ros.world.render import Renderer
from sam3d_ros.world.sources import ObjectSource, ProceduralSource, ScanSource
from sam3d_ros.world.suites import make_episode

LOG = logging.getLogger(__name__)

BOXY = ('box', 'box', 'can', 'box', 'can', 'bowl', 'cup', 'flat', 'mug', 'bottle')
SCHEDULE = (
    ('scantrain', 'clutter', range(48)),
    ('scantrain', 'stacked', range(48)),
    ('scantrain', 'piled', range(24)),
    ('scantrain', 'spaced', range(24)),
    ('proc', 'clutter', range(48)),
    ('proc', 'stacked', range(48)),
    ('proc', 'piled', range(24)),
    ('proc', 'spaced', range(24)),
    ('boxy', 'clutter', (*range(48), *range(500, 544))),
    ('boxy', 'stacked', (*range(48), *range(500, 544))),
)
"""Source of objects, suite and seeds of the frames that are learned from."""

Describe = Callable[[Frame, PairedPatches], Float32Array]
"""Gives the (P, F) float32 features of the pairs of a frame."""

PURITY = 0.75  # a patch with a smaller share of one truth label teaches nothing
FAR_WEIGHT = 0.5
HELD_BACK = 5  # every fifth seed is for validation


@dataclass(frozen=True, slots=True)
class Recipe:
    """How the network is trained; the defaults made the one that is shipped.

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
    """Pairs of patches with their truth.

    :param features: (P, F) float32.
    :param same: (P,) bool, parts of one object.
    :param weight: (P,) float32, about 1.
    """

    features: Float32Array
    same: BoolArray
    weight: Float32Array


def frames(cache: Path, sources: Mapping[str, ObjectSource]) -> Iterator[tuple[int, Path]]:
    """Render what is missing in ``cache`` and yield (seed, file) of every frame."""
    cache.mkdir(parents=True, exist_ok=True)
    for tag, suite, seeds in SCHEDULE:
        for seed in seeds:
            path = cache / f'{tag}_{suite}_{seed:03d}.npz'
            if path.exists() or _render(path, suite, seed, sources[tag]):
                yield seed, path


def _render(path: Path, suite: str, seed: int, source: ObjectSource) -> bool:
    try:
        episode = make_episode(suite, seed, source, frames=1)
    except ConfigurationError as error:
        LOG.warning('%s left out: %s', path.stem, error)
        return False
    renderer = Renderer(episode.objects, episode.surroundings, episode.light)
    rendering = renderer.render(episode.camera, episode.T_fixed_cam[0], episode.T_fixed_obj[0])
    depth = episode.sensor.measure(rendering, episode.camera, np.random.default_rng([seed, 7]))
    np.savez_compressed(
        path,
        rgb=rendering.rgb,
        depth=depth,
        inst=rendering.instances,
        K=episode.camera.K,
        T=episode.T_fixed_cam[0],
    )
    return True


def of_geometry(frame: Frame, found: PairedPatches) -> Float32Array:
    """Return the (P, F) features that the geometric backend judges pairs by."""
    return found.pairs.features


def examples(path: Path, gravity: bool, describe: Describe = of_geometry) -> Examples:
    """Return the labelled pairs of one frame, seen with or without knowing gravity."""
    with np.load(path) as stored:
        rgb, depth, truth = stored['rgb'], stored['depth'], stored['inst'].astype(np.int32)
        K, T_fixed_cam = stored['K'], stored['T']
    camera = Camera(rgb.shape[1], rgb.shape[0], K)
    up = T_fixed_cam[2, :3].copy() if gravity else None
    pointmap = pointmap_from_depth(depth, camera)
    frame = Frame(0, 'camera', camera, rgb, pointmap, 'world', T_fixed_cam, up)
    config = SegmentationConfig()
    found = pair_patches(find_surfaces(frame, config), frame, config)
    owner, pure = _owners(found.patches, truth, depth > 0, found.grid.step)
    front, back = found.pairs.front, found.pairs.back
    useful = pure[front] & pure[back] & ((owner[front] > 0) | (owner[back] > 0))
    weight = np.sqrt(np.minimum(found.regions.area[front], found.regions.area[back]))
    weight *= np.where(found.pairs.bordering, 1.0, FAR_WEIGHT) / 10
    return Examples(
        describe(frame, found)[useful],
        (owner[front] == owner[back])[useful],
        weight[useful].astype(np.float32),
    )


def _owners(
    patches: IndexArray, truth: IndexArray, valid: BoolArray, step: int
) -> tuple[IndexArray, BoolArray]:
    """True object of each patch, and whether most of the patch agrees."""
    seen, real = valid[::step, ::step], truth[::step, ::step]
    votes = np.zeros((int(patches.max()) + 1, int(truth.max()) + 1), np.int64)
    np.add.at(votes, (patches[seen], real[seen]), 1)
    pure = votes.max(axis=1) > PURITY * np.maximum(votes.sum(axis=1), 1)
    return votes.argmax(axis=1).astype(np.int32), pure


def joined(parts: Sequence[Examples]) -> Examples:
    """Return all examples as one."""
    return Examples(
        np.concatenate([part.features for part in parts]),
        np.concatenate([part.same for part in parts]),
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
    per_epoch = len(data.same) // recipe.batch
    steps = recipe.epochs * per_epoch
    for step in range(steps):
        if step % per_epoch == 0:
            order = rng.permutation(len(data.same))
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
    error = 1 / (1 + np.exp(-layers[-1][:, 0])) - data.same[chosen]
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
    right = (network.log_odds(data.features) > 0) == data.same
    return float((right * data.weight).sum() / data.weight.sum())


def save(network: Network, path: Path) -> None:
    """Write the network in the form that the geometric backend reads."""
    stored = {f'weight_{k}': value for k, value in enumerate(network.weights)}
    stored |= {f'bias_{k}': value for k, value in enumerate(network.biases)}
    np.savez_compressed(path, **stored)  # type: ignore[arg-type]


def learn(objects: Path, cache: Path, out: Path, describe: Describe = of_geometry) -> None:
    """Render, train, validate on held-back seeds, save.

    :param objects: folder of scans with an index.json.
    :param cache: folder for the rendered frames.
    """
    sources: dict[str, ObjectSource] = {
        'scantrain': ScanSource(objects, 'train'),
        'proc': ProceduralSource(),
        'boxy': ProceduralSource(BOXY),
    }
    learned: list[Examples] = []
    held: list[Examples] = []
    for seed, path in frames(cache, sources):
        part = examples(path, seed % 2 == 0, describe)
        (held if seed % HELD_BACK == 0 else learned).append(part)
    data, unseen = joined(learned), joined(held)
    network = train(data, Recipe())
    LOG.info('%d pairs: accuracy %.3f', len(data.same), accuracy(network, data))
    LOG.info('%d pairs held back: accuracy %.3f', len(unseen.same), accuracy(network, unseen))
    save(network, out)


def arguments_of(description: str | None, out: Path) -> argparse.Namespace:
    """Return the arguments ``objects``, ``frames`` and ``out`` of the command line."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument('--objects', type=Path, required=True, help='scans with an index.json')
    parser.add_argument('--frames', type=Path, required=True, help='folder for rendered frames')
    parser.add_argument('--out', type=Path, default=out)
    return parser.parse_args()


def main() -> None:
    """Train the network of the geometric backend."""
    arguments = arguments_of(__doc__, Path(segmentation.__file__).parent / 'borders.npz')
    logging.basicConfig(level=logging.INFO, format='%(message)s')
    learn(arguments.objects, arguments.frames, arguments.out)


if __name__ == '__main__':
    main()
