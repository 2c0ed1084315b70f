# SPDX-License-Identifier: Apache-2.0
"""What is known about people: joints, capsules, persons. Perception, not a safety function."""

from __future__ import annotations

from dataclasses import dataclass

from sam3d_ros.core.types import BoolArray, FloatArray, Mesh

JOINTS = (
    'nose',
    *('left_eye_inner', 'left_eye', 'left_eye_outer'),
    *('right_eye_inner', 'right_eye', 'right_eye_outer'),
    *('left_ear', 'right_ear', 'mouth_left', 'mouth_right'),
    *('left_shoulder', 'right_shoulder', 'left_elbow', 'right_elbow', 'left_wrist', 'right_wrist'),
    *('left_pinky', 'right_pinky', 'left_index', 'right_index', 'left_thumb', 'right_thumb'),
    *('left_hip', 'right_hip', 'left_knee', 'right_knee', 'left_ankle', 'right_ankle'),
    *('left_heel', 'right_heel', 'left_foot_index', 'right_foot_index'),
)
"""Names of a body's joints, in the order of BlazePose; left is the person's own left."""
INDEX = {name: index for index, name in enumerate(JOINTS)}
HAND_JOINTS = (
    'wrist',
    *(f'thumb_{part}' for part in ('cmc', 'mcp', 'ip', 'tip')),
    *(
        f'{finger}_{part}'
        for finger in ('index', 'middle', 'ring', 'pinky')
        for part in ('mcp', 'pip', 'dip', 'tip')
    ),
)
"""Names of a hand's joints."""
BONES = tuple(
    (INDEX[f'{side}_{a}'], INDEX[f'{side}_{b}'])
    for side in ('left', 'right')
    for a, b in (
        ('shoulder', 'elbow'),
        ('elbow', 'wrist'),
        ('wrist', 'index'),
        ('hip', 'knee'),
        ('knee', 'ankle'),
        ('ankle', 'foot_index'),
        ('shoulder', 'hip'),
    )
) + tuple(
    (INDEX[a], INDEX[b])
    for a, b in (('left_shoulder', 'right_shoulder'), ('left_hip', 'right_hip'))
)
"""Pairs of joints whose distance does not change, or hardly."""
