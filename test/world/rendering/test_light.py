# SPDX-License-Identifier: Apache-2.0
"""Shadows fall away from the lamp, and nothing shades itself."""

import numpy as np
from worlds import at, ball

from sam3d_ros.world.rendering.light import Light, Shadow, random_light
from sam3d_ros.world.rendering.surface import Surface


def test_shadow_lies_opposite_to_the_lamp():
    lamp = Light(np.array([np.sqrt(0.5), 0.0, np.sqrt(0.5)]), 0.4, 1.0)
    shadow = Shadow(lamp, [Surface([ball()])], np.stack([at(0, 0, 0.2)]), np.array([True]))
    floor = np.array([[-0.2, 0, 0], [0.0, 0, 0], [0.2, 0, 0], [-0.3, 0, 0]], np.float32)
    assert shadow.lit(floor, np.eye(4)).tolist() == [0, 1, 1, 1]


def test_top_of_a_ball_is_lit():
    lamp = Light(np.array([0.0, 0.0, 1.0]), 0.4, 1.0)
    shadow = Shadow(lamp, [Surface([ball()])], np.stack([at(0, 0, 0.05)]), np.array([True]))
    angle = np.linspace(-1.2, 1.2, 50)
    top = np.column_stack([0.05 * np.sin(angle), 0 * angle, 0.05 + 0.05 * np.cos(angle)])
    normals = np.column_stack([np.sin(angle), 0 * angle, np.cos(angle)])
    assert shadow.lit((top + 0.006 * normals).astype(np.float32), np.eye(4)).all()


def test_map_knows_what_it_was_made_for():
    pose = np.stack([at(0, 0, 0.05)])
    shadow = Shadow(
        random_light(np.random.default_rng(0)), [Surface([ball()])], pose, np.ones(1, bool)
    )
    assert shadow.is_of(pose, np.ones(1, bool))
    assert not shadow.is_of(pose + 1e-6, np.ones(1, bool))
    assert not shadow.is_of(pose, np.zeros(1, bool))


def test_random_lamps_stand_above_the_horizon():
    lamps = [random_light(np.random.default_rng(k)) for k in range(20)]
    assert all(np.isclose(np.linalg.norm(lamp.direction), 1) for lamp in lamps)
    assert min(lamp.direction[2] for lamp in lamps) >= np.sin(np.radians(40)) - 1e-9


def test_lambert_reflection_in_any_frame():
    lamp = Light(np.array([0.0, 0.0, 1.0]), 0.4, 1.0)
    albedo = np.full((3, 3), 100, np.float32)
    normals = np.array([[0, 0, 1], [1, 0, 0], [0, 0, -1]], np.float32)
    colors = lamp.reflected(albedo, normals, np.eye(3))
    # Sky: 0.4 (0.75 + 0.25 cos); lamp: 0.6 cos.
    assert colors[:, 0].tolist() == [100, 30, 20]
    turned = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1.0]]) @ np.array(
        [[1, 0, 0], [0, 0, -1], [0, 1, 0.0]]
    )
    elsewhere = (normals @ turned).astype(np.float32)
    assert np.abs(lamp.reflected(albedo, elsewhere, turned).astype(int) - colors).max() <= 1
    assert lamp.reflected(albedo, normals, np.eye(3), 0.0)[:, 0].tolist() == [40, 30, 20]
