# SPDX-License-Identifier: Apache-2.0
"""Filtered textures: fine detail from nearby, its mean from afar."""

import numpy as np
import pytest

from sam3d_ros.world.rendering.pyramid import Pyramid
from sam3d_ros.world.solid import Texture

CORNERS_M = np.array([[[0, 0, 0], [1, 0, 0], [0, 1, 0]]], np.float32)
UV = np.array([[[0, 0], [1, 0], [0, 1]]], np.float32)
RNG = np.random.default_rng(0)


def checks(side=64):
    line = np.arange(side) % 2
    return np.repeat(255 * (line[:, None] ^ line)[..., None], 3, axis=2).astype(np.uint8)


def seen(image, at, footprint_m):
    pyramid = Pyramid(Texture(image, UV, is_filtered=True), CORNERS_M)
    face = np.zeros(len(at), np.int32)
    return pyramid.colors(at, face, np.full(len(at), footprint_m, np.float32))


def test_small_pixels_see_the_texels_themselves():
    at = RNG.uniform(0, 1, (500, 2)).astype(np.float32)
    image = checks()
    texel = (np.stack([1 - at[:, 1], at[:, 0]]) * 64).astype(int)
    assert np.array_equal(seen(image, at, 1 / 256), image[texel[0], texel[1]])


@pytest.mark.parametrize('footprint_m', [1 / 16, 0.5, 10.0])
def test_large_pixels_see_the_mean(footprint_m):
    at = RNG.uniform(-3, 3, (500, 2)).astype(np.float32)
    assert np.abs(seen(checks(), at, footprint_m) - 127.5).max() < 2


def test_pictures_repeat_beyond_their_borders():
    image = RNG.integers(0, 255, (32, 48, 3)).astype(np.uint8)
    at = RNG.uniform(0.01, 0.99, (200, 2)).astype(np.float32)
    assert np.array_equal(seen(image, at, 0.01), seen(image, at + [2, -1], 0.01))
    assert np.isfinite(seen(image, np.array([[-1e-9, 1.0], [1.0, -1e-9]], np.float32), 0.01)).all()
