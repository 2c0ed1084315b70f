# SPDX-License-Identifier: Apache-2.0
"""Tracking figures on a history that is written out by hand."""

from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip('open3d', reason='worlds need the extra: bench')

from sam3d_ros.bench.tracking import NEAR_M, History, figures_of
from sam3d_ros.core.types import ObjectState, Scene
from sam3d_ros.geometry.transforms import transform

BOUNDS = np.array([[[x - 0.05, -0.05, 0.0], [x + 0.05, 0.05, 0.1]] for x in (0.0, 0.3)])
MIDDLES = ((0.0, 0.0, 0.05), (0.3, 0.0, 0.05))


def thing(number, position, state=ObjectState.VISIBLE, turned_rad=0.0):
    c, s = np.cos(turned_rad), np.sin(turned_rad)
    T = transform(np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]), np.array(position))
    return SimpleNamespace(id=number, state=state, T_fixed_obj=T, box_center_m=np.zeros(3))


def history_of(*frames):
    history = History(BOUNDS)
    for number, objects in enumerate(frames, start=1):
        history.add(Scene(number, 'world', tuple(objects)), number)
    return history


def test_steady_objects_have_no_switches_and_no_jitter():
    both = [thing(1, MIDDLES[0]), thing(2, MIDDLES[1])]
    figures = figures_of([history_of(both, both[::-1], both)])
    assert figures['confirmed_share'] == 1.0
    assert figures['frames_to_confirm'] == 1.0
    assert figures['id_switches_per_object'] == figures['ghosts_per_frame'] == 0.0
    assert figures['jitter_p95_mm'] == pytest.approx(0.0, abs=1e-9)


def test_scripted_history_by_hand():
    near = (0.003, 0.0, 0.05)
    history = history_of(
        [thing(1, MIDDLES[0]), thing(9, MIDDLES[1], ObjectState.TENTATIVE)],
        [thing(1, near, turned_rad=np.radians(2.0))],
        [thing(4, near, turned_rad=np.radians(2.0)), thing(2, MIDDLES[1])],
    )
    assert history.objects == 2
    assert history.switches() == 1
    moved_mm, turned_deg = history.jitter()
    assert moved_mm == pytest.approx([3.0])  # a change of id is a switch, not jitter
    assert turned_deg == pytest.approx([2.0])
    figures = figures_of([history])
    assert figures['confirmed_share'] == 1.0
    assert figures['frames_to_confirm'] == 2.0  # the median of 1 and 3
    assert figures['id_switches_per_object'] == 0.5


def test_ghosts_are_surplus_results_in_the_region_of_the_truth():
    off = NEAR_M + 0.01
    beside, far = thing(5, (off, 0.0, 0.05)), thing(6, (2.0, 0.0, 0.05))
    (ghosts,) = history_of([thing(1, MIDDLES[0]), beside, far]).ghosts
    assert ghosts == 1
    (ghosts,) = history_of([thing(1, MIDDLES[0]), thing(2, MIDDLES[0])]).ghosts
    assert ghosts == 1


def test_nothing_found_is_a_score_too():
    figures = figures_of([history_of([], [])])
    assert figures['confirmed_share'] == 0.0
    assert np.isnan(figures['jitter_p50_mm'])
