# SPDX-License-Identifier: Apache-2.0
"""Bodies let down onto a bed stand on what is below, slide off slopes, or are refused."""

import numpy as np
import pytest
from worlds import at, ball, block, ground

from sam3d_ros.world.setting.bed import CLEARANCE_M, Area, Bed
from sam3d_ros.world.setting.placing import Body, upright

RNG = np.random.default_rng
FLOOR = Area(np.zeros(3), (0.5, 0.5))


def test_a_body_falls_as_far_as_there_is_room():
    bed = Bed([ground()])
    bed.add(Body(block((0.1, 0.1, 0.04))), at(0, 0, 0.02))
    small = Body(block((0.03, 0.03, 0.03)))
    on_block, spots = bed.fall(small, at(0, 0, 0.115))
    beside, _ = bed.fall(small, at(0.2, 0, 0.115))
    assert on_block == pytest.approx(0.06, abs=1e-5) and beside == pytest.approx(0.1, abs=1e-5)
    assert np.allclose(np.ptp(spots, axis=0), 0.03, atol=1e-5)


def test_a_body_rests_on_another_but_not_over_its_edge():
    bed = Bed([ground()])
    bed.add(Body(block((0.1, 0.1, 0.04))), at(0, 0, 0.02))
    stance = upright(Body(block((0.04, 0.04, 0.04))), RNG(0))
    T = bed.rest(stance, np.array([0.01, 0.0]), FLOOR, RNG(0))
    assert stance.bottom(T) == pytest.approx(0.04 + CLEARANCE_M, abs=1e-5)
    T = bed.rest(stance, np.array([0.055, 0.0]), FLOOR, RNG(0))
    assert T is None or stance.bottom(T) == pytest.approx(CLEARANCE_M, abs=1e-5)


def test_a_ball_rolls_off_a_ball_and_touches_it():
    bed = Bed([ground()])
    bed.add(Body(ball(0.03)), at(0, 0, 0.03))
    found = 0
    for seed in range(6):
        stance = upright(Body(ball(0.03)), RNG(seed))
        T = bed.rest(stance, np.array([0.05, 0.0]), FLOOR, RNG(seed))
        if T is not None:
            found += 1
            assert stance.bottom(T) == pytest.approx(CLEARANCE_M, abs=2e-4)
            assert np.linalg.norm(T[:3, 3] - [0, 0, 0.03]) >= 0.0599
    assert found > 0


def test_nothing_is_let_down_where_the_ceiling_is_too_low():
    bed, stance = Bed([ground()]), upright(Body(block((0.04, 0.04, 0.1))), RNG(0))
    low, high = (Area(np.zeros(3), (0.5, 0.5), ceiling_m=h) for h in (0.09, 0.12))
    assert bed.rest(stance, np.zeros(2), low, RNG(0)) is None
    assert bed.rest(stance, np.zeros(2), high, RNG(0)) is not None


def test_spots_keep_the_margin_and_hug_the_sides():
    half = np.array([0.1, 0.05])
    spots = np.array([FLOOR.spot(RNG(k), half) for k in range(40)])
    assert (np.abs(spots) <= 0.5 - half).all()
    hugging = np.array([FLOOR.spot(RNG(k), half, hug=1.0) for k in range(40)])
    assert np.isclose(np.abs(hugging), 0.5 - half).any(axis=1).all()
    disc = Area(np.zeros(3), (0.2, 0.2), is_round=True)
    assert all(np.linalg.norm(disc.spot(RNG(k), half)) <= 0.2 - 0.11 for k in range(40))
    assert FLOOR.spot(RNG(0), np.array([0.6, 0.1])) is None
    assert all(disc.holds(disc.spot(RNG(k), half), half) for k in range(9))


def test_poses_of_a_simulation_settle_on_what_is_below():
    bed, body = Bed([ground()]), Body(block((0.04, 0.04, 0.04)))
    for z in (0.0185, 0.0215):
        assert bed.settled(body, at(0, 0, z))[2, 3] == pytest.approx(0.02 + CLEARANCE_M, abs=1e-5)
    assert bed.settled(body, at(0, 0, 0.03)) is None
    bed.add(Body(block((0.04, 0.04, 0.04))), at(0.03, 0, 0.02))
    assert bed.settled(body, at(0, 0, 0.02)) is None, 'it would share a quarter of its space'
