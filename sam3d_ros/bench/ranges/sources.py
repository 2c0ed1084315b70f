# SPDX-License-Identifier: Apache-2.0
"""Sources of range beside each other on the same worlds: one sensor, several, or none at all.

Networks are stood in for by one that is right in a unit of its own, with errors of 2 % that
neighbours share: what is measured is how well its unit is found, from motion over TF or from the
support. Real weights say more or less than that.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from sam3d_ros.bench.harness import BenchOptions, Picture, Table, Value
from sam3d_ros.bench.ranges.densification import HEADINGS as ALL
from sam3d_ros.bench.ranges.densification import T_OPTICAL_LIDAR, row, scores
from sam3d_ros.core.types import Float32Array
from sam3d_ros.geometry.lenses import Lens
from sam3d_ros.geometry.transform_tree import TransformTree
from sam3d_ros.pointmaps.config import PointmapConfig
from sam3d_ros.pointmaps.inputs import ColorImage, DepthImage, PointCloud
from sam3d_ros.pointmaps.monocular.inferring import Inferred, InferringSource
from sam3d_ros.pointmaps.sources.fused_source import FusedSource
from sam3d_ros.pointmaps.sources.ranges import Measurement, RangeMap, Several
from sam3d_ros.world.episode import FIXED_FRAME
from sam3d_ros.world.rendering.lidar import Lidar
from sam3d_ros.world.rendering.sensors import depth_sensor, field
from sam3d_ros.world.samples import LIDAR_FRAME, OPTICAL_FRAME, Sample, samples
from sam3d_ros.world.suites import make_episode

WORLDS = {False: 6, True: 1}
"""Scenes: full, quick."""
FIRST_SEED = 340
FRAMES, ARC_DEG = 4, 15.0
"""Views of each scene, and the arc that the camera moves on over them."""
LIDAR = Lidar(32, 1024)
DEPTH = 'structured_light'
NETWORK_SHARE, NETWORK_GRAIN = 0.02, ((24.0, 1.0),)
HEADINGS = (
    'relative error on objects',
    'delta < 1.025',
    'coverage of objects',
    '> 5 cm off at silhouettes',
    'error over sigma',
)
_KEYS = ('relative_error', 'delta', 'coverage', 'off_silhouette', 'sigma_ratio')


class _Network:
    """Right in a unit of its own, but for errors that neighbours share."""

    def __init__(self) -> None:
        self.truth_m: Float32Array = np.zeros((0, 0), np.float32)

    def infer(self, color: ColorImage, ranges: RangeMap, tree: TransformTree) -> Inferred:
        rng = np.random.default_rng(color.stamp_ns % 2**32)
        error = field(NETWORK_GRAIN, self.truth_m.shape, rng)
        wrong_m = self.truth_m * (1 + np.float32(NETWORK_SHARE) * error)
        return Inferred(np.nan_to_num(0.6 / wrong_m + 0.3).astype(np.float32), True)

    def forget(self) -> None:
        pass


def compared(options: BenchOptions) -> tuple[Table, dict[str, Value], list[Picture]]:
    """Return figures by source, for people and flat, and a picture of each.

    :param options: of the bench.
    """
    found: dict[str, list[list[float]]] = {}
    pictures = []
    for seed in range(FIRST_SEED, FIRST_SEED + WORLDS[options.quick]):
        for name, sample, ranges in _sources(options.seed + seed):
            figures_of = scores(sample, ranges.depth_m, ranges.errors_m)
            each = dict(zip(ALL, figures_of, strict=False))
            found.setdefault(name, []).append([each[key] for key in _KEYS])
            if seed == FIRST_SEED:
                picture = row(sample, ranges.depth_m)
                pictures.append(Picture(f'{name}: colour, truth, found', picture))
    rows = []
    values: dict[str, Value] = {}
    for name, figures in found.items():
        means = np.nanmean(figures, axis=0)
        rows.append((name, *(f'{value:.3g}' for value in means)))
        label = name.replace(' ', '_')
        values |= {f'{label}_{key}': float(v) for key, v in zip(_KEYS, means, strict=True)}
    title = f'Sources of range on the same {WORLDS[options.quick]} worlds, 640x480'
    return Table(title, ('source', *HEADINGS), tuple(rows)), values, pictures


def _sources(seed: int) -> Iterator[tuple[str, Sample, RangeMap]]:
    """Yield the name of each source, the last view of a world, and what the source says of it."""
    episode = make_episode('lidar', seed, frames=FRAMES, sweep_deg=ARC_DEG)
    shown = list(samples(replace(episode, lidar=LIDAR)))
    tree = TransformTree()
    tree.add(OPTICAL_FRAME, LIDAR_FRAME, T_OPTICAL_LIDAR, None)
    for sample in shown:
        tree.add(FIXED_FRAME, OPTICAL_FRAME, sample.truth.T_fixed_cam, sample.truth.stamp_ns)
    last, color = shown[-1], _image(shown[-1])
    assert last.sweep is not None
    depth_m = depth_sensor(DEPTH).measure(last.rendering, last.camera, np.random.default_rng(seed))
    depth = DepthImage(color.stamp_ns, OPTICAL_FRAME, depth_m, color.lens)
    points = last.sweep.points_m.astype(np.float32)
    cloud = PointCloud(color.stamp_ns, LIDAR_FRAME, points)
    config = PointmapConfig(measure_noise=False)
    both = Several({'/depth': depth, '/points': cloud})
    measured: dict[str, Measurement] = {'depth': depth, 'points': cloud, 'fused': both}
    for name, item in measured.items():
        yield name, last, FusedSource(config).range_of(color, item, tree)
    height = replace(config, support_height=f'{episode.support_z_m:.4f}')
    inferred: tuple[tuple[str, PointmapConfig, Measurement | None, int], ...] = (
        ('depth and network', config, depth, 1),
        ('network by motion', config, None, FRAMES),
        ('network by support', height, None, 1),
    )
    for name, chosen, given, views in inferred:
        network = _Network()
        source = InferringSource(chosen, network)
        for sample in shown[-views:]:
            network.truth_m = sample.rendering.depth_m
            ranges = source.range_of(_image(sample), given, tree)
        yield name, last, ranges


def _image(sample: Sample) -> ColorImage:
    camera = sample.camera
    lens = Lens(camera.width, camera.height, camera.K, camera)
    return ColorImage(sample.truth.stamp_ns, OPTICAL_FRAME, sample.rgb, lens)
