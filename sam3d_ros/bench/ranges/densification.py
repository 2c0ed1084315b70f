# SPDX-License-Identifier: Apache-2.0
"""LiDAR and image to a pointmap: errors, coverage, planes, silhouettes and time, by pattern."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import cv2
import numpy as np

from sam3d_ros.bench.harness import BenchOptions, Picture, Table, Value
from sam3d_ros.core.sensors import MODELS
from sam3d_ros.core.types import ByteArray, Float32Array
from sam3d_ros.geometry.cameras import pointmap_from_depth
from sam3d_ros.geometry.transforms import apply, inverse
from sam3d_ros.pointmaps.config import PointmapConfig
from sam3d_ros.pointmaps.sources.lidar import depth_from_cloud
from sam3d_ros.world.rendering.lidar import LIVOX, Lidar
from sam3d_ros.world.samples import T_LINK_LIDAR, T_LINK_OPTICAL, Sample, samples
from sam3d_ros.world.suites import make_episode

LIDARS = {
    'rings64': Lidar(64, 2048),
    'rings32': Lidar(32, 1024),
    'rings16': Lidar(16, 1024),
    'rings8': Lidar(8, 1024),
    'livox': LIVOX,
}
WORLDS = {False: 8, True: 2}
"""Scenes of each pattern: full, quick."""
FIRST_SEED = 300
RUNS = 5
T_OPTICAL_LIDAR = inverse(T_LINK_OPTICAL) @ T_LINK_LIDAR
# Half the distance of the points that normals are measured between, px.
_HALF_PX = 3
# How far from objects planes are looked at, and how near to their outlines is at a silhouette, px.
_CLEAR_PX, _SILHOUETTE_PX = 20, 5
HEADINGS = {
    'relative_error': 'relative error on objects',
    'delta': 'delta < 1.025',
    'coverage': 'coverage of objects',
    'off_silhouette': '> 5 cm off at silhouettes',
    'dispersion_deg': 'normals of planes, deg',
    'sigma_ratio': 'error over sigma',
    'time_s': 'time, s',
}


def densified(options: BenchOptions) -> tuple[Table, dict[str, Value], list[Picture]]:
    """Return figures by pattern of the LiDAR, for people and flat, and a picture of each.

    :param options: of the bench.
    """
    rows, pictures = [], []
    values: dict[str, Value] = {}
    for name, lidar in LIDARS.items():
        found = []
        for seed in range(FIRST_SEED, FIRST_SEED + WORLDS[options.quick]):
            episode = replace(make_episode('lidar', options.seed + seed, frames=1), lidar=lidar)
            for sample in samples(episode):
                depth_m, sigma_m, time_s = _densify(sample)
                figures = dict(zip(HEADINGS, scores(sample, depth_m, sigma_m), strict=False))
                found.append({**figures, 'time_s': time_s})
                if seed == FIRST_SEED:
                    pictures.append(Picture(f'{name}: colour, truth, found', row(sample, depth_m)))
        means = {key: float(np.nanmean([each[key] for each in found])) for key in HEADINGS}
        values |= {f'{name}_{key}': value for key, value in means.items()}
        rows.append((name, *(f'{value:.3g}' for value in means.values())))
    title = f'LiDAR and image to a pointmap, {WORLDS[options.quick]} worlds each, 640x480'
    return Table(title, ('pattern', *HEADINGS.values()), tuple(rows)), values, pictures


def _densify(sample: Sample) -> tuple[Float32Array, Float32Array, float]:
    """Return depth and sigma (H, W) of a sample's sweep, and the least time that it took, s."""
    assert sample.sweep is not None
    config, times = PointmapConfig(), []
    for _ in range(RUNS):
        begun_s = time.perf_counter()
        points = apply(T_OPTICAL_LIDAR, sample.sweep.points_m).astype(np.float32)
        near = (points[:, 2] > config.min_depth_m) & (points[:, 2] < config.max_depth_m)
        found = depth_from_cloud(
            points[near], sample.rgb, sample.camera, config.lidar, MODELS['lidar']
        )
        pointmap_from_depth(found.depth_m, sample.camera)
        times.append(time.perf_counter() - begun_s)
    assert found.sigma_m is not None
    return found.depth_m, found.sigma_m, min(times)


def scores(sample: Sample, depth_m: Float32Array, sigma_m: Float32Array) -> Iterator[float]:
    """Yield the figures of :data:`HEADINGS` but the time; NaN where there is nothing to see.

    :param sample: of a world.
    :param depth_m: (H, W) float32 what was found, metres, NaN = nothing.
    :param sigma_m: (H, W) float32 one-sigma error that it is said to have, metres.
    """
    drawn = sample.rendering
    truth, ids = drawn.depth_m, drawn.instances
    known = np.isfinite(truth) & (drawn.clear == 0)
    error = np.abs(depth_m - truth)
    is_found = np.isfinite(depth_m)
    objects = known & (ids > 0)
    on_objects = objects & is_found
    ratio = depth_m[on_objects] / truth[on_objects]
    yield float(np.mean(np.abs(ratio - 1)))
    yield float(np.mean(np.maximum(ratio, 1 / ratio) < 1.025))
    yield float(on_objects.sum() / objects.sum())
    outline = np.ones((2 * _SILHOUETTE_PX + 1,) * 2, np.uint8)
    at_rim = known & is_found & (cv2.dilate(ids, outline) != cv2.erode(ids, outline))
    yield float(np.mean(error[at_rim] > 0.05))
    s = _HALF_PX
    points = pointmap_from_depth(depth_m, sample.camera).astype(np.float64)
    along = (points[:, 2 * s :] - points[:, : -2 * s])[s:-s]
    down = (points[2 * s :] - points[: -2 * s])[:, s:-s]
    normals = np.cross(along, down)
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    is_flat = np.abs(cv2.blur(drawn.normals, (25, 25)) - drawn.normals).max(axis=-1) < 1e-3
    is_flat &= cv2.dilate(ids, np.ones((2 * _CLEAR_PX + 1,) * 2, np.uint8)) == 0
    cosine = np.abs(np.einsum('ijk,ijk->ij', normals, drawn.normals[s:-s, s:-s]))
    on_planes = np.isfinite(cosine) & is_flat[s:-s, s:-s]
    yield float(np.degrees(np.mean(np.arccos(np.minimum(cosine[on_planes], 1.0)))))
    yield float(1.4826 * np.median((error / sigma_m)[known & is_found]))


def row(sample: Sample, depth_m: Float32Array) -> ByteArray:
    """Return colour, true depth and found depth beside each other, nothing found white.

    :param sample: of a world.
    :param depth_m: (H, W) float32 metres, NaN = not known.
    """
    low, high = np.nanpercentile(sample.rendering.depth_m, (1, 99))
    panels = [sample.rgb]
    for image in (sample.rendering.depth_m, depth_m):
        share = np.clip((np.nan_to_num(image, nan=high) - low) / (high - low), 0, 1)
        colors = cv2.applyColorMap((255 * share).astype(np.uint8), cv2.COLORMAP_VIRIDIS)
        colors[np.isnan(image)] = 255
        panels.append(np.asarray(colors[..., ::-1], np.uint8))
    return np.concatenate(panels, axis=1)
