# SPDX-License-Identifier: Apache-2.0
"""A made-up person: rigid parts of cloth and skin on a skeleton whose joints are known exactly.

Parts are hulls of spheres (capsules, a trunk, feet); proportions are shares of the height (Drillis
and Contini, 1966, as in Winter, Biomechanics, 2009); angles stay within the limits of joints.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from manifold3d import Manifold
from scipy.spatial.transform import Rotation

from sam3d_ros.core.people import INDEX, JOINTS
from sam3d_ros.core.types import ByteArray, FloatArray
from sam3d_ros.geometry.transforms import transform
from sam3d_ros.world.appearance.palette import random_color
from sam3d_ros.world.solid import Solid, solid_from_manifold

Rng = np.random.Generator
EDGE_M = 0.02
ROUND = 20
"""Segments of a sphere's circle."""
SKINS = ((241, 209, 188), (224, 172, 138), (186, 128, 92), (141, 85, 54), (92, 56, 38))
HAIRS = ((35, 28, 24), (80, 52, 34), (150, 105, 60), (205, 170, 110), (130, 130, 130))
DOWN = np.array([0.0, 0.0, -1.0])


@dataclass(frozen=True, slots=True)
class Pose:
    """Angles of a body's joints, radians; zero stands upright with hanging arms.

    :param lean: of the trunk forward.
    :param nod: of the head forward, over the trunk.
    :param look: of the head to the left.
    :param arm_left: of the left arm, and so on: swing forward, spread sideways, bend of the
        elbow.
    :param leg_left: of the left leg, and so on: swing forward, spread sideways, bend of the knee.
    """

    lean: float = 0.0
    nod: float = 0.0
    look: float = 0.0
    arm_left: tuple[float, float, float] = (0.0, 0.1, 0.15)
    arm_right: tuple[float, float, float] = (0.0, 0.1, 0.15)
    leg_left: tuple[float, float, float] = (0.0, 0.05, 0.05)
    leg_right: tuple[float, float, float] = (0.0, 0.05, 0.05)

    def limited(self) -> Pose:
        """Return the nearest pose that joints allow."""
        limited: dict[str, Any] = {
            item.name: _clipped(getattr(self, item.name), LIMITS[item.name.split('_')[0]])
            for item in fields(self)
        }
        return Pose(**limited)


LIMITS: dict[str, tuple[object, object]] = {
    'lean': (-0.4, 1.6),
    'nod': (-0.9, 0.9),
    'look': (-1.2, 1.2),
    'arm': ((-0.9, 0.0, 0.0), (2.9, 2.4, 2.5)),
    'leg': ((-0.5, 0.0, 0.0), (2.0, 0.8, 2.3)),
}
"""Smallest and largest angles, radians."""


