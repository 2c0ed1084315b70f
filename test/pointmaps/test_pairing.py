# SPDX-License-Identifier: Apache-2.0
"""Pairs by stamp: nearest to each other, within the slop, each once, whoever comes first."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sam3d_ros.pointmaps.pairing import Pairer, pair_all

STAMPS = st.lists(st.integers(0, 300), max_size=25)


def nearest_pairs(first, second, slop):
    """Return the pairs of stamps that are each other's nearest, the plain way."""
    first, second = sorted(set(first)), sorted(set(second))
    found = []
    for one in first:
        # Of two as near: the earlier of the second, the later of the first.
        two = min(second, key=lambda other: (abs(other - one), other), default=None)
        if two is not None and abs(two - one) <= slop:
            back = min(first, key=lambda other: (abs(other - two), -other))
            found += [(one, two)] if back == one else []
    return found


@given(STAMPS, STAMPS, st.integers(0, 40))
def test_pairs_are_within_the_slop_and_each_stamp_is_used_once(first, second, slop):
    found = pair_all(first, second, slop)
    assert all(abs(first[i] - second[j]) <= slop for i, j in found.pairs)
    for side, stamps in enumerate((first, second)):
        used = [pair[side] for pair in found.pairs]
        assert len({stamps[position] for position in used}) == len(used)
    in_order = [first[i] for i, _ in found.pairs]
    assert in_order == sorted(in_order)
    assert found.alone_first + len(found.pairs) == len(set(first))
    assert found.alone_second + len(found.pairs) == len(set(second))


@given(st.lists(st.integers(0, 300), max_size=5), STAMPS, st.integers(0, 40))
def test_a_stream_too_short_to_know_its_step_is_paired_by_nearest_stamps(first, second, slop):
    for one, two in ((first, second[:5]), (second[:5], first)):
        found = [(one[i], two[j]) for i, j in pair_all(one, two, slop).pairs]
        assert found == nearest_pairs(one, two, slop)


@given(st.integers(20, 40), st.integers(20, 130), st.integers(-60, 60), st.integers(0, 60))
def test_streams_of_steady_steps_are_paired_by_nearest_stamps(step, other_step, offset, slop):
    first = [100 + step * number for number in range(40)]
    second = [100 + offset + other_step * number for number in range(40)]
    found = [(first[i], second[j]) for i, j in pair_all(first, second, slop).pairs]
    assert found == nearest_pairs(first, second, slop)


@given(STAMPS, STAMPS, st.integers(0, 40), st.integers(0, 10**6))
def test_who_comes_first_changes_nothing(first, second, slop, seed):
    first, second = sorted(set(first)), sorted(set(second))
    expected = [(first[i], second[j]) for i, j in pair_all(first, second, slop).pairs]
    pairer, found = Pairer(slop), []
    streams = [iter(first), iter(second)]
    turns = [0] * len(first) + [1] * len(second)
    random.Random(seed).shuffle(turns)
    for stream in turns:
        stamp = next(streams[stream])
        found += pairer.push(stream, stamp, stamp)
    assert found + pairer.flush() == expected
    assert pairer.late == pairer.repeated == 0


@given(STAMPS, st.integers(0, 40))
def test_equal_stamps_always_meet(stamps, slop):
    distinct = sorted(set(stamps))
    found = pair_all(distinct, distinct[::-1], slop)
    assert len(found.pairs) == len(distinct)


def test_stamps_midway_between_two_are_paired():
    first, second = [0, 100, 200, 300], [50, 150, 250, 350]
    assert pair_all(first, second, 50).pairs == ((1, 0), (2, 1), (3, 2))
    assert pair_all(second, first, 50).pairs == ((0, 0), (1, 1), (2, 2), (3, 3))
    assert pair_all(first, second, 49).pairs == ()


def test_the_nearer_of_two_is_taken():
    assert pair_all([0, 10], [9, 30], 20).pairs == ((1, 0),)
    assert pair_all([5], [], 20).pairs == ()


def test_a_slower_stream_leaves_the_rest_alone():
    found = pair_all([0, 33, 66, 100, 133], [1, 67, 134], 10)
    assert found.pairs == ((0, 0), (2, 1), (4, 2))
    assert (found.alone_first, found.alone_second, found.repeated) == (2, 0, 0)


def test_out_of_order_and_repeated():
    found = pair_all([20, 10, 20], [10, 20], 0)
    assert found.pairs == ((1, 0), (0, 1))
    assert found.repeated == 1


@pytest.mark.parametrize('lag', [0, 12])
def test_a_pair_waits_for_nothing_once_the_step_is_known(lag):
    """Colour at 30 Hz, depth a third of a step later: each pair leaves with its depth."""
    pairer, waited = Pairer(50), []
    for number in range(20):
        stamp = 33 * number
        early = pairer.push(0, stamp, stamp)
        waited += [number] * len(early)
        assert pairer.push(1, stamp + lag, stamp + lag) or number <= 5
    assert (len(waited) > 0) == (lag > 0) and max(waited, default=0) <= 6


def test_what_is_overtaken_is_sorted_in_and_what_is_late_is_counted():
    pairer = Pairer(5)
    assert pairer.push(0, 20, 'b') == pairer.push(0, 10, 'a') == []
    assert pairer.push(1, 10, 'A') == [('a', 'A')]
    assert pairer.push(0, 10, 'again') == [] and pairer.repeated == 1
    assert pairer.push(1, 20, 'B') == [('b', 'B')]
    assert pairer.push(1, 15, 'C') == [] and pairer.late == 1


def test_a_silent_stream_costs_no_more_than_its_capacity():
    pairer = Pairer(5, capacity=3)
    for stamp in range(0, 100, 10):
        assert pairer.push(0, stamp, stamp) == []
    assert pairer.alone == [7, 0]
    assert pairer.push(1, 60, 60) == []
    assert pairer.push(1, 70, 71) == [(70, 71)]


def test_after_a_jump_back_old_messages_are_gone():
    pairer = Pairer(5)
    pairer.push(0, 100, 'old')
    pairer.clear()
    assert pairer.push(1, 100, 'new') == []
    assert pairer.push(0, 100, 'newer') == [('newer', 'new')]
