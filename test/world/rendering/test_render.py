# SPDX-License-Identifier: Apache-2.0
"""Renderings against geometry that can be written down."""

import numpy as np
import pytest
from worlds import CAMERA, LIGHT, at, ball, block, ground

from sam3d_ros.geometry.cameras import project, rays
from sam3d_ros.geometry.transforms import inverse
from sam3d_ros.world.cameras import looking_at
from sam3d_ros.world.rendering.render import Renderer

T_FIXED_CAM = looking_at(np.array([0.3, -0.6, 0.7]), np.array([0.0, 0.0, 0.05]))


def sphere_depth(center_cam, radius):
    """Return z of the first hit of every pixel's ray with a sphere, NaN = no hit."""
    d = rays(CAMERA).astype(np.float64)
    b, a = d @ center_cam, (d**2).sum(axis=2)
    root = b**2 - a * (center_cam @ center_cam - radius**2)
    return np.where(root >= 0, (b - np.sqrt(np.maximum(root, 0))) / a, np.nan)


def plane_depth():
    R, t = T_FIXED_CAM[:3, :3], T_FIXED_CAM[:3, 3]
    return -t[2] / (rays(CAMERA).astype(np.float64) @ R[2])


def test_depth_of_ball_and_floor_is_analytic():
    poses = np.stack([at(0.02, 0.01, 0.05)])
    drawn = Renderer([ball()], [ground()], LIGHT).render(CAMERA, T_FIXED_CAM, poses)
    expected = sphere_depth((inverse(T_FIXED_CAM) @ poses[0])[:3, 3], 0.05)
    on_ball = drawn.instances == 1
    assert on_ball.sum() == pytest.approx(np.isfinite(expected).sum(), rel=0.02)
    inner = on_ball & np.isfinite(expected)
    assert np.abs(drawn.depth_m - expected)[inner].max() < 2e-3
    assert np.abs(drawn.depth_m - expected)[inner].mean() < 5e-5
    floor = ~on_ball & np.isfinite(drawn.depth_m)
    assert np.allclose(drawn.depth_m[floor], plane_depth()[floor], atol=1e-4)


def test_box_corners_project_into_its_mask():
    poses = np.stack([at(0.0, 0.0, 0.02)])
    drawn = Renderer([block()], [ground()], LIGHT).render(CAMERA, T_FIXED_CAM, poses)
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)])
    points = corners * [0.05, 0.03, 0.02] + poses[0, :3, 3]
    pixels = project(points @ inverse(T_FIXED_CAM)[:3, :3].T + inverse(T_FIXED_CAM)[:3, 3], CAMERA)
    rows, columns = np.nonzero(drawn.instances == 1)
    low, high = pixels.min(axis=0), pixels.max(axis=0)
    assert np.abs([columns.min() - low[0], columns.max() - high[0]]).max() < 1.5
    assert np.abs([rows.min() - low[1], rows.max() - high[1]]).max() < 1.5


def test_amodal_masks_ignore_occluders_and_ids_do_not():
    front = T_FIXED_CAM[:3, 3] * [0.3, 0.3, 0] + [0, 0, 0.1]
    poses = np.stack([at(0.0, 0.0, 0.05), at(*front)])
    alone = Renderer([ball()], [ground()], LIGHT).render(CAMERA, T_FIXED_CAM, poses[:1])
    both = Renderer([ball(), block((0.08, 0.08, 0.2))], [ground()], LIGHT)
    drawn = both.render(CAMERA, T_FIXED_CAM, poses)
    assert np.array_equal(drawn.amodal[0], alone.instances == 1)
    hidden = drawn.amodal[0] & (drawn.instances != 1)
    assert hidden.any() and (drawn.instances[hidden] == 2).all()
    assert np.array_equal(drawn.amodal[1], drawn.instances == 2)


def test_absent_object_is_not_drawn_and_its_shadow_goes_too():
    renderer = Renderer([ball()], [ground()], LIGHT)
    poses = np.stack([at(0.0, 0.0, 0.15)])
    there = renderer.render(CAMERA, T_FIXED_CAM, poses)
    gone = renderer.render(CAMERA, T_FIXED_CAM, poses, np.array([False]))
    assert not gone.instances.any() and not gone.amodal.any()
    is_floor = (there.instances == 0) & np.isfinite(there.depth_m)
    darker = gone.rgb[is_floor].astype(int).sum(axis=1) - there.rgb[is_floor].astype(int).sum(1)
    assert darker.min() >= 0 and (darker > 30).sum() > 50


def test_normals_point_out_of_the_surface():
    drawn = Renderer([ball()], [ground()], LIGHT).render(
        CAMERA, T_FIXED_CAM, np.stack([at(0, 0, 0.05)])
    )
    center = (inverse(T_FIXED_CAM) @ at(0, 0, 0.05))[:3, 3]
    points = rays(CAMERA) * drawn.depth_m[..., None]
    out = (points - center) / 0.05
    on_ball = drawn.instances == 1
    assert np.einsum('ij,ij->i', out[on_ball], drawn.normals[on_ball]).min() > 0.99
    on_floor = (drawn.instances == 0) & np.isfinite(drawn.depth_m)
    assert np.allclose(drawn.normals[on_floor], T_FIXED_CAM[2, :3], atol=1e-4)


def test_nothing_there_is_nan_and_black():
    sky = looking_at(np.array([0.0, 0.0, 0.5]), np.array([1.0, 0.0, 2.0]))
    drawn = Renderer([ball()], [ground()], LIGHT).render(CAMERA, sky, np.stack([at(0, 0, 0.05)]))
    assert np.isnan(drawn.depth_m).all() and not drawn.rgb.any() and not drawn.amodal.any()


def test_free_rays_meet_what_the_camera_sees():
    renderer = Renderer([ball(), block()], [ground()], LIGHT)
    poses = np.stack([at(0.0, 0.0, 0.05), at(0.1, -0.1, 0.02)])
    drawn = renderer.render(CAMERA, T_FIXED_CAM, poses)
    local = rays(CAMERA).reshape(-1, 3)
    length = np.linalg.norm(local, axis=1)
    directions = (local / length[:, None]) @ T_FIXED_CAM[:3, :3].T.astype(np.float32)
    origins = np.tile(T_FIXED_CAM[:3, 3].astype(np.float32), (len(local), 1))
    ranges, owner, normals = renderer.cast(origins, directions.astype(np.float32), poses)
    depth = drawn.depth_m.reshape(-1)
    seen = np.isfinite(depth)
    assert np.abs((ranges / length)[seen] - depth[seen]).max() < 1e-3
    agree = owner + 1 == drawn.instances.reshape(-1)
    assert agree.mean() > 0.999
    in_fixed = drawn.normals.reshape(-1, 3) @ T_FIXED_CAM[:3, :3].T
    assert np.abs(in_fixed - normals)[seen & agree].max() < 0.01
