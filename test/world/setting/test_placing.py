# SPDX-License-Identifier: Apache-2.0
"""Bodies stand on their faces, and shared volume is what geometry says."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import at, ball, block

from sam3d_ros.geometry.transforms import apply
from sam3d_ros.world.setting.placing import Body, is_closed, shared_volume, stable, upright
from sam3d_ros.world.shapes import random_solid
from sam3d_ros.world.solid import Solid


def opened(solid):
    return Solid('open', solid.vertices_m, solid.faces[1:], solid.colors, solid.family)


def test_mass_of_a_block_and_of_a_cone_like_hull():
    volume, center = Body(block()).mass_m
    assert volume == pytest.approx(0.1 * 0.06 * 0.04, rel=1e-4)
    assert np.allclose(center, 0, atol=1e-6)
    assert is_closed(block()) and not is_closed(opened(block()))
    assert Body(opened(block())).volume_m3 == pytest.approx(volume, rel=1e-3)


def test_a_thrown_block_lands_on_its_sides_the_large_ones_most_often():
    body = Body(block((0.12, 0.06, 0.03)))
    rng = np.random.default_rng(0)
    sides = np.array([body.resting_side(rng) for _ in range(300)])
    axis = np.argmax(np.abs(sides), axis=1)
    assert np.allclose(np.abs(sides).max(axis=1), 1, atol=1e-6)
    counts = np.bincount(axis, minlength=3)
    assert counts[2] > counts[1] > counts[0]


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 10_000))
def test_every_stance_stands_on_the_support_with_its_mass_above_the_contact(seed):
    rng = np.random.default_rng(seed)
    body = Body(random_solid(rng))
    stance = stable(body, rng)
    T = stance.at(np.array([0.3, -0.2]), 0.7)
    moved = apply(T, body.solid.vertices_m.astype(float))
    assert moved[:, 2].min() == pytest.approx(0.7, abs=1e-6)
    assert np.allclose(stance.middle(T), [0.3, -0.2])
    assert np.linalg.norm(moved[:, :2] - [0.3, -0.2], axis=1).max() <= stance.radius_m + 1e-6
    hull = apply(T, body.hull_m)
    contact = hull[hull[:, 2] < hull[:, 2].min() + 1e-4][:, :2]
    center = apply(T, body.mass_m[1])[:2]
    corners = cv2.convexHull(contact.astype(np.float32))
    inside_m = cv2.pointPolygonTest(corners, center.tolist(), measureDist=True)
    assert len(contact) >= 3 and inside_m > -1e-4, 'the contact surrounds the centre'


def test_upright_keeps_the_object_axis():
    stance = upright(Body(block()), np.random.default_rng(0))
    assert np.allclose(stance.T_support_obj[:3, 2], [0, 0, 1])


def test_shared_volume_of_blocks_is_exact_and_symmetric():
    first, second = Body(block((0.1, 0.1, 0.1))), Body(block((0.1, 0.1, 0.05)))
    for shift, share in [(0.0, 1.0), (0.05, 0.5), (0.09, 0.1), (0.11, 0.0)]:
        found = shared_volume(first, at(0, 0, 0), second, at(shift, 0, 0))
        assert found == pytest.approx(share, abs=0.03)
        assert found == shared_volume(second, at(shift, 0, 0), first, at(0, 0, 0))


def test_shared_volume_of_balls_is_the_lens():
    r, d = 0.05, 0.06
    lens = np.pi * (4 * r + d) * (2 * r - d) ** 2 / 12
    body = Body(ball(r))
    found = shared_volume(body, at(0, 0, 0), body, at(0, d, 0))
    assert found == pytest.approx(lens / (4 / 3 * np.pi * r**3), abs=0.01)
