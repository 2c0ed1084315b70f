# SPDX-License-Identifier: Apache-2.0
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sam3d_ros.segmentation.partition.merge import contract


def groups(root: np.ndarray) -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(root == r).tolist()) for r in np.unique(root)}


def run(count: int, edges: list[tuple[int, int, float]]) -> set[frozenset[int]]:
    first, second, weight = (np.array(column) for column in zip(*edges, strict=True))
    return groups(contract(count, first, second, weight.astype(float)))


def test_positive_joins_and_negative_separates():
    assert run(4, [(0, 1, 2.0), (1, 2, -1.0), (2, 3, 0.5)]) == {
        frozenset({0, 1}),
        frozenset({2, 3}),
    }


def test_a_weak_join_loses_against_what_the_rest_says():
    edges = [(0, 1, 5.0), (2, 3, 5.0), (1, 2, 1.0), (0, 3, -3.0)]
    assert run(4, edges) == {frozenset({0, 1}), frozenset({2, 3})}


def test_parallel_edges_add_up():
    assert run(2, [(0, 1, 1.0), (1, 0, -2.0)]) == {frozenset({0}), frozenset({1})}


@settings(max_examples=50, deadline=None)
@given(st.integers(2, 9), st.integers(0, 2**32 - 1))
def test_no_two_groups_attract_each_other(count, seed):
    rng = np.random.default_rng(seed)
    first, second = np.triu_indices(count, 1)
    weight = rng.normal(size=len(first))
    root = contract(count, first.astype(np.int32), second.astype(np.int32), weight)
    for one in np.unique(root):
        for two in np.unique(root):
            if one < two:
                between = ((root[first] == one) & (root[second] == two)) | (
                    (root[first] == two) & (root[second] == one)
                )
                assert weight[between].sum() <= 1e-9
