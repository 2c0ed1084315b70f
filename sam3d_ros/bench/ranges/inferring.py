# SPDX-License-Identifier: Apache-2.0
"""Scale and shift of inferred range, and cameras of ray maps, against outliers and noise."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from sam3d_ros.bench.harness import BenchOptions, Table, Value
from sam3d_ros.core.errors import InputError
from sam3d_ros.geometry.cameras import rays
from sam3d_ros.geometry.transforms import rotation_angle, transform
from sam3d_ros.pointmaps.ray_camera import camera_of_rays
from sam3d_ros.pointmaps.sources.alignment import align
from sam3d_ros.world.cameras import pinhole
from sam3d_ros.world.samples import Sample, samples
from sam3d_ros.world.suites import make_episode

OUTLIERS = (0.0, 0.4, 0.6)
TRIALS = {False: 60, True: 10}
"""Draws of references, and of ray maps: full, quick."""
REFERENCES, REFERENCE_NOISE_M = 400, 0.02
NOISE_DEG = 1.0
SHAPE = (216, 288)
"""Rows and columns of a ray map of Depth Anything 3."""


def aligned(options: BenchOptions) -> tuple[Table, dict[str, Value]]:
    """Return scale errors by share of outliers, for people and flat.

    The true disparity of a world is what was inferred, scaled and shifted; references are its
    ranges with a LiDAR's noise, outliers those of anything between 0.3 and 6 m.

    :param options: of the bench.
    """
    sample = next(samples(make_episode('spaced', options.seed + 300, frames=1)))
    rows = []
    values: dict[str, Value] = {}
    for share in OUTLIERS:
        errors = [
            _scale_error(sample, share, np.random.default_rng([options.seed, trial]))
            for trial in range(TRIALS[options.quick])
        ]
        refused = float(np.mean(np.isnan(errors)))
        mean, worst = float(np.nanmean(errors)), float(np.nanmax(errors))
        key = f'align_{share:.0%}'.rstrip('%')
        values |= {f'{key}_scale_error': mean, f'{key}_worst': worst, f'{key}_refused': refused}
        rows.append((f'{share:.0%}', f'{mean:.2%}', f'{worst:.2%}', f'{refused:.0%}'))
    title = f'Scale of inferred disparity from {REFERENCES} measured ranges with outliers'
    return Table(title, ('outliers', 'scale error', 'worst', 'refused'), tuple(rows)), values


def _scale_error(sample: Sample, outliers: float, rng: np.random.Generator) -> float:
    """Return the relative error of the scale; NaN where the alignment is refused."""
    depth_m = sample.rendering.depth_m
    z = rng.choice(depth_m[np.isfinite(depth_m)].astype(np.float64), REFERENCES)
    scale, shift = rng.uniform(0.2, 5.0), rng.uniform(-0.3, 0.3)
    inferred = (1 / z - shift) / scale
    measured = z + REFERENCE_NOISE_M * rng.standard_normal(REFERENCES)
    wrong = rng.random(REFERENCES) < outliers
    measured[wrong] = rng.uniform(0.3, 6.0, int(wrong.sum()))
    try:
        found = align(inferred, 1 / measured, REFERENCE_NOISE_M / measured**2)
    except InputError:
        return float('nan')
    return abs(found.scale / scale - 1)


def cameras_of_rays(options: BenchOptions) -> tuple[Table, dict[str, Value]]:
    """Return errors of cameras from ray maps with noise, for people and flat.

    :param options: of the bench.
    """
    camera = pinhole(SHAPE[1], SHAPE[0])
    row, column = np.mgrid[: SHAPE[0], : SHAPE[1]]
    pixels = np.stack([column.ravel(), row.ravel()], axis=1)
    straight = rays(camera).reshape(-1, 3).astype(np.float64)
    straight /= np.linalg.norm(straight, axis=1, keepdims=True)
    errors = []
    for trial in range(TRIALS[options.quick] // 3):
        rng = np.random.default_rng([options.seed, trial])
        R = Rotation.random(random_state=trial).as_matrix()
        noisy = straight @ R.T + np.radians(NOISE_DEG) * rng.normal(size=straight.shape)
        origins = 0.05 * rng.normal(size=straight.shape)
        found = camera_of_rays(noisy, pixels, origins=origins)
        focal = np.abs(np.diag(found.K)[:2] / np.diag(camera.K)[:2] - 1).max()
        turn = rotation_angle(transform(found.R.T @ R, np.zeros(3)))
        errors.append((focal, np.degrees(turn), np.linalg.norm(found.center)))
    focal, turn_deg, center_m = (float(value) for value in np.median(errors, axis=0))
    values: dict[str, Value] = {
        'rays_focal_error': focal,
        'rays_rotation_deg': turn_deg,
        'rays_center_m': center_m,
    }
    row = (f'{NOISE_DEG:g} deg', f'{focal:.2%}', f'{turn_deg:.2f}', f'{center_m * 1e3:.2f}')
    title = f'Cameras of ray maps of {SHAPE[1]}x{SHAPE[0]}, origins off by 50 mm'
    return Table(title, ('noise', 'focal length', 'rotation, deg', 'centre, mm'), (row,)), values
