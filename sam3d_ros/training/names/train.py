# SPDX-License-Identifier: Apache-2.0
"""Train the head that names objects, on the looks of :mod:`sam3d_ros.training.names.looks`.

``python -m sam3d_ros.training.names.train --looks DIR --out sam3d_ros/language/looking/head.npz``
takes a minute or two after the features, which are kept beside the looks. A third of the scans is
held back in turn: what the heads say of scans that they have not seen sets the temperature.
"""

from __future__ import annotations

import argparse
import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scipy.special import logsumexp
from torch import Tensor, nn
from torch.nn import functional

from sam3d_ros.core.pretrained.pictures import PictureEncoder
from sam3d_ros.core.types import BoolArray, Float32Array, FloatArray
from sam3d_ros.language.kinds import KINDS, UNKNOWN
from sam3d_ros.language.looking.head import MEMBERS, Head
from sam3d_ros.language.shape import features, measure

LOG = logging.getLogger(__name__)

KEPT = 64
"""Principal components of the features of pictures."""
HIDDEN = 96
STEPS, BATCH, RATE, DECAY = 1500, 256, 2e-3, 0.02
DROPPED = 0.3
JITTER = 0.25
LEAST_PIXELS = 60
FOLDS = 3
FAMILY_WEIGHT = 0.5
"""What a look at a made-up solid counts, of one at a scan."""
REFUSED = 0.75
"""Share of the scans outside the vocabulary, held back, that must be called unknown: a wrong name
costs more than none, and there are few of them to tell by."""
TRACK_LOOKS = 3
"""What is told of a thing is the mean of several looks: so it is here."""
TEMPERATURES = np.geomspace(0.5, 4.0, 40)


@dataclass(frozen=True, slots=True, eq=False)
class Looks:
    """All looks: features, kinds, and which thing each is of.

    :param things: names of the scans, or of the families.
    :param is_scan: (N,) bool.
    """

    pictures: Float32Array
    shapes: Float32Array
    kinds: np.ndarray
    things: np.ndarray
    is_scan: BoolArray

    def chosen(self, which: BoolArray) -> Looks:
        """Return some of the looks."""
        return Looks(
            self.pictures[which], self.shapes[which], self.kinds[which], self.things[which],
            self.is_scan[which],
        )  # fmt: skip


def read_looks(folder: Path) -> Looks:
    """Return the looks in a folder; their features are computed once and kept there."""
    cache = folder / 'features.cache'
    if not cache.exists():
        encoder = PictureEncoder('cpu')
        pictures, shapes, names, pixels = [], [], [], []
        for file in sorted(folder.glob('*.npz')):
            with np.load(file) as stored:
                for k in range(int(stored['count'])):
                    pictures.append(encoder.features(stored[f'crop_{k}']))
                    surface = measure(
                        stored[f'vertices_{k}'].astype(np.float64), stored[f'faces_{k}']
                    )
                    shapes.append(features(surface))
                    names.append(str(stored[f'name_{k}']))
                    pixels.append(int(stored[f'pixels_{k}']))
        with cache.open('wb') as stream:
            np.savez(stream, pictures=pictures, shapes=shapes, names=names, pixels=pixels)
    with np.load(cache) as stored:
        large = stored['pixels'] >= LEAST_PIXELS
        parts = [str(name).split('/') for name in stored['names'][large]]
        return Looks(
            stored['pictures'][large].astype(np.float32),
            stored['shapes'][large].astype(np.float32),
            np.array([KINDS.index(kind) for kind, *_ in parts]),
            np.array([thing for _, thing, *_ in parts]),
            np.array(['_' in thing and thing.split('_')[0] in SOURCES for _, thing, *_ in parts]),
        )


SOURCES = ('ycb', 'chen', 'gso', 'gsog')


class Perceptron(nn.Module):
    """One hidden layer."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(inputs, HIDDEN), nn.Linear(HIDDEN, len(KINDS))

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, KINDS) log-odds of (B, inputs) features."""
        hidden = functional.dropout(functional.relu(self.first(x)), DROPPED, self.training)
        out: Tensor = self.last(hidden)
        return out


def train(looks: Looks, seed: int) -> Head:
    """Return a head trained on looks; every kind, and in it every thing, counts alike.

    :param looks: what it learns from.
    :param seed: of weights and batches.
    """
    mean = looks.pictures.mean(axis=0)
    _, s, vt = np.linalg.svd(looks.pictures - mean, full_matrices=False)
    axes = (vt[:KEPT] / s[:KEPT, None] * np.sqrt(len(looks.pictures))).T.astype(np.float32)
    inputs = torch.from_numpy(
        np.concatenate([(looks.pictures - mean) @ axes, looks.shapes], axis=1)
    )
    truth = torch.from_numpy(looks.kinds)
    _, of, count = np.unique(looks.things, return_inverse=True, return_counts=True)
    weight = np.where(looks.is_scan, 1.0, FAMILY_WEIGHT) / np.sqrt(count[of])
    per_kind = np.bincount(looks.kinds, weight, len(KINDS))
    share = weight / per_kind[looks.kinds]
    share[looks.kinds == KINDS.index(UNKNOWN)] *= 4
    weights, biases = [], []
    for member in range(MEMBERS):
        torch.manual_seed(seed + member)
        rng = np.random.default_rng(seed + member)
        network = Perceptron(inputs.shape[1])
        optimiser = torch.optim.AdamW(network.parameters(), RATE, weight_decay=DECAY)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, STEPS)
        for _ in range(STEPS):
            chosen = rng.choice(len(share), BATCH, p=share / share.sum())
            batch = inputs[chosen]
            noisy = batch + JITTER * torch.randn_like(batch)
            loss = functional.cross_entropy(network(noisy), truth[chosen], label_smoothing=0.05)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
        layers = (network.first, network.last)
        first, last = (layer.weight.detach().numpy().T.copy() for layer in layers)
        inner, outer = (layer.bias.detach().numpy().copy() for layer in layers)
        weights.append((first, last))
        biases.append((inner, outer))
    return Head(mean.astype(np.float32), axes, tuple(weights), tuple(biases), 1.0)


