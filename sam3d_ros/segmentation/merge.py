# SPDX-License-Identifier: Apache-2.0
"""From patches to things: patches in contact belong together unless the crease goes inwards."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from sam3d_ros.core.types import BoolArray, FloatArray, IndexArray
from sam3d_ros.segmentation.adjacency import Adjacency

MIN_CONTACT_SHARE = 0.3
MIN_CONTACT_CELLS = 2.0


@dataclass(frozen=True, slots=True, eq=False)
class Grouping:
    """Which thing each patch belongs to.

    :param group_of: (patches + 1,) int32 label 1..n of every patch's thing, 0 for label 0.
    :param certainty: (n + 1,) float64, 0..1: how clearly the borders inside a thing join and
        those to other things separate, weighted by their length.
    """

    group_of: IndexArray
    certainty: FloatArray


def merge_patches(adjacency: Adjacency, concave_angle_rad: float) -> Grouping:
    """Group patches by convexity (Stein et al. 2014, section 3.2)."""
    limit = 2 * np.sin(concave_angle_rad / 2)
    share = adjacency.contact / np.maximum(adjacency.border, 1)
    joined = (
        (adjacency.contact >= MIN_CONTACT_CELLS)
        & (share >= MIN_CONTACT_SHARE)
        & (adjacency.convexity > -limit)
    )
    group_of = _components(adjacency, joined)
    inwards = np.clip(-adjacency.convexity / limit, 0, 2) / 2
    separation = np.maximum(1 - share, inwards)
    return Grouping(group_of, _certainty(adjacency, group_of, separation))


def contact_groups(adjacency: Adjacency) -> IndexArray:
    """Return (patches + 1,) int32: patches in contact, whatever the crease, share a label."""
    return _components(adjacency, adjacency.contact >= MIN_CONTACT_CELLS)


def _components(adjacency: Adjacency, joined: BoolArray) -> IndexArray:
    size = adjacency.count + 1
    edges = (adjacency.first[joined], adjacency.second[joined])
    graph = coo_matrix((np.ones(len(edges[0]), bool), edges), shape=(size, size))
    _, labels = connected_components(graph, directed=False)
    return labels.astype(np.int32)  # patch 0 has no edges, so it keeps label 0 for itself


def _certainty(adjacency: Adjacency, group_of: IndexArray, separation: FloatArray) -> FloatArray:
    one, two = group_of[adjacency.first], group_of[adjacency.second]
    inside = one == two
    clear = np.where(inside, 1 - separation, separation) * adjacency.border
    size = int(group_of.max()) + 1
    total, good = np.ones(size), np.ones(size)
    for side, counted in ((one, np.ones_like(inside)), (two, ~inside)):
        total += np.bincount(side[counted], adjacency.border[counted], size)
        good += np.bincount(side[counted], clear[counted], size)
    certainty: FloatArray = good / total
    return certainty
