# SPDX-License-Identifier: Apache-2.0
"""Is a set of patches one whole thing, neither a piece of one nor several, nor nothing at all?

A small network (evaluated in numpy) weighs what each thing looks like, how large and flat it is,
what it encloses, whether the encoder sees one thing in it, and how surely its patches belong
together and apart from its neighbours. Its answer is the score of an instance.
"""

from __future__ import annotations

from functools import cached_property, lru_cache
from importlib.resources import files

import cv2
import numpy as np
from scipy.ndimage import find_objects

from sam3d_ros.core.types import Float32Array, FloatArray, IndexArray
from sam3d_ros.segmentation.mini.fusion import DECIMETRE_M
from sam3d_ros.segmentation.mini.sight import Sight
from sam3d_ros.segmentation.mini.things import features_of, part_sums, rim_share
from sam3d_ros.segmentation.partition.affinity import Network, read_network
from sam3d_ros.segmentation.partition.merge import Grouping
from sam3d_ros.segmentation.partition.partition import SUPPORT_SLACK_M, PairedPatches

LIMIT = 4.0
SECOND = np.s_[::2, ::2]
"""Cells of the grid that the network's output is of; extents and hulls are measured on them."""


class Wholes:
    """What groupings of the patches of one frame are judged by.

    Most of it are sums over cells: they are taken once for each patch, and add up for things.

    :param found: the patches of ``sight`` that may be parts of things, and their pairs.
    :param log_odds: (P,) that each pair is one thing.
    """

    def __init__(self, sight: Sight, found: PairedPatches, log_odds: Float32Array) -> None:
        self._sight, self._found, self._log_odds = sight, found, log_odds
        self._coarse = np.ascontiguousarray(found.patches[SECOND])
        self._looks = part_sums(sight.cut, found.patches, sight.seen, sight.cues)

    def features(self, things: Grouping) -> Float32Array:
        """Return (n + 1, F) float32 features of things 0..n, each about -1..1; row 0 is void."""
        labels = things.thing_of[self._found.patches]
        looks = self._added(self._looks, things)
        looks[0] = 0
        columns = [
            *self._bonds(things),
            *_touching(labels, looks[:, 0]),
            np.log1p(np.bincount(things.thing_of)) / 2,
            *self._shape(things),
            *_enclosed(things.thing_of[self._coarse], len(looks)),
            *self._cuts(things),
            *self._footing(things),
        ]
        own = np.clip(np.stack(columns, axis=1), -LIMIT, LIMIT).astype(np.float32)
        sight = self._sight
        has_support = bool(sight.seen.height.any())
        step = sight.cut.grid.step
        seen = features_of(looks, rim_share(labels), has_support, sight.sensor, step)
        return np.concatenate([seen, own], axis=1)

    @staticmethod
    def _added(sums: FloatArray, things: Grouping) -> FloatArray:
        """Return (n + 1, M) sums of things from the (patches + 1, M) sums of patches."""
        total = np.zeros((len(things.certainty), sums.shape[1]))
        np.add.at(total, things.thing_of, sums)
        return total

    def _bonds(self, things: Grouping) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Certainty, weakest bond between patches of a thing, likeliest to another thing."""
        pairs, odds, count = self._found.pairs, self._log_odds, len(things.certainty)
        front, back = things.thing_of[pairs.front], things.thing_of[pairs.back]
        inside = pairs.bordering & (front == back)
        across = pairs.bordering & (front != back)
        weakest, likeliest = np.full(count, LIMIT), np.full(count, -2 * LIMIT)
        np.minimum.at(weakest, front[inside], odds[inside])
        for side in (front, back):
            np.maximum.at(likeliest, side[across], odds[across])
        return 2 * things.certainty - 1, weakest / LIMIT, likeliest / LIMIT + 1

    @cached_property
    def _moments(self) -> FloatArray:
        """(patches + 1, 19 + E) sums over every second cell.

        Cells; points and their six products; normals; where the network sees the middle of the
        thing, and its square; the embedding, and its square.
        """
        at = np.nonzero(self._coarse)
        of, count = self._coarse[at], len(self._looks)
        points = self._found.grid.points[SECOND][at].T.astype(np.float64)
        normals = self._found.local.normal[SECOND][at].T
        dense = self._sight.encoded.dense[:, at[0], at[1]].astype(np.float64)
        embedding, middle = dense[:-6], points + DECIMETRE_M * dense[-6:-3]
        x, y, z = points
        values = (
            np.ones(len(of)),
            *points,
            *(x * x, x * y, x * z, y * y, y * z, z * z),
            *normals,
            *middle,
            np.square(middle).sum(axis=0),
            *embedding,
            np.square(embedding).sum(axis=0),
        )
        return np.stack([np.bincount(of, value, count) for value in values], axis=1)

    def _shape(self, things: Grouping) -> list[FloatArray]:
        """How large along three axes, how flat and how level; does the network see one thing."""
        sums = self._added(self._moments, things)
        sums[0] = 0
        mean = sums[:, 1:] / np.maximum(sums[:, :1], 1)
        center, products, normal, middle = np.split(mean[:, :15], (3, 9, 12), axis=1)
        embedding, middle_squared, embedding_squared = mean[:, 16:-1], mean[:, 15], mean[:, -1]
        covariance = products[:, [[0, 1, 2], [1, 3, 4], [2, 4, 5]]]
        covariance = covariance - center[:, :, None] * center[:, None]
        variances = np.maximum(np.linalg.eigvalsh(covariance), 1e-8)
        extent = np.sqrt(variances.sum(axis=1)) + 0.01
        scatter = np.sqrt(np.maximum(middle_squared - np.square(middle).sum(axis=1), 0)) + 0.005
        off = np.linalg.norm(middle - center, axis=1) + 0.005
        differing = np.maximum(embedding_squared - np.square(embedding).sum(axis=1), 0)
        supports = self._found.structure.supports
        level = normal @ supports[0].plane.normal if supports else np.zeros(len(normal))
        return [
            *(np.log(np.sqrt(variances)) + [5.0, 4.0, 3.0]).T,
            2 * np.linalg.norm(normal, axis=1) - 1,
            level,
            np.sqrt(differing) - 1,
            np.log(scatter) + 3,
            np.log(scatter / extent),
            np.log(off / extent),
        ]

    @cached_property
    def _steps(self) -> tuple[IndexArray, IndexArray, Float32Array]:
        """Patches on both sides of every step between cells, and the log-odds of being one."""
        patches, (right, down) = self._coarse, self._sight.encoded.joined
        h, w = patches.shape
        here = np.concatenate([patches[:, :-1].ravel(), patches[:-1].ravel()])
        there = np.concatenate([patches[:, 1:].ravel(), patches[1:].ravel()])
        odds = np.concatenate([right[:h, : w - 1].ravel(), down[: h - 1, :w].ravel()])
        any_ = (here > 0) | (there > 0)
        return here[any_], there[any_], np.clip(odds[any_], -6, 6)

    def _cuts(self, things: Grouping) -> tuple[FloatArray, FloatArray]:
        """How surely the cells of a thing hang together, and are cut off from all around."""
        first, second, odds = self._steps
        here, there = things.thing_of[first], things.thing_of[second]
        count, same = len(things.certainty), here == there
        apart, cut = ~same, odds[~same]
        ends = np.concatenate([here[apart], there[apart]])
        return (
            _mean(here[same], odds[same], count) / 3,
            _mean(ends, np.concatenate([cut, cut]), count) / 3,
        )

    @cached_property
    def _over_supports(self) -> tuple[FloatArray, FloatArray]:
        """(patches + 1, S) cells of each patch over each support, and its least height there."""
        at = np.nonzero(self._coarse)
        of, points = self._coarse[at], self._found.grid.points[SECOND][at]
        supports, count = self._found.structure.supports, len(self._looks)
        cells, lowest = np.zeros((count, len(supports))), np.full((count, len(supports)), np.inf)
        for k, support in enumerate(supports):
            cells[:, k] = np.bincount(of, support.covers(points), count)
            np.minimum.at(lowest[:, k], of, support.height(points))
        return cells, lowest

    def _footing(self, things: Grouping) -> tuple[FloatArray, FloatArray]:
        """Is a thing over a support, and how far is its lowest point above the nearest below."""
        cells, lowest = self._over_supports
        least = np.full((len(things.certainty), cells.shape[1]), np.inf)
        np.minimum.at(least, things.thing_of, lowest)
        size = np.maximum(self._added(self._moments[:, :1], things), 1)
        is_over = self._added(cells, things) / size > 0.5
        least = np.where(is_over & (least > -SUPPORT_SLACK_M), least, np.inf)
        gap = np.clip(least.min(axis=1, initial=np.inf), 0, 1)
        return 2.0 * (gap < 1) - 1, np.arcsinh(gap / SUPPORT_SLACK_M) / 2


def _mean(labels: IndexArray, values: Float32Array, count: int) -> FloatArray:
    """Return (count,) means of each label's values, 0 where there are none."""
    mean: FloatArray = np.bincount(labels, values, count) / np.maximum(
        np.bincount(labels, minlength=count), 1
    )
    return mean


