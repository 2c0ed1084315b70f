# SPDX-License-Identifier: Apache-2.0
"""Gaussians of surfaces, moved, and through their files."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from sam3d_ros.core.errors import InputError
from sam3d_ros.core.solids import Gaussians
from sam3d_ros.core.types import Mesh, Texture
from sam3d_ros.geometry.shapes.gaussians import (
    covariances,
    decode_gaussians,
    encode_gaussians,
    joined,
    moved_gaussians,
    surface_gaussians,
)
from sam3d_ros.geometry.transforms import apply


def square(texture=None):
    """Return a square of 2 cm in the plane z = 0: one half red, the other blue."""
    vertices = np.float32([[0, 0, 0], [0.02, 0, 0], [0.02, 0.02, 0], [0, 0.02, 0]])
    faces = np.int32([[0, 1, 2], [0, 2, 3]])
    colors = np.uint8([[200, 0, 0], [200, 0, 0], [0, 0, 200], [0, 0, 200]])
    return Mesh(vertices, faces, colors, np.zeros(2, np.uint8), np.ones(2, np.float32), texture)


def random_gaussians(seed, count=20):
    rng = np.random.default_rng(seed)
    quaternions = Rotation.random(count, random_state=seed).as_quat()
    return Gaussians(
        rng.normal(size=(count, 3)).astype(np.float32),
        quaternions.astype(np.float32),
        rng.uniform(0.001, 0.01, (count, 3)).astype(np.float32),
        rng.uniform(0, 1, (count, 3)).astype(np.float32),
        rng.uniform(0.02, 0.98, count).astype(np.float32),
    )


def test_a_surface_is_covered_by_flat_gaussians_of_its_colours():
    made = surface_gaussians(square(), most_m=0.004)
    assert len(made) >= 64
    assert np.abs(made.means_m[:, 2]).max() < 1e-7
    spread = covariances(made)
    assert (np.sqrt(spread[:, 2, 2]) < 0.2 * np.sqrt(spread[:, 0, 0] + spread[:, 1, 1])).all()
    low, high = made.means_m[:, 1] < 0.005, made.means_m[:, 1] > 0.015
    assert (made.colors[low, 0] > 0.5).all()
    assert (made.colors[high, 2] > 0.5).all()
    # Everywhere on the square the Gaussians together leave no gap.
    grid = np.stack(np.meshgrid(*[np.linspace(0.001, 0.019, 12)] * 2), axis=-1).reshape(-1, 2)
    off = grid[:, None] - made.means_m[None, :, :2].astype(float)
    inverse = np.linalg.inv(spread[:, :2, :2])
    reach = np.einsum('gni,nij,gnj->gn', off, inverse, off)
    assert (1 - np.exp(-0.5 * reach)).prod(axis=1).max() < 0.4


def test_a_texture_says_the_colours():
    image = np.zeros((4, 4, 3), np.uint8)
    image[:2, :, 1], image[2:, :, 0] = 255, 255
    uv = np.float32([[[0, 1], [1, 1], [1, 0]], [[0, 1], [1, 0], [0, 0]]])
    made = surface_gaussians(square(Texture(image, uv)), most_m=0.004)
    upper = made.means_m[:, 1] > 0.012
    assert (made.colors[upper] == [0, 1, 0]).all()
    assert (made.colors[made.means_m[:, 1] < 0.008] == [1, 0, 0]).all()


@given(st.integers(0, 10_000))
@settings(max_examples=20)
def test_files_hold_what_was_written(seed):
    made = random_gaussians(seed)
    data = encode_gaussians(made, 'object frame')
    assert data == encode_gaussians(made, 'object frame')
    read = decode_gaussians(data)
    np.testing.assert_allclose(read.means_m, made.means_m)
    np.testing.assert_allclose(read.colors, made.colors, atol=1e-6)
    np.testing.assert_allclose(read.opacities, made.opacities, atol=1e-5)
    np.testing.assert_allclose(covariances(read), covariances(made), atol=1e-9)


@given(st.integers(0, 10_000))
@settings(max_examples=20)
def test_moving_moves_means_and_covariances(seed):
    made, rng = random_gaussians(seed), np.random.default_rng(seed)
    S = np.eye(4)
    S[:3, :3] = rng.uniform(0.2, 3.0) * Rotation.random(random_state=seed).as_matrix()
    S[:3, 3] = rng.normal(size=3)
    moved = moved_gaussians(made, S)
    np.testing.assert_allclose(moved.means_m, apply(S, made.means_m.astype(float)), atol=1e-5)
    turned = S[:3, :3] @ covariances(made) @ S[:3, :3].T
    np.testing.assert_allclose(covariances(moved), turned, rtol=1e-3, atol=1e-9)
    assert len(joined([made, moved])) == 2 * len(made)


def test_what_is_no_file_of_gaussians_is_refused():
    with pytest.raises(InputError, match='splats'):
        decode_gaussians(b'ply\nproperty float x\nend_header\n1234')
