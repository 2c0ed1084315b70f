# SPDX-License-Identifier: Apache-2.0
"""What a body fills: capsules along its bones, and what is near them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sam3d_ros.core.people import INDEX, Capsule, Skeleton
from sam3d_ros.core.types import Float32Array, FloatArray

LIMBS = tuple(
    (f'{side}_{a}', f'{side}_{b}', radius)
    for side in ('left', 'right')
    for a, b, radius in (
        ('shoulder', 'elbow', 0.055),
        ('elbow', 'wrist', 0.045),
        ('wrist', 'index', 0.05),
        ('hip', 'knee', 0.085),
        ('knee', 'ankle', 0.06),
        ('heel', 'foot_index', 0.05),
    )
)
"""Ends and radius of the capsules of limbs, metres, of a body of usual size."""
SHOULDERS_M, HIPS_M, CHEST_M, HEAD_M = 0.08, 0.11, 0.13, 0.115


def capsules_of(skeleton: Skeleton, size: float) -> tuple[Capsule, ...]:
    """Return the capsules of a body: limbs, shoulders, hips, two of the chest, head.

    :param skeleton: its joints.
    :param size: of the person over the usual.
    """
    at = {name: skeleton.points_m[index] for name, index in INDEX.items()}
    made = [Capsule(at[a], at[b], size * radius) for a, b, radius in LIMBS]
    made.append(Capsule(at['left_shoulder'], at['right_shoulder'], size * SHOULDERS_M))
    made.append(Capsule(at['left_hip'], at['right_hip'], size * HIPS_M))
    neck = (at['left_shoulder'] + at['right_shoulder']) / 2
    for side in ('left', 'right'):
        inner = 0.5 * at[f'{side}_shoulder'] + 0.5 * neck
        made.append(Capsule(inner, at[f'{side}_hip'], size * CHEST_M))
    head = (at['left_ear'] + at['right_ear']) / 2
    made.append(Capsule(neck, head, size * 0.06))
    up = head - neck
    length = max(float(np.linalg.norm(up)), 1e-6)
    made.append(Capsule(head, head + 0.04 * size * up / length, size * HEAD_M))
    return tuple(made)


def clearance(points_m: Float32Array | FloatArray, capsules: Sequence[Capsule]) -> FloatArray:
    """Return (N,) distances of points from the nearest capsule's surface, < 0 inside, metres.

    :param points_m: (N, 3), the capsules' frame.
    """
    radius = np.array([item.radius_m for item in capsules])
    nearest: FloatArray = (line_distances(points_m, capsules) - radius).min(axis=1)
    return nearest


def line_distances(points_m: Float32Array | FloatArray, capsules: Sequence[Capsule]) -> FloatArray:
    """Return (N, C) distances of points from the lines of capsules, metres.

    :param points_m: (N, 3), the capsules' frame.
    """
    start = np.array([item.start_m for item in capsules])
    along = np.array([item.end_m for item in capsules]) - start
    square = np.maximum(np.square(along).sum(axis=1), 1e-12)
    middle = start.mean(axis=0)
    points, start = points_m - middle, start - middle
    dot = points @ along.T - np.einsum('ij,ij->i', start, along)
    share = np.clip(dot / square, 0, 1)
    apart = np.square(points).sum(axis=1)[:, None] - 2 * points @ start.T
    apart += np.square(start).sum(axis=1) + share * (share * square - 2 * dot)
    return np.sqrt(np.maximum(apart, 0))
