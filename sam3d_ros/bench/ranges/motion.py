# SPDX-License-Identifier: Apache-2.0
"""What is left of a LiDAR's motion while it swept, after it was undone over TF."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from sam3d_ros.bench.harness import Table, Value
from sam3d_ros.core.types import FloatArray
from sam3d_ros.geometry.lenses import Lens
from sam3d_ros.geometry.transform_tree import TransformTree
from sam3d_ros.geometry.transforms import apply, inverse, transform
from sam3d_ros.pointmaps.inputs import ColorImage, PointCloud
from sam3d_ros.pointmaps.sources.deskew import as_seen_at_once
from sam3d_ros.world.cameras import pinhole

SPEED_M_S, TURN_RAD_S = 1.0, float(np.radians(90))
SWEEP_S, RANGE_M, POINTS = 0.1, 3.0, 2000
TF_RATES_HZ = (30, 100)
_STAMP_NS = 1_700_000_000_000_000_000


def deskewed(seed: int) -> tuple[Table, dict[str, Value]]:
    """Return the errors of points at 3 m of a LiDAR that moves and turns, for people and flat.

    The path bends and speeds up; TF has it at two rates.

    :param seed: of the points.
    """
    rows = []
    values: dict[str, Value] = {}
    for rate_hz in TF_RATES_HZ:
        with_times, as_one_body = errors_m(np.random.default_rng(seed), rate_hz)
        values[f'deskew_{rate_hz}hz_p95_m'] = float(np.percentile(with_times, 95))
        values[f'skewed_{rate_hz}hz_p95_m'] = float(np.percentile(as_one_body, 95))
        cells = (np.percentile(error, 95) * 1e3 for error in (with_times, as_one_body))
        rows.append((f'TF at {rate_hz} Hz', *(f'{cell:.2f}' for cell in cells)))
    title = 'A sweep of 0.1 s at 1 m/s and 90 deg/s: errors at 3 m, p95, mm'
    return Table(title, ('', 'motion undone', 'as one body'), tuple(rows)), values


def errors_m(rng: np.random.Generator, rate_hz: float) -> tuple[FloatArray, FloatArray]:
    """Return errors (N,) of points with motion undone, and as one body, metres.

    :param rng: draws the points.
    :param rate_hz: of TF.
    """
    tree = TransformTree()
    for at_s in np.arange(-0.2, 0.3, 1 / rate_hz):
        tree.add('world', 'lidar', _pose(at_s), _STAMP_NS + round(at_s * 1e9))
    times_s = np.sort(rng.uniform(-SWEEP_S / 2, SWEEP_S / 2, POINTS))
    direction = rng.normal(size=(POINTS, 3))
    world = _pose(0.0)[:3, 3] + RANGE_M * direction / np.linalg.norm(
        direction, axis=1, keepdims=True
    )
    measured = np.stack(
        [apply(inverse(_pose(t)), p[None])[0] for t, p in zip(times_s, world, strict=True)]
    ).astype(np.float32)
    camera = pinhole(64, 48)
    rgb = np.zeros((48, 64, 3), np.uint8)
    image = ColorImage(
        _STAMP_NS, 'lidar', rgb, Lens(camera.width, camera.height, camera.K, camera)
    )
    truth = apply(inverse(_pose(0.0)), world)
    found = [
        as_seen_at_once(image, PointCloud(_STAMP_NS, 'lidar', measured, times), tree)
        for times in (times_s, None)
    ]
    undone, rigid = (np.linalg.norm(points - truth, axis=1) for points in found)
    return undone, rigid


def _pose(at_s: float) -> FloatArray:
    """Return T_world_lidar of a path that bends."""
    angle = TURN_RAD_S * at_s + 2.0 * at_s**2
    turn = Rotation.from_rotvec([0.1 * angle, 0.0, angle]).as_matrix()
    return transform(turn, np.array([SPEED_M_S * at_s + at_s**2, 0.5 * at_s**2, 0.0]))
