# SPDX-License-Identifier: Apache-2.0
"""A baked texture shows the surface's own print, sharper than vertex colours, without seams."""

from dataclasses import replace

import numpy as np
import pytest

from sam3d_ros.core.types import Mesh
from sam3d_ros.reconstruction.appearance.texture import TextureSource
from sam3d_ros.reconstruction.config import ReconstructionConfig
from sam3d_ros.reconstruction.views import crop_view

SIZE_M = (0.08, 0.10, 0.12)
MIDDLE_M = np.array([0.0, 0.0, 0.06])
STRIPE_M = 0.008
RED, BLUE = (200, 60, 60), (60, 60, 200)


def printed(points):
    """Stripes from left to right, (P, 3)."""
    red = (np.floor(points[:, 2] / STRIPE_M) % 2 == 0)[:, None]
    return np.where(red, RED, BLUE).astype(np.uint8)


def box_mesh(steps=9):
    """The box as a closed mesh of large faces, in its own frame: its middle, world axes."""
    from scipy.spatial import ConvexHull

    grid = np.stack(np.meshgrid(*[np.linspace(-0.5, 0.5, steps)] * 3, indexing='ij'), -1)
    points = grid.reshape(-1, 3)
    points = points[np.abs(points).max(axis=1) == 0.5] * SIZE_M
    hull = ConvexHull(points)
    corners = points[hull.simplices]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    inward = np.einsum('fc,fc->f', normals, hull.equations[:, :3]) < 0
    faces = np.where(inward[:, None], hull.simplices[:, ::-1], hull.simplices).astype(np.int32)
    count = len(faces)
    return Mesh(
        vertices_m=points.astype(np.float32),
        faces=faces,
        colors=np.zeros((len(points), 3), np.uint8),
        face_labels=np.zeros(count, np.uint8),
        face_confidence=np.ones(count, np.float32),
    )


@pytest.fixture(scope='module')
def source(scenes):
    """A striped box seen from three sides."""
    views = []
    for eye in ((-0.5, -0.2, 0.3), (-0.5, 0.0, 0.35), (-0.5, 0.2, 0.3)):
        frame, instances = scenes.see([scenes.Box(tuple(MIDDLE_M), SIZE_M)], eye)
        R, t = frame.T_fixed_cam[:3, :3], frame.T_fixed_cam[:3, 3]
        mask = instances.items[0].mask
        rgb = frame.rgb.copy()
        rgb[mask] = printed(frame.pointmap[mask] @ R.T + t)
        views.append(crop_view(replace(frame, rgb=rgb), instances, 0))
    T = np.eye(4)
    T[:3, 3] = MIDDLE_M
    return TextureSource(box_mesh(), tuple(views), T, ReconstructionConfig())


@pytest.fixture(scope='module')
def mesh(source):
    return replace(source.mesh, texture=source.texture())


def shown(mesh, at, weights):
    """Colours that a viewer shows at barycentric (P, 3) places in faces ``at``, bilinear."""
    image = mesh.texture.image.astype(float)
    rows, columns = image.shape[:2]
    place = np.einsum('pc,pcx->px', weights, mesh.texture.uv[at]) * [columns, rows] - 0.5
    low = np.floor(place).astype(int)
    part = place - low
    total = np.zeros((len(at), 3))
    for dx in (0, 1):
        for dy in (0, 1):
            share = np.abs(1 - dx - part[:, 0]) * np.abs(1 - dy - part[:, 1])
            x = np.clip(low[:, 0] + dx, 0, columns - 1)
            y = np.clip(low[:, 1] + dy, 0, rows - 1)
            total += share[:, None] * image[y, x]
    return total


def places(mesh, chosen, seed=0, count=4000):
    """Random places on the chosen faces: faces, barycentric weights, points in the world."""
    rng = np.random.default_rng(seed)
    at = rng.choice(np.flatnonzero(chosen), count)
    weights = rng.dirichlet(np.ones(3), count)
    points = np.einsum('pc,pcx->px', weights, mesh.vertices_m[mesh.faces][at]) + MIDDLE_M
    return at, weights, points


def normals(mesh):
    corners = mesh.vertices_m[mesh.faces]
    found = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def test_the_print_is_there_and_sharp(mesh):
    """Faces are larger than stripes: vertex colours could not show them at all."""
    at, weights, points = places(mesh, normals(mesh)[:, 0] < -0.9)
    error = np.abs(shown(mesh, at, weights) - printed(points)).mean(axis=1)
    assert error.mean() < 18
    inside = np.abs(points[:, 2] % STRIPE_M - STRIPE_M / 2) < STRIPE_M / 4
    assert (error[inside] < 25).mean() > 0.95


def test_the_far_side_is_the_near_one_mirrored(mesh):
    at, weights, points = places(mesh, normals(mesh)[:, 0] > 0.9)
    error = np.abs(shown(mesh, at, weights) - printed(points)).mean(axis=1)
    assert error.mean() < 30, 'half of it would be wrong by chance, 47 on average'


def test_nothing_but_the_object_bleeds_into_it(mesh):
    """The table is grey: no texel, between charts neither, has anything of it."""
    pixels = mesh.texture.image.reshape(-1, 3).astype(int)
    on_line = (pixels[:, 0] + pixels[:, 2] > 180) & (pixels[:, 1] < 75)
    assert on_line.mean() > 0.99


def test_its_size_follows_the_pixels_that_were_seen(source, mesh):
    rows, columns = mesh.texture.image.shape[:2]
    area = 2 * (0.08 * 0.10 + 0.10 * 0.12 + 0.08 * 0.12)
    pixels_per_m = 280 / 0.55
    assert 0.5 < rows * columns / (area * (1.5 * pixels_per_m) ** 2) < 2.0
    assert max(rows, columns) > 128
    small = replace(source, config=replace(source.config, texture_px=128)).texture()
    assert max(small.image.shape[:2]) <= 128


def test_same_source_same_texture(source, mesh):
    again = source.texture()
    assert np.array_equal(again.image, mesh.texture.image)
    assert np.array_equal(again.uv, mesh.texture.uv)
