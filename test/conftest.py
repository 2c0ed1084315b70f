# SPDX-License-Identifier: Apache-2.0
"""Fixtures that every test may use."""

import os
from pathlib import Path

import numpy as np
import pytest

from sam3d_ros.core.types import Camera, Frame
from sam3d_ros.geometry.cameras import pointmap_from_depth, rays

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope='session')
def root() -> Path:
    """Return the project's root folder."""
    return ROOT


@pytest.fixture(scope='session')
def shared_data() -> Path:
    """Return the folder of real scenes and scanned objects, or skip saying what is missing."""
    folder = Path(os.environ.get('SAM3D_SHARED', ROOT.parent / 'shared')) / 'data'
    if not folder.is_dir():
        pytest.skip(f'no shared data at {folder}: nothing real to test on')
    return folder


@pytest.fixture(scope='session')
def boxes_world():
    """Return a function that ray-casts axis-aligned boxes on the floor z = 0 of a fixed frame."""
    return _render_boxes


def look_at(eye, target):
    """Return T_fixed_cam (4, 4) of a camera at ``eye`` that looks at ``target``, z up."""
    forward = np.subtract(target, eye).astype(float)
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    T = np.eye(4)
    T[:3, :3] = np.stack([right, np.cross(forward, right), forward], axis=1)
    T[:3, 3] = eye
    return T


def _render_boxes(eye, boxes, stamp_ns=0, target=(0.0, 0.0, 0.0), floor=True, size=(160, 120)):
    """Return (Frame, (H, W) int32 image of box indices, -1 = none).

    :param boxes: sequence of (centre (3,), size (3,), colour (3,)), fixed frame, metres.
    """
    width, height = size
    focal = 0.8 * width
    K = np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1]])
    camera = Camera(width, height, K)
    T_fixed_cam = look_at(eye, target)
    directions = rays(camera).reshape(-1, 3).astype(float) @ T_fixed_cam[:3, :3].T
    origin = T_fixed_cam[:3, 3]
    depth = np.full(len(directions), np.inf)
    index = np.full(len(directions), -1, np.int32)
    rgb = np.full((len(directions), 3), 128, np.uint8)
    if floor:
        hit = directions[:, 2] < -1e-9
        depth[hit] = -origin[2] / directions[hit, 2]
    for number, (center, extent, color) in enumerate(boxes):
        low, high = np.subtract(center, np.divide(extent, 2)), np.add(center, np.divide(extent, 2))
        with np.errstate(divide='ignore', invalid='ignore'):
            t_low, t_high = (low - origin) / directions, (high - origin) / directions
        near = np.nanmax(np.minimum(t_low, t_high), axis=1)
        far = np.nanmin(np.maximum(t_low, t_high), axis=1)
        hit = (near < far) & (near > 0) & (near < depth)
        depth[hit], index[hit], rgb[hit] = near[hit], number, color
    depth[~np.isfinite(depth)] = np.nan
    pointmap = pointmap_from_depth(depth.reshape(height, width).astype(np.float32), camera)
    up_cam = T_fixed_cam[:3, :3].T @ [0.0, 0.0, 1.0]
    frame = Frame(
        stamp_ns,
        'camera',
        camera,
        rgb.reshape(height, width, 3),
        pointmap,
        'world',
        T_fixed_cam,
        up_cam,
    )
    return frame, index.reshape(height, width)
