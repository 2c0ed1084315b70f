# SPDX-License-Identifier: Apache-2.0
"""The TF tree agrees with scipy, keeps its cache, and says what is missing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation, Slerp

from sam3d_ros.core.errors import TransformError
from sam3d_ros.geometry.transform_tree import (
    ExtrapolationError,
    NotConnectedError,
    TransformTree,
    UnknownFrameError,
)
from sam3d_ros.geometry.transforms import inverse, transform

S = 1_000_000_000


def pose(seed):
    rng = np.random.default_rng(seed)
    return transform(Rotation.random(random_state=seed).as_matrix(), rng.normal(size=3))


def at(x):
    return transform(np.eye(3), np.array([x, 0.0, 0.0]))


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 1000), fraction=st.floats(0, 1))
def test_interpolation_agrees_with_scipy(seed, fraction):
    tree = TransformTree()
    stamps = [10 * S, 10 * S + 10**8, 10 * S + 3 * 10**8]
    poses = [pose(seed + k) for k in range(3)]
    for index in (1, 0, 2):
        assert tree.add('map', 'base', poses[index], stamps[index])
    stamp = int(stamps[0] + fraction * (stamps[2] - stamps[0]))
    seconds = (np.array(stamps) - stamps[0]) * 1e-9
    now = (stamp - stamps[0]) * 1e-9
    slerp = Slerp(seconds, Rotation.from_matrix([T[:3, :3] for T in poses]))
    found = tree.lookup('map', 'base', stamp)
    np.testing.assert_allclose(found[:3, :3], slerp(now).as_matrix(), atol=1e-9)
    expected = [np.interp(now, seconds, [T[axis, 3] for T in poses]) for axis in range(3)]
    np.testing.assert_allclose(found[:3, 3], expected, atol=1e-9)


@settings(max_examples=40, deadline=None)
@given(parents=st.lists(st.integers(0, 10), min_size=1, max_size=10), data=st.data())
def test_every_pair_of_a_random_tree_is_the_composition_of_its_edges(parents, data):
    tree, T_root = TransformTree(), {0: np.eye(4)}
    for child, parent in enumerate((p % (k + 1) for k, p in enumerate(parents)), start=1):
        edge = pose(child)
        tree.add(f'f{parent}', f'f{child}', edge, None if child % 2 else 5 * S)
        T_root[child] = T_root[parent] @ edge
    a, b = (data.draw(st.sampled_from(sorted(T_root))) for _ in range(2))
    expected = inverse(T_root[a]) @ T_root[b]
    np.testing.assert_allclose(tree.lookup(f'f{a}', f'f{b}', 5 * S), expected, atol=1e-9)
    np.testing.assert_allclose(tree.lookup(f'f{a}', f'f{b}'), expected, atol=1e-9)
    assert tree.root(f'f{b}') == 'f0'


def test_latest_is_the_latest_common_time():
    tree = TransformTree()
    for stamp in range(1, 6):
        tree.add('map', 'base', at(stamp), stamp * S)
    for stamp in range(1, 4):
        tree.add('base', 'camera', at(10 * stamp), stamp * S)
    tree.add('camera', 'optical', at(100))
    assert tree.bounds('map', 'optical') == (1 * S, 3 * S)
    assert tree.lookup('map', 'optical')[0, 3] == pytest.approx(133)
    assert tree.bounds('camera', 'optical') is None
    assert tree.lookup('camera', 'optical', 99 * S)[0, 3] == 100


def test_between_two_times_through_a_fixed_frame():
    tree = TransformTree()
    for stamp in (1, 2):
        tree.add('map', 'base', at(stamp), stamp * S)
    T = tree.lookup_between('base', 2 * S, 'base', 1 * S, 'map')
    assert T[0, 3] == pytest.approx(-1)


def test_the_cache_ends_and_old_data_is_refused():
    tree = TransformTree(cache_ns=2 * S)
    for stamp in range(10):
        assert tree.add('map', 'base', at(stamp), stamp * S)
    assert tree.bounds('map', 'base') == (7 * S, 9 * S)
    assert not tree.add('map', 'base', at(0), 6 * S)
    endless = TransformTree(cache_ns=None)
    for stamp in range(100):
        endless.add('map', 'base', at(stamp), stamp * S)
    assert endless.lookup('map', 'base', 0)[0, 3] == 0


def test_a_repeated_stamp_replaces():
    tree = TransformTree()
    tree.add('map', 'base', at(1), S)
    tree.add('map', 'base', at(2), S)
    assert tree.lookup('map', 'base', S)[0, 3] == 2
    assert tree.edges()[0].samples == 1


def test_a_frame_may_change_its_parent():
    tree = TransformTree()
    tree.add('table', 'cup', at(1), 1 * S)
    tree.add('gripper', 'cup', at(2), 3 * S)
    assert tree.lookup('table', 'cup', 2 * S)[0, 3] == 1
    assert tree.lookup('gripper', 'cup', 3 * S)[0, 3] == 2
    assert tree.root('cup') == 'gripper'


def test_extrapolation_tells_past_from_future():
    tree = TransformTree()
    tree.add('map', 'base', at(1), 5 * S)
    tree.add('map', 'base', at(1), 6 * S)
    with pytest.raises(ExtrapolationError, match=r'0.500 s after its latest') as late:
        tree.lookup('map', 'base', 6 * S + S // 2)
    assert late.value.is_future
    with pytest.raises(ExtrapolationError, match=r'1.000 s before its oldest') as early:
        tree.lookup('base', 'map', 4 * S)
    assert not early.value.is_future


def test_what_is_missing_is_named():
    tree = TransformTree()
    tree.add('map', 'base', at(1))
    tree.add('world', 'camera', at(1))
    with pytest.raises(UnknownFrameError, match=r'"arm".*base, camera, map, world'):
        tree.lookup('map', 'arm')
    with pytest.raises(NotConnectedError, match='between "map" and "world"'):
        tree.lookup('base', 'camera')
    assert tree.root('arm') == 'arm'


def test_nonsense_is_refused():
    tree = TransformTree()
    with pytest.raises(TransformError, match='two different'):
        tree.add('a', '/a', at(0))
    with pytest.raises(TransformError, match='NaN'):
        tree.add('a', 'b', at(np.nan), 1)
    tree.add('a', 'b', at(0))
    tree.add('b', 'a', at(0))
    with pytest.raises(TransformError, match='loop'):
        tree.lookup('a', 'b')


def test_clear_keeps_what_is_static():
    tree = TransformTree()
    tree.add('base', 'camera', at(1))
    tree.add('/map', 'base', at(1), 5 * S)
    tree.clear()
    assert tree.frames() == ['base', 'camera']
    tree.add('map', 'base', at(3), 1 * S)
    assert tree.lookup('map', 'camera', 1 * S)[0, 3] == 4


def test_time_that_goes_back_takes_later_samples_with_it_but_not_the_new_ones() -> None:
    tree = TransformTree()
    tree.add('base', 'mount', np.eye(4))
    for stamp_ns in (10, 20, 30):
        tree.add('world', 'base', np.eye(4), stamp_ns)
    tree.add('world', 'other', np.eye(4), 30)
    tree.forget_after(20)
    assert tree.bounds('world', 'base') == (10, 20)
    assert not tree.knows('other')
    assert tree.knows('mount')
    tree.forget_after(5, 'base')
    assert tree.root('mount') == 'base'
