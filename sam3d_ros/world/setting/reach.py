# SPDX-License-Identifier: Apache-2.0
"""What comes into the picture from its edge: the fingers of a gripper, a cable."""

from __future__ import annotations

import numpy as np

from sam3d_ros.core.types import FloatArray
from sam3d_ros.world.appearance.paint import random_color
from sam3d_ros.world.setting.parts import tube
from sam3d_ros.world.setting.surroundings import posed
from sam3d_ros.world.solid import Solid

Rng = np.random.Generator


def reach(rng: Rng, T_fixed_cam: FloatArray, distance_m: float) -> list[Solid]:
    """Return a gripper's fingers or a cable that come into the picture from its edge.

    :param rng: draws all that is left to chance.
    :param T_fixed_cam: (4, 4) pose of the camera: optical frame to fixed frame.
    :param distance_m: from the camera to what it looks at; they stay well before that.
    """
    depth, angle = rng.uniform(0.35, 0.65) * distance_m, rng.uniform(0, 2 * np.pi)
    edge = np.array([np.cos(angle), np.sin(angle)]) * depth * [0.62, 0.47]
    outward, aside = edge / np.linalg.norm(edge), np.array([-edge[1], edge[0]])
    aside = aside / np.linalg.norm(aside)
    color = random_color(rng, 0.4) * rng.uniform(0.2, 1.0)
    if rng.random() < 0.5:
        swing = rng.uniform(0.02, 0.12) * depth
        along = np.linspace(-1, 1, 24)[:, None]
        flat = edge * rng.uniform(0.75, 0.95) + 0.6 * depth * along * aside
        flat = flat + (swing * (along + along**2 * 2)) * outward
        path = np.column_stack([flat, np.full(24, depth) + swing * np.sin(3 * along[:, 0])])
        return [posed(tube('cable', path, rng.uniform(0.003, 0.008), color), T_fixed_cam)]
    wide, long = rng.uniform(0.01, 0.022), rng.uniform(0.2, 0.35) * depth
    gap, tip = rng.uniform(0.02, 0.06), rng.uniform(0.75, 0.9)
    parts = []
    for side in (-1, 1):
        start = np.array([*(edge * tip + side * gap * aside), depth])
        end = np.array([*(edge * tip + side * gap * aside + long * outward), 0.8 * depth])
        parts.append(posed(tube('finger', np.linspace(start, end, 4), wide, color), T_fixed_cam))
    return parts