def held_back(looks: Looks, seed: int) -> tuple[Float32Array, Looks]:
    """Return what heads say of looks at scans that they have not seen, and these looks."""
    scans = np.unique(looks.things[looks.is_scan])
    fold = np.random.default_rng(seed).permutation(len(scans)) % FOLDS
    odds, parts = [], []
    for k in range(FOLDS):
        out = np.isin(looks.things, scans[fold == k])
        head = train(looks.chosen(~out), seed)
        parts.append(looks.chosen(out))
        odds.append(head.log_odds(head.appearance(parts[-1].pictures), parts[-1].shapes))
    joined = Looks(*(
        np.concatenate([getattr(part, name) for part in parts])
        for name in ('pictures', 'shapes', 'kinds', 'things', 'is_scan')
    ))  # fmt: skip
    return np.concatenate(odds), joined


def tracks_of(odds: Float32Array, seen: Looks, seed: int) -> tuple[FloatArray, Looks]:
    """Return means of :data:`TRACK_LOOKS` looks at one thing, and a look of each.

    :param odds: (N, KINDS) log-odds of looks.
    :param seen: the looks.
    :param seed: of which looks come together.
    """
    rng, means, first = np.random.default_rng(seed), [], []
    for thing in np.unique(seen.things):
        order = rng.permutation(np.flatnonzero(seen.things == thing))
        for start in range(0, max(1, len(order) - TRACK_LOOKS + 1), TRACK_LOOKS):
            means.append(odds[order[start : start + TRACK_LOOKS]].mean(axis=0))
            first.append(int(order[start]))
    chosen = np.zeros(len(seen.kinds), bool)
    chosen[first] = True
    return np.array(means, np.float64)[np.argsort(first)], seen.chosen(chosen)


def calibrate(odds: FloatArray, kinds: np.ndarray, weight: FloatArray) -> tuple[float, float]:
    """Return the temperature, and what is added to the log-odds of unknown after it.

    At each temperature it is the least with which :data:`REFUSED` of what is outside the
    vocabulary is called unknown; the temperature is that at which the truth is likeliest then
    (Guo et al., ICML 2017).

    :param odds: (N, KINDS) log-odds of tracks.
    :param kinds: (N,) the truth.
    :param weight: (N,) what each counts.
    """
    unknown = KINDS.index(UNKNOWN)
    outside = kinds == unknown
    best = (np.inf, 1.0, 0.0)
    for temperature in TEMPERATURES:
        scaled = odds / temperature
        lead = np.delete(scaled, unknown, axis=1).max(axis=1) - scaled[:, unknown]
        order = np.argsort(lead[outside])
        share = np.cumsum(weight[outside][order]) / weight[outside].sum()
        bias = float(lead[outside][order][np.searchsorted(share, REFUSED)])
        scaled[:, unknown] += bias
        own = scaled[np.arange(len(kinds)), kinds]
        loss = float(weight @ (logsumexp(scaled, axis=1) - own))
        best = min(best, (loss, float(temperature), bias))
    return best[1], best[2]


def main() -> None:
    """Train, say how well scans that were held back are named, and write the head."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--looks', type=Path, required=True)
    parser.add_argument('--out', type=Path, required=True)
    parser.add_argument('--seed', type=int, default=0)
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO)
    torch.set_num_threads(1)
    looks = read_looks(args.looks)
    odds, seen = tracks_of(*held_back(looks, args.seed), args.seed)
    _, of, count = np.unique(seen.things, return_inverse=True, return_counts=True)
    weight = 1 / count[of]
    temperature, bias = calibrate(odds, seen.kinds, weight)
    odds[:, KINDS.index(UNKNOWN)] += bias * temperature
    order = np.argsort(-odds, axis=1)
    is_known = seen.kinds != KINDS.index(UNKNOWN)
    for name, which in (('kinds', is_known), ('unknown', ~is_known)):
        hit = order[which] == seen.kinds[which, None]
        share = weight[which] / weight[which].sum()
        LOG.info(
            '%s: top-1 %.3f, top-3 %.3f of scans that were held back', name,
            float(share @ hit[:, 0]), float(share @ hit[:, :3].any(axis=1)),
        )  # fmt: skip
    head = train(looks, args.seed)
    LOG.info('%d looks, temperature %.2f, unknown %+.2f', len(looks.kinds), temperature, bias)
    for _, outer in head.biases:
        outer[KINDS.index(UNKNOWN)] += bias * temperature
    stored = {'mean': head.mean, 'axes': head.axes, 'temperature': np.float32(temperature)}
    for k, (pair, offsets) in enumerate(zip(head.weights, head.biases, strict=True)):
        stored |= {f'weight_{k}_{j}': value for j, value in enumerate(pair)}
        stored |= {f'bias_{k}_{j}': value for j, value in enumerate(offsets)}
    np.savez_compressed(args.out, **stored)  # type: ignore[arg-type]


if __name__ == '__main__':
    main()
