# SPDX-License-Identifier: Apache-2.0
"""Where the objects stand: spaced, cluttered, stacked or piled, about the fixed frame's z axis.

Every function returns (N, 4, 4) T_fixed_obj in the order of the bodies, or None when these bodies
could not be placed that way (the caller then draws others).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from scipy.spatial.transform import Rotation

from sam3d_ros.core.types import FloatArray
from sam3d_ros.world.setting.physics import drop
from sam3d_ros.world.setting.placing import Body, Stance, shared_volume

Rng = np.random.Generator
TRIES = 300
"""Random spots tried for one body before giving up."""
MAX_SHARED_VOLUME = 0.01


def spaced(
    stances: Sequence[Stance], rng: Rng, gap_m: float, within_m: float, support_z_m: float
) -> FloatArray | None:
    """Place bodies with at least ``gap_m`` between their circles, in a disc of this diameter.

    :param stances: bodies as they stand.
    :param rng: draws all that is left to chance.
    :param within_m: diameter of the disc.
    :param support_z_m: height of the support.
    """
    return _placed(stances, rng, gap_m, 0.0, within_m, support_z_m)


def cluttered(
    stances: Sequence[Stance], rng: Rng, overlap: float, within_m: float, support_z_m: float
) -> FloatArray | None:
    """Place bodies so that they touch and hide each other; each stands, nothing is settled.

    :param stances: bodies as they stand.
    :param rng: draws all that is left to chance.
    :param overlap: how far two bounding circles may overlap, as a share of the sum of their
        radii; the solids themselves share no more than 1 % of the smaller one's volume.
    :param within_m: diameter of the disc that holds the middles of the bodies.
    :param support_z_m: height of the support.
    """
    return _placed(stances, rng, 0.0, overlap, within_m, support_z_m)


def _placed(
    stances: Sequence[Stance],
    rng: Rng,
    gap_m: float,
    overlap: float,
    within_m: float,
    support_z_m: float,
) -> FloatArray | None:
    placed: dict[int, FloatArray] = {}
    # The largest first: small ones find room between them.
    for index in np.argsort([-stance.radius_m for stance in stances], kind='stable').tolist():
        stance = stances[index]
        for _ in range(TRIES):
            T = stance.at(_in_disc(rng, within_m / 2), support_z_m)
            if all(
                _compatible(stance, T, stances[other], T_other, gap_m, overlap)
                for other, T_other in placed.items()
            ):
                placed[index] = T
                break
        else:
            return None
    return np.stack([placed[index] for index in range(len(stances))])


def _compatible(
    first: Stance,
    T_first: FloatArray,
    second: Stance,
    T_second: FloatArray,
    gap_m: float,
    overlap: float,
) -> bool:
    reach = first.radius_m + second.radius_m
    distance = np.linalg.norm(first.middle(T_first) - second.middle(T_second))
    if distance < (1 - overlap) * reach + gap_m:
        return False
    if distance >= reach:
        return True
    return shared_volume(first.body, T_first, second.body, T_second) <= MAX_SHARED_VOLUME


def piled(
    bodies: Sequence[Body], rng: Rng, spread_m: float, within_m: float, support_z_m: float
) -> FloatArray | None:
    """Drop bodies in any orientation on one place and wait until the heap rests.

    :param rng: draws all that is left to chance.
    :param spread_m: diameter of the disc they are dropped over.
    :param within_m: diameter of the disc that the rested bodies' origins must lie in.
    :param support_z_m: height of the support.
    """
    starts = np.tile(np.eye(4), (len(bodies), 1, 1))
    starts[:, :3, :3] = Rotation.random(len(bodies), rng=rng).as_matrix()
    starts[:, :2, 3] = [_in_disc(rng, spread_m / 2) for _ in bodies]
    poses, is_resting = drop(bodies, starts, support_z_m, clearance_m=0.02, interval_s=0.3)
    is_near = np.linalg.norm(poses[:, :2, 3], axis=1).max() <= within_m / 2
    if not is_resting or not is_near:
        return None
    pairs = combinations(range(len(bodies)), 2)
    shares = (shared_volume(bodies[i], poses[i], bodies[j], poses[j]) for i, j in pairs)
    return poses if max(shares) <= MAX_SHARED_VOLUME else None


def stacked(stances: Sequence[Stance], rng: Rng, support_z_m: float) -> FloatArray | None:
    """Set bodies gently on top of each other, in order; None when the stack fell.

    :param stances: bodies as they stand, the lowest first.
    :param rng: draws all that is left to chance.
    :param support_z_m: height of the support.
    """
    starts = np.stack([s.at(rng.normal(0.0, 0.002, 2), support_z_m) for s in stances])
    bodies = [stance.body for stance in stances]
    poses, is_resting = drop(bodies, starts, support_z_m, clearance_m=0.001, interval_s=0.4)
    fell = np.linalg.norm(poses[:, :2, 3] - starts[:, :2, 3], axis=1).max() > 0.03
    return None if fell or not is_resting else poses


def _in_disc(rng: Rng, radius_m: float) -> FloatArray:
    angle, distance = rng.uniform(0, 2 * np.pi), radius_m * np.sqrt(rng.random())
    return np.array([distance * np.cos(angle), distance * np.sin(angle)])
