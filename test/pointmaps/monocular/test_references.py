# SPDX-License-Identifier: Apache-2.0
"""What a network is aligned to without a sensor of range: the support, and the robot's motion."""

import numpy as np
import pytest

from sam3d_ros.core.errors import ConfigurationError, InputError
from sam3d_ros.core.types import Camera
from sam3d_ros.geometry.cameras import rays
from sam3d_ros.geometry.lenses import Lens
from sam3d_ros.geometry.transform_tree import TransformTree
from sam3d_ros.pointmaps.config import PointmapConfig
from sam3d_ros.pointmaps.inputs import ColorImage
from sam3d_ros.pointmaps.monocular.inferring import Inferred, InferringSource
from sam3d_ros.pointmaps.monocular.references import MovedReferences, support_references
from sam3d_ros.world.cameras import looking_at

CAMERA = Camera(320, 240, np.array([[280.0, 0, 160.0], [0, 280.0, 120.0], [0, 0, 1]]))
LENS = Lens(320, 240, CAMERA.K, CAMERA)


def eye_at(x):
    return looking_at(np.array([x, -1.0, 0.9]), np.array([0.0, 0.0, 0.1]))


def image(T_world_cam, stamp_ns):
    """Return the picture of a floor of coloured tiles and a wall behind it, and its true depth."""
    d = rays(CAMERA).astype(np.float64) @ T_world_cam[:3, :3].T
    o = T_world_cam[:3, 3]
    with np.errstate(divide='ignore'):
        floor = np.where(d[..., 2] < 0, -o[2] / d[..., 2], np.inf)
        wall = np.where(d[..., 1] > 0, (0.8 - o[1]) / d[..., 1], np.inf)
    depth_m = np.minimum(floor, wall)
    points = o + depth_m[..., None] * d
    u, v = points[..., 0], np.where(floor < wall, points[..., 1], points[..., 2] + 7.0)
    # Smooth, so that corners are followed to parts of a pixel.
    waves = np.stack(
        [np.sin(37 * u + k) * np.cos(41 * v - k) + np.sin(97 * u - 89 * v) for k in range(3)], -1
    )
    rgb = (127 + 60 * waves).clip(0, 255).astype(np.uint8)
    return ColorImage(stamp_ns, 'camera', rgb, LENS), depth_m.astype(np.float32)


def moving(xs):
    tree = TransformTree()
    shown = []
    for at, x in enumerate(xs):
        stamp_ns = (at + 1) * 100_000_000
        tree.add('world', 'camera', eye_at(x), stamp_ns)
        shown.append(image(eye_at(x), stamp_ns))
    return tree, shown


class Oracle:
    """Says true disparity, in a unit of its own."""

    def __init__(self):
        self.depth_m = None

    def infer(self, color, ranges, tree):
        return Inferred((0.7 / self.depth_m + 0.2).astype(np.float32), True)

    def forget(self):
        pass


def test_corners_seen_from_two_places_are_known_as_well_as_they_say():
    tree, shown = moving(np.linspace(0.0, 0.25, 6))
    moved = MovedReferences(PointmapConfig())
    with pytest.raises(InputError, match='the first image'):
        moved.of(shown[0][0], tree)
    for color, _ in shown[1:]:
        found = moved.of(color, tree)
    error = (found.depth_m - shown[-1][1].ravel()[found.at]) / found.sigma_m
    assert len(found.at) > 100
    assert np.median(found.sigma_m / found.depth_m) < 0.06
    assert np.median(np.abs(error)) < 1.0 and np.mean(np.abs(error) < 3) > 0.9


def test_a_camera_that_stands_is_no_ruler():
    tree, shown = moving([0.0, 0.0, 0.0])
    moved = MovedReferences(PointmapConfig())
    with pytest.raises(InputError):
        moved.of(shown[0][0], tree)
    with pytest.raises(InputError, match=r'moved by 0\.000 m'):
        moved.of(shown[1][0], tree)
    with pytest.raises(InputError, match='no TF above'):
        MovedReferences(PointmapConfig()).of(shown[0][0], TransformTree())


@pytest.mark.parametrize('height', ['', '0.0'])
def test_a_plain_camera_knows_metres_by_motion_or_by_the_floor(height):
    tree, shown = moving(np.linspace(0.0, 0.25, 6))
    config = PointmapConfig(support_height=height)
    oracle = Oracle()
    source = InferringSource(config, oracle)
    for color, depth_m in shown if not height else shown[:1]:
        oracle.depth_m = depth_m
        found = source.range_of(color, None, tree)
    known = np.isfinite(found.depth_m)
    assert known.mean() > 0.9 and not found.measured[known].any()
    ratio = found.depth_m[known] / depth_m[known]
    assert abs(np.median(ratio) - 1) < 0.01 and np.abs(ratio - 1).max() < 0.05
    deviates = np.abs(found.depth_m - depth_m)[known] / found.sigma_m[known]
    assert np.median(deviates) < 2.0


def test_without_any_reference_nothing_is_published_and_what_is_missing_is_said(caplog):
    tree, shown = moving([0.0])
    source = InferringSource(PointmapConfig(), Oracle())
    source.network.depth_m = shown[0][1]
    found = source.range_of(shown[0][0], None, tree)
    assert np.isnan(found.depth_m).all()
    for part in ('no measured range', 'the first image', 'support_height is empty'):
        assert part in caplog.text


def test_the_support_is_refused_where_it_cannot_be_seen():
    tree, shown = moving([0.0])
    color = shown[0][0]
    with pytest.raises(InputError, match='no pixel looks down'):
        support_references(color, tree, PointmapConfig(support_height='2.0'))
    with pytest.raises(ConfigurationError, match='support_height = "table"'):
        support_references(color, tree, PointmapConfig(support_height='table'))
    found = support_references(color, tree, PointmapConfig(support_height='0'))
    depth_m = shown[0][1].ravel()[found.at]
    on_floor = np.isclose(depth_m, found.depth_m, rtol=1e-5)
    assert on_floor.mean() > 0.3 and (depth_m <= found.depth_m + 1e-4).all()
