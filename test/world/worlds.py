# SPDX-License-Identifier: Apache-2.0
"""Small exact worlds that several tests look at."""

import numpy as np
from manifold3d import Manifold

from sam3d_ros.core.types import Camera
from sam3d_ros.world.rendering.light import Light
from sam3d_ros.world.setting.surroundings import slab
from sam3d_ros.world.solid import solid_from_manifold

CAMERA = Camera(160, 120, np.array([[130.0, 0, 82.0], [0, 128.0, 57.0], [0, 0, 1.0]]))
LIGHT = Light(np.array([0.0, 0.0, 1.0]), 0.5, 1.0)
GREY = np.full((4, 4, 3), 120, np.uint8)


def plain(points):
    return np.tile(np.array([200, 100, 50], np.uint8), (len(points), 1))


def ball(radius_m=0.05):
    return solid_from_manifold(Manifold.sphere(radius_m, 256), 'ball', 'ball', plain, 1.0)


def block(size_m=(0.1, 0.06, 0.04)):
    return solid_from_manifold(Manifold.cube(size_m), 'block', 'box', plain)


def ground():
    return slab('floor', np.array([-2, -2, -0.1]), np.array([2, 2, 0.0]), GREY, 1.0)


def at(x, y, z):
    T = np.eye(4)
    T[:3, 3] = x, y, z
    return T
