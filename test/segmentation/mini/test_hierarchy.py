# SPDX-License-Identifier: Apache-2.0
"""Nested groupings, and the selection of their pieces against trying all selections."""

from itertools import chain, combinations, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sam3d_ros.segmentation.config import SegmentationConfig
from sam3d_ros.segmentation.mini.hierarchy import BIASES, LISTED, best_pieces
from sam3d_ros.segmentation.partition.merge import Grouping, merge_levels
from sam3d_ros.segmentation.partition.partition import cut_by_geometry, pair_patches

PATCHES = 4
LEVELS = ([0, 1, 2, 3, 4], [0, 1, 1, 2, 3], [0, 1, 1, 2, 2], [0, 1, 1, 1, 1])


def level(thing_of: list[int]) -> Grouping:
    return Grouping(np.array(thing_of, np.int32), np.zeros(max(thing_of) + 1))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-4, 4), min_size=10, max_size=10))
def test_the_selection_is_the_best_of_all(odds):
    levels = [level(thing_of) for thing_of in LEVELS]
    kept = [np.arange(len(grouping.certainty)) > 0 for grouping in levels]
    given_odds = iter(odds)
    by_level, worth = [], {}
    for grouping in levels:
        count = len(grouping.certainty)
        by_level.append(np.array([0.0, *(next(given_odds) for _ in range(count - 1))], np.float32))
        for k in range(1, count):
            piece = frozenset(np.flatnonzero(grouping.thing_of == k).tolist())
            value = 1 / (1 + np.exp(-by_level[-1][k])) - LISTED
            worth[piece] = max(worth.get(piece, -1.0), float(value))
    chosen, listed = best_pieces(levels, kept, by_level)
    every = chain.from_iterable(combinations(worth, n) for n in range(PATCHES + 1))
    best = max(
        sum(worth[piece] for piece in pieces)
        for pieces in every
        if sum(map(len, pieces)) == len(frozenset().union(*pieces))
    )
    pieces = [frozenset(np.flatnonzero(chosen.thing_of == k)) for k in np.flatnonzero(listed)]
    assert sum(worth[piece] for piece in pieces) == pytest.approx(best, abs=1e-5)
    assert (chosen.thing_of[1:] > 0).all() and chosen.thing_of[0] == 0
    assert len(listed) == len(chosen.certainty) == chosen.thing_of.max() + 1


def test_every_grouping_merges_things_of_the_finer_one(make_scene, box):
    boxes = [box((0.12 * k - 0.2, 0.02 * k, 0.05), (0.11, 0.1, 0.1 + 0.02 * k)) for k in range(4)]
    frame = make_scene(boxes).frame
    config = SegmentationConfig()
    found = pair_patches(cut_by_geometry(frame, config), frame)
    odds = np.random.default_rng(0).normal(0, 3, len(found.pairs.front)).astype(np.float32)
    levels = merge_levels(found.pairs, odds, found.regions.area, BIASES)
    for fine, coarse in pairwise(levels):
        pairs = {(int(a), int(b)) for a, b in zip(fine.thing_of, coarse.thing_of, strict=True)}
        assert len({a for a, _ in pairs}) == len(pairs)
    assert levels[0].thing_of.max() > levels[-1].thing_of.max()
