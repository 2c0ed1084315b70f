# SPDX-License-Identifier: Apache-2.0
"""Materials reach the pictures: gloss shines, glass shows what is behind it."""

from dataclasses import replace

import numpy as np
import pytest
from worlds import CAMERA, LIGHT, at, ball, block, ground

from sam3d_ros.world.appearance.materials import CLEAR_FAMILIES, is_black, random_material
from sam3d_ros.world.cameras import looking_at, pinhole
from sam3d_ros.world.rendering.render import Renderer
from sam3d_ros.world.solid import MATT, Material, infrared

T_FIXED_CAM = looking_at(np.array([0.3, -0.6, 0.7]), np.array([0.0, 0.0, 0.05]))
GLASS = Material(0.3, 0.9, 0.9)
POSES = np.stack([at(0.0, 0.0, 0.05), at(-0.05, 0.12, 0.02)])


def drawn(first=MATT, second=MATT):
    objects = [replace(ball(), material=first), replace(block(), material=second)]
    return Renderer(objects, [ground()], LIGHT).render(CAMERA, T_FIXED_CAM, POSES)


def test_matt_opaque_world_is_all_matt_and_opaque():
    picture = drawn()
    assert not picture.gloss.any() and not picture.clear.any()
    assert np.array_equal(picture.behind_m, picture.depth_m, equal_nan=True)
    assert picture.reflectance.dtype == np.float32
    assert picture.reflectance.min() > 0.4 and picture.reflectance.max() <= 1


def test_material_of_the_thing_in_front_reaches_its_pixels():
    picture = drawn(second=Material(0.1, 0.7))
    on_block = picture.instances == 2
    assert np.array_equal(np.unique(picture.gloss[on_block]), [np.float32(0.7)])
    assert picture.reflectance[on_block].max() <= 0.1
    assert not picture.gloss[~on_block].any()


def test_dark_print_swallows_half_of_the_infrared_light():
    albedo = np.array([[0, 0, 0], [255, 255, 255]], np.float32)
    assert np.allclose(infrared(np.full(2, 0.8, np.float32), albedo), [0.4, 0.8])


def test_front_of_glass_is_seen_and_what_is_behind_it_too():
    clear, opaque = drawn(first=GLASS), drawn()
    behind = Renderer([block()], [ground()], LIGHT).render(CAMERA, T_FIXED_CAM, POSES[1:])
    for name in ('depth_m', 'normals', 'instances', 'amodal'):
        assert np.array_equal(getattr(clear, name), getattr(opaque, name), equal_nan=True), name
    assert np.array_equal(clear.behind_m, behind.depth_m, equal_nan=True)
    on_glass = clear.instances == 1
    assert (clear.clear[on_glass] == np.float32(0.9)).all() and not clear.clear[~on_glass].any()
    assert (clear.behind_m[on_glass] > clear.depth_m[on_glass]).all()


def test_glass_looks_like_its_background_but_not_quite():
    clear, opaque = drawn(first=GLASS), drawn(second=Material(gloss=0.01))
    behind = Renderer([replace(block(), material=Material(gloss=0.01))], [ground()], LIGHT)
    ground_rgb = behind.render(CAMERA, T_FIXED_CAM, POSES[1:]).rgb.astype(float)
    on_glass = clear.instances == 1
    to_ground = np.abs(clear.rgb - ground_rgb)[on_glass].mean()
    to_ball = np.abs(clear.rgb.astype(float) - opaque.rgb)[on_glass].mean()
    assert 2 < to_ground < 0.6 * to_ball


def test_glass_may_fill_most_of_a_picture():
    near = looking_at(np.array([0.1, -0.15, 0.12]), np.array([0.0, 0.0, 0.05]))
    renderer = Renderer([replace(ball(), material=GLASS)], [ground()], LIGHT)
    picture = renderer.render(pinhole(640, 480), near, POSES[:1])
    assert (picture.clear > 0).sum() > 2**15


def test_glossy_ball_has_a_small_highlight_where_the_lamp_is_mirrored():
    matt, glossy = drawn(second=Material(gloss=0.01)), drawn(Material(gloss=0.7))
    on_ball = matt.instances == 1
    brighter = (glossy.rgb.astype(int) - matt.rgb).min(axis=2) * on_ball
    assert brighter.max() > 60
    assert 0 < (brighter > 40).sum() < 0.1 * on_ball.sum()


def test_random_materials_are_mostly_matt_and_seeded():
    rng = np.random.default_rng(0)
    box = [random_material(rng, 'box') for _ in range(500)]
    assert 0.4 < np.mean([m.gloss == 0 for m in box]) < 0.8
    assert 0.03 < np.mean([is_black(m) for m in box]) < 0.2
    assert max(m.clear for m in box) == 0
    again = random_material(np.random.default_rng(0), 'box')
    assert again == box[0]


@pytest.mark.parametrize('family', sorted(CLEAR_FAMILIES))
def test_only_the_chance_of_glass_makes_glass(family):
    def many(chance):
        return [random_material(np.random.default_rng(k), family, chance) for k in range(300)]

    assert not any(m.clear for m in many(0.0))
    assert all(0.4 < m.clear <= 0.95 for m in many(1.0))
    assert 0.01 < np.mean([m.clear > 0 for m in many(0.06)]) < 0.12