def _enclosed(labels: IndexArray, count: int) -> tuple[FloatArray, FloatArray]:
    """Share of each label's convex hull that is its own, and share that is of other labels."""
    own, others = np.zeros(count), np.zeros(count)
    for label, window in enumerate(find_objects(labels), start=1):
        if window is None:
            continue
        inside = labels[window]
        pixels = np.argwhere(inside == label)[:, ::-1].astype(np.int32)
        hull = np.zeros(inside.shape, np.uint8)
        cv2.fillConvexPoly(hull, cv2.convexHull(pixels), 1)
        covered = inside[hull > 0]
        own[label] = 2 * np.mean(covered == label) - 1
        others[label] = 2 * np.mean((covered != label) & (covered > 0))
    return own, others


def _touching(labels: IndexArray, area: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Largest share of each label's outline that one other thing takes, and how large that is."""
    count = len(area)
    border = np.zeros((count, count))
    for one, two in ((labels[:, :-1], labels[:, 1:]), (labels[:-1], labels[1:])):
        at = one != two
        key = one[at] * np.int64(count) + two[at]
        border += np.bincount(key, minlength=count * count).reshape(count, count)
    border += border.T
    outline = np.maximum(border.sum(axis=1), 1)
    border[:, 0] = 0
    neighbour = border.argmax(axis=1)
    share = border[np.arange(count), neighbour] / outline
    area = np.maximum(area, 1)
    return 3 * share, np.where(share > 0, np.log(area[neighbour] / area) / 3, 0)


@lru_cache(maxsize=1)
def whole_network() -> Network:
    """Return the network that comes with this package: log-odds of being one whole thing."""
    return read_network(files(__package__) / 'wholes.npz')
