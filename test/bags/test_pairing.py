# SPDX-License-Identifier: Apache-2.0
"""Pairs by stamp: nearest to each other, within the slop, each once."""

from hypothesis import given
from hypothesis import strategies as st

from sam3d_ros.bags.pairing import pair_nearest

STAMPS = st.lists(st.integers(0, 300), max_size=25)


@given(STAMPS, STAMPS, st.integers(0, 40))
def test_pairs_are_within_the_slop_and_each_stamp_is_used_once(first, second, slop):
    found = pair_nearest(first, second, slop)
    assert all(abs(first[i] - second[j]) <= slop for i, j in found.pairs)
    for side, stamps in enumerate((first, second)):
        used = [pair[side] for pair in found.pairs]
        assert len({stamps[position] for position in used}) == len(used)
    in_order = [first[i] for i, _ in found.pairs]
    assert in_order == sorted(in_order)
    assert found.alone_first + len(found.pairs) == len(set(first))
    assert found.alone_second + len(found.pairs) == len(set(second))


@given(STAMPS, st.integers(0, 40))
def test_equal_stamps_always_meet(stamps, slop):
    found = pair_nearest(stamps, stamps[::-1], slop)
    assert len(found.pairs) == len(set(stamps))


def test_stamps_midway_between_two_are_paired():
    first, second = [0, 100, 200, 300], [50, 150, 250, 350]
    assert pair_nearest(first, second, 50).pairs == ((1, 0), (2, 1), (3, 2))
    assert pair_nearest(second, first, 50).pairs == ((0, 0), (1, 1), (2, 2), (3, 3))
    assert pair_nearest(first, second, 49).pairs == ()


def test_the_nearer_of_two_is_taken():
    assert pair_nearest([0, 10], [9, 30], 20).pairs == ((1, 0),)
    assert pair_nearest([5], [], 20).pairs == ()


def test_a_slower_stream_leaves_the_rest_alone():
    found = pair_nearest([0, 33, 66, 100, 133], [1, 67, 134], 10)
    assert found.pairs == ((0, 0), (2, 1), (4, 2))
    assert (found.alone_first, found.alone_second, found.repeated) == (2, 0, 0)


def test_out_of_order_and_repeated():
    found = pair_nearest([20, 10, 20], [10, 20], 0)
    assert found.pairs == ((1, 0), (0, 1))
    assert found.repeated == 1
