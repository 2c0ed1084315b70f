# SPDX-License-Identifier: Apache-2.0
"""Cameras for training: those of a suite shaken, or others all around, with other lenses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation

from sam3d_ros.core.types import FloatArray
from sam3d_ros.geometry.transforms import transform
from sam3d_ros.world import cameras
from sam3d_ros.world.episode import Episode

Rng = np.random.Generator
ORBITED = ('clutter', 'stacked', 'piled', 'spaced', 'single')
"""Suites whose things are looked at from all around, not from the suite's own places."""
DISTANCE_M = (0.4, 1.25)
ELEVATION_RAD = (0.35, 1.35)
AIM_SIGMA_M = 0.09
"""How far the camera looks past the middle of the things: some are cut by the border."""
FOCAL_SHARE = (0.65, 1.05)
"""Focal length over image width."""
SHAKE_RAD, STEP_BACK_M = (0.07, 0.09, 0.2), (-0.05, 0.25)


def jittered(episode: Episode, rng: Rng) -> Episode:
    """Return an episode with a camera of its own in every frame, and another lens."""
    poses: list[FloatArray] = []
    for T_fixed_cam in episode.T_fixed_cam:
        if episode.suite in ORBITED:
            target = episode.T_fixed_obj[0, :, :3, 3].mean(axis=0) + rng.normal(0, AIM_SIGMA_M, 3)
            eye = cameras.spherical(
                rng.uniform(*DISTANCE_M), rng.uniform(0, 2 * np.pi), rng.uniform(*ELEVATION_RAD)
            )
            poses.append(cameras.looking_at(target + eye, target, rng.normal(0, 0.06)))
        else:
            turned = Rotation.from_rotvec(rng.normal(0, SHAKE_RAD)).as_matrix()
            back = [0, 0, -rng.uniform(*STEP_BACK_M)]
            poses.append(T_fixed_cam @ transform(turned, np.array(back)))
    K = episode.camera.K.copy()
    K[[0, 1], [0, 1]] = rng.uniform(*FOCAL_SHARE) * episode.camera.width
    return replace(episode, T_fixed_cam=np.stack(poses), camera=replace(episode.camera, K=K))
