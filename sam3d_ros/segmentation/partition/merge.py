# SPDX-License-Identifier: Apache-2.0
"""From patches to things: a signed graph of how much each pair speaks for one thing, partitioned
by greedy contraction (Keuper et al., "Efficient Decomposition of Image and Mesh Graphs by Lifted
Multicuts", ICCV 2015, algorithm 1), so that no single weak border joins what all others separate.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from sam3d_ros.core.types import BoolArray, Float32Array, FloatArray, IndexArray
from sam3d_ros.segmentation.partition.adjacency import Adjacency
from sam3d_ros.segmentation.partition.affinity import Pairs

FAR_LOG_ODDS = 1.0  # a pair without a common border counts only when it surely belongs together
MIN_CONTACT_CELLS = 2.0


@dataclass(frozen=True, slots=True, eq=False)
class Grouping:
    """Which thing each patch belongs to.

    :param thing_of: (patches + 1,) int32 label 1..n of every patch's thing, 0 for label 0.
    :param certainty: (n + 1,) float64, 0..1: mean probability that the patches around and
        inside a thing were rightly kept apart and put together.
    """

    thing_of: IndexArray
    certainty: FloatArray


def merge_patches(pairs: Pairs, log_odds: Float32Array, area: FloatArray) -> Grouping:
    """Group patches into things.

    :param log_odds: (P,) float32 that a pair is one thing.
    :param area: (patches + 1,) float64 size of each patch; larger ones carry more evidence.
    """
    return merge_levels(pairs, log_odds, area, (0.0,))[0]


def merge_levels(
    pairs: Pairs, log_odds: Float32Array, area: FloatArray, biases: Sequence[float]
) -> list[Grouping]:
    """Group patches ever more coarsely; every grouping merges things of the one before.

    :param biases: rising; what each grouping adds to the log-odds that a pair is one thing.
    """
    root = np.arange(len(area), dtype=np.int32)
    groupings = []
    for bias in biases:
        biased = log_odds.astype(np.float64) + bias
        counted = pairs.bordering | (biased > FAR_LOG_ODDS)
        front, back, odds = pairs.front[counted], pairs.back[counted], biased[counted]
        importance = np.sqrt(np.minimum(area[front], area[back]))
        root = contract(len(area), root[front], root[back], odds * importance)[root]
        _, thing_of = np.unique(root, return_inverse=True)  # patch 0 is its own root: label 0
        things = thing_of.astype(np.int32)
        one, two = things[front], things[back]
        right = 1 / (1 + np.exp(np.where(one == two, -odds, odds)))
        certainty = _certainty(one, two, right, importance, int(things.max()) + 1)
        groupings.append(Grouping(things, certainty))
    return groupings


def contract(count: int, first: IndexArray, second: IndexArray, weights: FloatArray) -> IndexArray:
    """Return (count,) int32 representatives after greedy additive edge contraction.

    While any two nodes are joined by a positive weight, the pair with the largest is made one,
    and the weights of its parallel edges are added up. Edges from a node to itself say nothing.
    """
    edges = list(zip(first.tolist(), second.tolist(), weights.tolist(), strict=True))
    neighbours: list[dict[int, float]] = [{} for _ in range(count)]
    for i, j, weight in edges:
        if i != j:
            neighbours[i][j] = neighbours[j][i] = neighbours[i].get(j, 0.0) + weight
    queue = [(-w, i, j) for i, near in enumerate(neighbours) for j, w in near.items() if i < j]
    queue = [entry for entry in queue if entry[0] < 0]
    heapq.heapify(queue)
    parent = list(range(count))
    while queue:
        negative, i, j = heapq.heappop(queue)
        if neighbours[i].get(j) != -negative:
            continue  # contracted or changed since it was queued
        keep, gone = (i, j) if len(neighbours[i]) >= len(neighbours[j]) else (j, i)
        parent[gone] = keep
        del neighbours[keep][gone]
        for k, weight in neighbours[gone].items():
            if k == keep:
                continue
            del neighbours[k][gone]
            total = neighbours[keep].get(k, 0.0) + weight
            neighbours[keep][k] = neighbours[k][keep] = total
            if total > 0:
                heapq.heappush(queue, (-total, min(keep, k), max(keep, k)))
        neighbours[gone] = {}
    return np.array([_root(parent, i) for i in range(count)], np.int32)


def contact_groups(adjacency: Adjacency) -> IndexArray:
    """Return (patches + 1,) int32: patches in contact, whatever the crease, share a label."""
    joined: BoolArray = adjacency.contact >= MIN_CONTACT_CELLS
    size = adjacency.count + 1
    edges = (adjacency.first[joined], adjacency.second[joined])
    graph = coo_matrix((np.ones(len(edges[0]), bool), edges), shape=(size, size))
    _, labels = connected_components(graph, directed=False)
    return labels.astype(np.int32)  # patch 0 has no edges, so it keeps label 0 for itself


def _root(parent: list[int], node: int) -> int:
    while parent[node] != node:
        node = parent[node]
    return node


def _certainty(
    one: IndexArray, two: IndexArray, right: FloatArray, importance: FloatArray, size: int
) -> FloatArray:
    """Mean of ``right`` over the pairs that a thing takes part in; 1 for a lone patch."""
    total, good = np.full(size, 1e-6), np.full(size, 1e-6)
    for side, counted in ((one, np.ones_like(one, bool)), (two, one != two)):
        total += np.bincount(side[counted], importance[counted], size)
        good += np.bincount(side[counted], (right * importance)[counted], size)
    certainty: FloatArray = good / total
    return certainty
