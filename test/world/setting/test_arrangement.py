# SPDX-License-Identifier: Apache-2.0
"""Arrangements keep their distances, overlaps and volumes."""

from itertools import combinations

import numpy as np
from worlds import block

from sam3d_ros.geometry.transforms import apply
from sam3d_ros.world.setting.arrangement import cluttered, piled, spaced, stacked
from sam3d_ros.world.setting.placing import Body, shared_volume, stable, upright
from sam3d_ros.world.shapes import random_solid


def stances(count, seed):
    rng = np.random.default_rng(seed)
    return [stable(Body(random_solid(rng)), rng) for _ in range(count)], rng


def test_spaced_circles_keep_their_gap_on_the_support():
    bodies, rng = stances(5, 0)
    poses = spaced(bodies, rng, gap_m=0.03, within_m=0.7, support_z_m=0.4)
    assert poses is not None
    for i, j in combinations(range(5), 2):
        distance = np.linalg.norm(bodies[i].middle(poses[i]) - bodies[j].middle(poses[j]))
        assert distance >= bodies[i].radius_m + bodies[j].radius_m + 0.03 - 1e-9
    lowest = [
        apply(T, stance.body.solid.vertices_m)[:, 2].min()
        for T, stance in zip(poses, bodies, strict=True)
    ]
    assert np.allclose(lowest, 0.4, atol=1e-5)


def test_what_does_not_fit_is_none():
    bodies, rng = stances(5, 1)
    assert spaced(bodies, rng, gap_m=0.5, within_m=0.3, support_z_m=0.0) is None


def test_clutter_overlaps_as_much_as_allowed_and_no_more():
    crowded = 0
    for seed in range(3):
        bodies, rng = stances(7, seed)
        poses = cluttered(bodies, rng, overlap=0.38, within_m=0.4, support_z_m=0.0)
        if poses is None:
            continue
        crowded += 1
        middles = [stance.middle(T) for stance, T in zip(bodies, poses, strict=True)]
        assert max(np.linalg.norm(middle) for middle in middles) <= 0.2
        overlaps = []
        for i, j in combinations(range(7), 2):
            reach = bodies[i].radius_m + bodies[j].radius_m
            overlaps.append(1 - np.linalg.norm(middles[i] - middles[j]) / reach)
            shared = shared_volume(bodies[i].body, poses[i], bodies[j].body, poses[j])
            assert shared <= 0.01
        assert 0 < max(overlaps) <= 0.38 + 1e-9
    assert crowded


def test_a_pile_rests_in_one_place_without_interpenetration():
    rng = np.random.default_rng(2)
    bodies = [Body(random_solid(rng, ['box', 'can', 'flat', 'prism', 'mug'])) for _ in range(8)]
    heaps = (piled(bodies, rng, 0.1, 0.8, 0.7) for _ in range(5))
    poses = next(heap for heap in heaps if heap is not None)
    heights = (
        np.array([apply(T, b.hull_m)[:, 2].min() for T, b in zip(poses, bodies, strict=True)])
        - 0.7
    )
    assert heights.min() > -0.002 and heights.max() > 0.005, 'some lie on others'
    for i, j in combinations(range(8), 2):
        assert shared_volume(bodies[i], poses[i], bodies[j], poses[j]) <= 0.01


def test_a_stack_stands_on_itself():
    rng = np.random.default_rng(3)
    bodies = [Body(block((s, s, 0.04))) for s in (0.12, 0.1, 0.08)]
    poses = stacked([upright(body, rng) for body in bodies], rng, 0.0)
    assert poses is not None
    assert np.allclose(poses[:, 2, 3], [0.02, 0.06, 0.1], atol=2e-3)
    tall = [Body(block((0.02, 0.02, 0.2))), Body(block((0.3, 0.3, 0.02)))] * 3
    assert stacked([upright(body, rng) for body in tall], rng, 0.0) is None