@dataclass(frozen=True, slots=True, eq=False)
class Figure:
    """A person that can be posed.

    :param height_m: from sole to crown.
    :param parts: rigid solids in frames of their own, in the order of :func:`Figure.placed`.
    """

    height_m: float
    parts: tuple[Solid, ...]
    _offsets_m: FloatArray

    def joints(self, pose: Pose) -> FloatArray:
        """Return the (33, 3) joints, metres; x ahead, y left, z up from the middle of the hips.

        :param pose: brought within the limits of joints.
        """
        joints, _ = _posed(self.height_m, pose.limited())
        return joints

    def placed(self, pose: Pose, T_fixed_hips: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the (N, 4, 4) poses of the parts and the (33, 3) joints, both in the fixed frame.

        :param pose: brought within the limits of joints.
        :param T_fixed_hips: (4, 4), where the middle of the hips is; x ahead, y left, z up.
        """
        joints, frames = _posed(self.height_m, pose.limited())
        placed = np.stack([T_fixed_hips @ T for T in frames])
        placed[:, :3, 3] += np.einsum('nij,nj->ni', placed[:, :3, :3], self._offsets_m)
        return placed, joints @ T_fixed_hips[:3, :3].T + T_fixed_hips[:3, 3]

    def standing_height(self, pose: Pose) -> float:
        """Return how far the lowest joint of a pose is below the hips, soles included, metres."""
        joints = self.joints(pose)
        return float(0.015 * self.height_m - joints[:, 2].min())


def random_figure(rng: Rng, height_m: float | None = None, name: str = 'person') -> Figure:
    """Return a person of random looks.

    :param height_m: from sole to crown; drawn between 1.5 and 1.95 m when not given.
    :param name: the parts' names begin with it.
    """
    height = float(rng.uniform(1.5, 1.95)) if height_m is None else height_m
    skin, hair = np.array(SKINS[rng.integers(5)]), np.array(HAIRS[rng.integers(5)])
    shirt, trousers, shoes = (random_color(rng, 0.7) for _ in range(3))
    sleeve = shirt if rng.random() < 0.6 else skin
    girth = float(rng.uniform(0.9, 1.15))
    cloth = {
        'trunk': shirt,
        'pelvis': trousers,
        'upper_arm': shirt,
        'forearm': sleeve,
        'hand': skin,
        'thigh': trousers,
        'shin': trousers,
        'foot': shoes,
        'neck': skin,
    }
    parts: list[Solid] = []
    offsets = []
    for kind, balls in _balls(height, girth):
        manifold = Manifold.batch_hull(
            [Manifold.sphere(r, ROUND).translate((x, y, z)) for x, y, z, r in balls]
        )
        low, high = np.split(np.array(manifold.bounding_box()), 2)
        offset = (low + high) / 2
        if kind == 'head':
            paint: Callable[[FloatArray], ByteArray] = _Face(0.053 * height, skin, hair, offset)
        else:
            paint = _Cloth(cloth[kind], int(rng.integers(1 << 30)))
        part = f'{name}_{len(parts)}_{kind}'
        parts.append(solid_from_manifold(manifold, part, 'person', paint, EDGE_M))
        offsets.append(offset)
    return Figure(height, tuple(parts), np.stack(offsets))


def _balls(h: float, girth: float) -> list[tuple[str, list[tuple[float, float, float, float]]]]:
    """Return every part as a hull of spheres (x, y, z, radius); a limb hangs along -z."""
    g = girth * h
    trunk = [
        (0.0, y * 0.085 * h, z * h, r * g)
        for y in (-1, 1)
        for z, r in ((0.06, 0.066), (0.17, 0.066), (0.27, 0.058))
    ] + [(0.0, y * 0.12 * h, 0.28 * h, 0.035 * g) for y in (-1, 1)]
    pelvis = [(0.0, y * 0.055 * h, z * h, 0.066 * g) for y in (-1, 1) for z in (-0.02, 0.06)]
    head = [(0.0, 0.0, 0.0, 0.05 * h), (0.012 * h, 0.0, 0.035 * h, 0.05 * h)]
    head += [(0.012 * h, 0.0, -0.04 * h, 0.032 * h)]
    limbs = {
        'upper_arm': (0.186, 0.031, 0.025),
        'forearm': (0.146, 0.025, 0.017),
        'hand': (0.07, 0.02, 0.016),
        'thigh': (0.245, 0.05, 0.034),
        'shin': (0.246, 0.034, 0.024),
    }
    foot = [(-0.02 * h, 0.0, -0.015 * h, 0.024 * h), (0.09 * h, 0.0, -0.022 * h, 0.017 * h)]
    made: list[tuple[str, list[tuple[float, float, float, float]]]] = [
        ('trunk', trunk),
        ('pelvis', pelvis),
        ('neck', [(0.0, 0.0, 0.28 * h, 0.03 * g), (0.0, 0.0, 0.35 * h, 0.028 * g)]),
        ('head', head),
    ]
    for _ in ('left', 'right'):
        for kind in ('upper_arm', 'forearm', 'hand', 'thigh', 'shin'):
            length, first, last = limbs[kind]
            made.append((kind, [(0, 0, 0, first * g), (0, 0, -length * h, last * g)]))
        made.append(('foot', foot))
    return made


def _posed(h: float, pose: Pose) -> tuple[FloatArray, list[FloatArray]]:
    """Return the joints and the frames of the parts, in the order of :func:`_balls`."""
    joints = np.zeros((len(JOINTS), 3))
    lean = Rotation.from_euler('y', pose.lean)
    head = lean * Rotation.from_euler('z', pose.look) * Rotation.from_euler('y', pose.nod)
    crown = lean.apply([0.0, 0.0, 0.35 * h]) + head.apply([0.0, 0.0, 0.05 * h])
    face = {'nose': (0.053, 0, -0.002), 'mouth_left': (0.045, 0.012, -0.028)}
    face |= {'left_eye_inner': (0.054, 0.01, 0.016), 'left_eye': (0.052, 0.018, 0.016)}
    face |= {'left_eye_outer': (0.048, 0.026, 0.016), 'left_ear': (0.005, 0.05, 0.005)}
    for name, place in face.items():
        right = name.replace('left', 'right')
        joints[INDEX[name]] = crown + head.apply(np.array(place) * h)
        if right != name:
            joints[INDEX[right]] = crown + head.apply(np.array(place) * h * [1, -1, 1])
    frames = [
        transform(lean.as_matrix(), np.zeros(3)),
        np.eye(4),
        transform(lean.as_matrix(), np.zeros(3)),
        transform(head.as_matrix(), crown),
    ]
    for side, sign in (('left', 1.0), ('right', -1.0)):
        swing, spread, bend = getattr(pose, f'arm_{side}')
        upper = lean * Rotation.from_euler('xy', [sign * spread, -swing])
        lower = upper * Rotation.from_euler('y', -bend)
        shoulder = lean.apply([0.0, sign * 0.125 * h, 0.285 * h])
        elbow = shoulder + upper.apply(0.186 * h * DOWN)
        wrist = elbow + lower.apply(0.146 * h * DOWN)
        leg_swing, leg_spread, knee_bend = getattr(pose, f'leg_{side}')
        thigh = Rotation.from_euler('xy', [sign * leg_spread, -leg_swing])
        shin = thigh * Rotation.from_euler('y', knee_bend)
        hip = np.array([0.0, sign * 0.055 * h, 0.0])
        knee = hip + thigh.apply(0.245 * h * DOWN)
        ankle = knee + shin.apply(0.246 * h * DOWN)
        made = {
            'shoulder': shoulder,
            'elbow': elbow,
            'wrist': wrist,
            'pinky': wrist + lower.apply(np.array([-0.012, 0, -0.065]) * h),
            'index': wrist + lower.apply(np.array([0.012, 0, -0.07]) * h),
            'thumb': wrist + lower.apply(np.array([0.016, 0, -0.04]) * h),
            'hip': hip,
            'knee': knee,
            'ankle': ankle,
            'heel': ankle + shin.apply(np.array([-0.03, 0, -0.02]) * h),
            'foot_index': ankle + shin.apply(np.array([0.09, 0, -0.025]) * h),
        }
        for name, place in made.items():
            joints[INDEX[f'{side}_{name}']] = place
        frames += [
            transform(turn.as_matrix(), start)
            for turn, start in (
                (upper, shoulder),
                (lower, elbow),
                (lower, wrist),
                (thigh, hip),
                (shin, knee),
                (shin, ankle),
            )
        ]
    return joints, frames


def _clipped(angles: object, limits: tuple[object, object]) -> object:
    low, high = (np.asarray(limit, np.float64) for limit in limits)
    clipped = np.clip(np.asarray(angles, np.float64), low, high)
    return tuple(clipped.tolist()) if clipped.ndim else float(clipped)


@dataclass(frozen=True, slots=True, eq=False)
class _Cloth:
    """One colour with folds."""

    color: FloatArray
    seed: int

    def __call__(self, points_m: FloatArray) -> ByteArray:
        rng = np.random.default_rng(self.seed)
        waves = rng.normal(0, 30, (4, 3))
        tone = np.cos(points_m @ waves.T + rng.uniform(0, 6, 4)).mean(axis=1)
        return np.clip(self.color * (1 + 0.12 * tone[:, None]), 0, 255).astype(np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class _Face:
    """Skin, hair on top and behind, eyes, brows and a mouth.

    :param scale_m: about the radius of the head.
    :param offset_m: (3,) the middle of the head's box in its own frame.
    """

    scale_m: float
    skin: FloatArray
    hair: FloatArray
    offset_m: FloatArray

    def __call__(self, points_m: FloatArray) -> ByteArray:
        x, y, z = ((points_m + self.offset_m) / self.scale_m).T
        color = np.tile(self.skin, (len(points_m), 1)).astype(np.float64)
        color[(z > 1.0 - 0.4 * (x < 0.4)) | ((x < -0.1) & (z > -0.35))] = self.hair
        front = x > 0.5
        for side in (-1, 1):
            off_eye = np.hypot(y - side * 0.34, z - 0.3)
            color[front & (off_eye < 0.17)] = (235, 235, 235)
            color[front & (off_eye < 0.1)] = (45, 30, 25)
            brow = (np.abs(y - side * 0.34) < 0.22) & (np.abs(z - 0.55) < 0.07)
            color[front & brow] = self.hair
        color[front & (np.abs(y) < 0.26) & (np.abs(z + 0.55) < 0.08)] = (165, 70, 70)
        color[front & (np.abs(y) < 0.1) & (np.abs(z + 0.05) < 0.15)] *= 0.85
        return np.clip(color, 0, 255).astype(np.uint8)


def upright(yaw_rad: float, place_m: Sequence[float] | FloatArray) -> FloatArray:
    """Return T_fixed_hips of a body that stands straight.

    :param yaw_rad: where it looks, from the fixed frame's x axis.
    :param place_m: (3,) the middle of its hips.
    """
    turn = Rotation.from_euler('z', yaw_rad)
    return transform(turn.as_matrix(), np.asarray(place_m, np.float64))
