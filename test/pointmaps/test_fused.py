# SPDX-License-Identifier: Apache-2.0
"""Ranges of several sensors as one: by their errors, the nearer surface in front."""

import numpy as np
import pytest
from ray_cast_world import camera, render

from sam3d_ros.core.sensors import MODELS
from sam3d_ros.geometry.cameras import pointmap_from_depth
from sam3d_ros.geometry.lenses import pinhole
from sam3d_ros.geometry.transform_tree import TransformTree
from sam3d_ros.geometry.transforms import apply, inverse, transform
from sam3d_ros.pointmaps.config import PointmapConfig
from sam3d_ros.pointmaps.inputs import ColorImage, DepthImage, PointCloud
from sam3d_ros.pointmaps.sources.fused_source import FusedSource, fuse
from sam3d_ros.pointmaps.sources.ranges import RangeMap, Several

CAMERA = camera(160, 120, 130)
NAN = np.float32(np.nan)


def ranges(depth_m, sigma_m, sensor='tof', measured=None):
    depth_m = np.full((4, 5), depth_m, np.float32) if np.isscalar(depth_m) else depth_m
    return RangeMap(depth_m, MODELS[sensor], measured, np.full(depth_m.shape, sigma_m, np.float32))


def test_sensors_that_agree_are_averaged_by_their_variance():
    rng = np.random.default_rng(0)
    maps = [
        ranges((2.0 + s * rng.standard_normal((100, 100))).astype(np.float32), s)
        for s in (0.01, 0.02, 0.02)
    ]
    found = fuse(maps)
    expected = (1 / 0.01**2 + 2 / 0.02**2) ** -0.5
    assert np.std(found.depth_m - 2.0) == pytest.approx(expected, rel=0.1)
    assert np.median(found.sigma_m) == pytest.approx(expected, rel=0.01)


def test_holes_of_one_are_filled_by_the_other():
    one = np.full((4, 5), 1.0, np.float32)
    other = one.copy()
    one[:, 0], other[:, 1], one[0, 4], other[0, 4] = NAN, NAN, NAN, NAN
    found = fuse([ranges(one, 0.01), ranges(other, 0.02, 'lidar')])
    assert np.isnan(found.depth_m[0, 4]) and np.isnan(found.depth_m).sum() == 1
    assert found.sigma_m[1, 0] == np.float32(0.02) and found.sigma_m[1, 1] == np.float32(0.01)


def test_a_nearer_surface_hides_what_another_sensor_saw_past_it():
    assert np.allclose(fuse([ranges(3.0, 0.02), ranges(1.0, 0.02)]).depth_m, 1.0)
    # A sensor that is much surer is believed that there is nothing in between.
    assert np.allclose(fuse([ranges(3.0, 0.004), ranges(1.0, 0.2)]).depth_m, 3.0)


def test_what_one_measured_is_measured():
    inferred = ranges(2.0, 0.05, measured=np.zeros((4, 5), bool))
    assert fuse([ranges(2.0, 0.02), inferred]).measured.all()
    assert not fuse([ranges(NAN, 0.02), inferred]).measured.any()


def test_two_lidars_and_a_depth_camera_become_one_pointmap():
    """Each from a place of its own, over TF: better covered than any, and as sure as it says."""
    rng = np.random.default_rng(1)
    truth, _ = render(CAMERA, np.eye(4))
    tree = TransformTree()
    color = ColorImage(
        0, 'rgb', rng.integers(100, 140, (120, 160, 3)).astype(np.uint8), pinhole(CAMERA)
    )
    items, points = {}, pointmap_from_depth(truth, CAMERA).reshape(-1, 3)
    for name, x in (('left', -0.05), ('right', 0.05)):
        T = transform(np.eye(3), np.array([x, 0.0, 0.0]))
        tree.add('rgb', name, T, None)
        chosen = rng.permutation(len(points))[:6000]
        chosen = chosen[(points[chosen, 0] < 0.1) == (name == 'left')]
        lengths = 1 + 0.01 * rng.standard_normal((len(chosen), 1)) / points[chosen, 2:]
        items[f'/{name}'] = PointCloud(
            0, name, apply(inverse(T), points[chosen] * lengths).astype(np.float32)
        )
    depth = (truth + 0.01 * rng.standard_normal(truth.shape)).astype(np.float32)
    depth[40:] = NAN
    items['/depth'] = DepthImage(0, 'rgb', depth, pinhole(CAMERA))
    source = FusedSource(PointmapConfig())
    alone = [
        np.isfinite(source.range_of(color, item, tree).depth_m).mean() for item in items.values()
    ]
    found = source.range_of(color, Several(items), tree)
    known = np.isfinite(found.depth_m)
    assert known.mean() > 0.7 > 1.5 * max(alone)
    deviates = np.abs(found.depth_m - truth)[known] / found.sigma_m[known]
    assert np.median(deviates) < 1.2
    assert np.median(np.abs(found.depth_m - truth)[:40][known[:40]]) < 0.01
    assert source.noise is not None
