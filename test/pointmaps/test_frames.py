# SPDX-License-Identifier: Apache-2.0
"""Frames from sensor data and TF: registration by need, the fixed frame, up, what is missing."""

import numpy as np
import pytest
from ray_cast_world import camera, moved, render

from sam3d_ros.core.errors import InputError
from sam3d_ros.core.sensors import MODELS, STRUCTURED_LIGHT, sensor_model
from sam3d_ros.geometry.cameras import pointmap_from_depth
from sam3d_ros.geometry.lenses import pinhole
from sam3d_ros.geometry.transform_tree import ExtrapolationError, TransformTree, UnknownFrameError
from sam3d_ros.geometry.transforms import apply, inverse, transform
from sam3d_ros.pointmaps.config import PointmapConfig
from sam3d_ros.pointmaps.frames import build_frame
from sam3d_ros.pointmaps.inputs import ColorImage, DepthImage, PointCloud
from sam3d_ros.pointmaps.sources.cloud_source import CloudSource
from sam3d_ros.pointmaps.sources.depth_source import DepthSource
from sam3d_ros.world.rendering.sensors import field

NS = 5_000_000_000
CAMERA = camera(160, 120, 130)
RGB = np.random.default_rng(0).integers(0, 255, (120, 160, 3), np.uint8)
COLOR = ColorImage(NS, 'rgb_optical', RGB, pinhole(CAMERA))
R_BODY_OPTICAL = np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]])


def depth_image(pose=None, frame='rgb_optical', stamp=NS, lens=pinhole(CAMERA)):  # noqa: B008
    depth, _ = render(CAMERA, np.eye(4) if pose is None else pose)
    return DepthImage(stamp, frame, depth, lens)


def made(measured, tree, fixed=None, source=None, **options):
    """Return the frame of the colour image and what was measured, by the source of its kind."""
    config = PointmapConfig(**options)
    kinds = {DepthImage: DepthSource, PointCloud: CloudSource}
    source = source or kinds[type(measured)](config)
    return build_frame(COLOR, source.range_of(COLOR, measured, tree), tree, fixed, config)


def test_depth_that_fits_is_taken_as_it_is():
    depth = depth_image()
    for image in (depth, DepthImage(NS, 'rgb_optical', depth.depth_m, None)):
        frame = made(image, TransformTree())
        np.testing.assert_array_equal(frame.depth_m, depth.depth_m)
        assert frame.rgb is RGB and frame.pointmap.dtype == np.float32
        assert (frame.stamp_ns, frame.frame_id, frame.fixed_frame) == (NS, *['rgb_optical'] * 2)
        assert frame.up_cam is None and np.array_equal(frame.T_fixed_cam, np.eye(4))


def test_range_limits_come_from_the_configuration():
    frame = made(depth_image(), TransformTree(), max_depth_m=1.5)
    assert np.nanmax(frame.depth_m) <= 1.5 and np.isnan(frame.pointmap).any()
    assert np.array_equal(np.isnan(frame.pointmap).all(-1), np.isnan(frame.depth_m))


def test_the_frame_says_what_its_errors_look_like():
    tree, points = TransformTree(), pointmap_from_depth(depth_image().depth_m, CAMERA)
    cloud = PointCloud(NS, 'rgb_optical', points)
    assert made(depth_image(), tree).sensor.name == 'structured_light'
    assert made(cloud, tree).sensor.name == 'lidar'
    for measured in (depth_image(), cloud):
        assert made(measured, tree, sensor='d435').sensor == sensor_model('d435')


def test_depth_in_another_frame_is_registered_by_tf():
    tree = TransformTree()
    tree.add('rgb_optical', 'ir_optical', moved(x=-0.05))
    depth = depth_image(moved(x=-0.05), 'ir_optical')
    frame = made(depth, tree)
    truth, _ = render(CAMERA, np.eye(4))
    assert np.nanmedian(np.abs(frame.depth_m - truth)) < 0.001
    assert np.isnan(frame.depth_m).mean() < 0.15


def test_motion_between_the_stamps_is_undone():
    tree = TransformTree()
    earlier = NS - 100_000_000
    tree.add('map', 'rgb_optical', moved(x=-0.05), earlier)
    tree.add('map', 'rgb_optical', moved(), NS)
    tree.add('rgb_optical', 'ir_optical', moved())
    depth = depth_image(moved(x=-0.05), 'ir_optical', earlier)
    frame = made(depth, tree)
    truth, _ = render(CAMERA, np.eye(4))
    assert np.nanmedian(np.abs(frame.depth_m - truth)) < 0.001


def test_depth_of_another_size_is_registered_without_tf():
    small = camera(80, 60, 65, cx=39.5, cy=29.5)
    depth, _ = render(small, np.eye(4))
    frame = made(DepthImage(NS, 'rgb_optical', depth, pinhole(small)), TransformTree())
    truth, _ = render(CAMERA, np.eye(4))
    assert frame.pointmap.shape == (120, 160, 3)
    assert np.nanmedian(np.abs(frame.depth_m - truth)) < 0.001


def test_a_cloud_is_projected_by_tf():
    tree = TransformTree()
    T_rgb_lidar = transform(R_BODY_OPTICAL.T, np.array([0.0, -0.1, 0.0]))
    tree.add('rgb_optical', 'lidar', T_rgb_lidar)
    truth, _ = render(CAMERA, np.eye(4))
    points_lidar = apply(inverse(T_rgb_lidar), pointmap_from_depth(truth, CAMERA)[::3, ::3])
    frame = made(PointCloud(NS, 'lidar', points_lidar), tree)
    known = ~np.isnan(frame.depth_m)
    assert known.mean() > 0.7
    assert np.median(np.abs(frame.depth_m - truth)[known]) < 0.001


def test_the_fixed_frame_is_the_root_of_tf_and_its_z_is_up():
    tree = TransformTree()
    T_map_base = transform(np.eye(3), np.array([3.0, 4.0, 0.0]))
    T_base_cam = transform(R_BODY_OPTICAL, np.array([0.2, 0.0, 1.1]))
    tree.add('map', 'base', T_map_base, NS)
    tree.add('base', 'rgb_optical', T_base_cam)
    frame = made(depth_image(), tree)
    assert frame.fixed_frame == 'map'
    np.testing.assert_allclose(frame.T_fixed_cam, T_map_base @ T_base_cam)
    np.testing.assert_allclose(frame.up_cam, [0, -1, 0], atol=1e-12)
    named = made(depth_image(), tree, fixed_frame='base')
    assert named.fixed_frame == 'base'
    assert made(depth_image(), tree, 'base').fixed_frame == 'base'


def test_grippers_are_where_tf_has_them_at_the_stamp_and_else_left_out():
    tree = TransformTree()
    tree.add('map', 'rgb_optical', transform(np.eye(3), (0, 0, 1)))
    for stamp_ns, x in ((NS - 1_000_000_000, 0.0), (NS + 1_000_000_000, 1.0)):
        tree.add('map', 'tcp', transform(np.eye(3), (x, 0, 0)), stamp_ns)
    tree.add('map', 'late_tcp', np.eye(4), NS - 1)
    frame = made(depth_image(), tree, grippers='tcp, /late_tcp,unheard_of')
    assert list(frame.grippers) == ['tcp']
    np.testing.assert_allclose(frame.grippers['tcp'][:3, 3], (0.5, 0, 0))


def test_a_housing_is_a_fixed_frame_but_tells_nothing_of_gravity():
    tree = TransformTree()
    tree.add('camera_link', 'rgb_optical', transform(R_BODY_OPTICAL, np.array([0, 0.03, 0.01])))
    frame = made(depth_image(), tree)
    assert frame.fixed_frame == 'camera_link' and frame.up_cam is None
    told = made(depth_image(), tree, up='fixed')
    np.testing.assert_allclose(told.up_cam, [0, -1, 0], atol=1e-12)
    tree.add('world', 'camera_link', moved(z=0.4))
    assert made(depth_image(), tree).up_cam is not None
    unknown = made(depth_image(), tree, up='unknown')
    assert unknown.up_cam is None


def test_what_is_missing_is_said():
    tree = TransformTree()
    with pytest.raises(UnknownFrameError, match='"rgb_optical"'):
        made(depth_image(frame='ir_optical'), tree)
    with pytest.raises(InputError, match='no CameraInfo for depth of 160x120 in frame "ir"'):
        made(depth_image(frame='ir', lens=None), tree)
    tree.add('map', 'rgb_optical', moved(), NS - 1)
    with pytest.raises(ExtrapolationError) as early:
        made(depth_image(), tree)
    assert early.value.is_future


def test_depth_without_a_single_return_is_a_frame():
    nothing = DepthImage(NS, 'rgb_optical', np.full((120, 160), np.nan, np.float32), None)
    frame = made(nothing, TransformTree())
    assert np.isnan(frame.pointmap).all()


def noisy_wall(model, seed):
    """Return the image of a wall as a sensor sees it straight on."""
    depth = np.full((120, 160), 0.9, np.float32)
    depth += model.axial_sigma(depth) * field(
        model.grain, depth.shape, np.random.default_rng(seed)
    )
    return DepthImage(NS, 'rgb_optical', depth, None)


def test_frames_carry_what_the_camera_has_measured_of_itself_so_far():
    walls = [noisy_wall(MODELS['d435'], seed) for seed in range(3)]
    source, tree = DepthSource(PointmapConfig()), TransformTree()
    sensors = [made(wall, tree, source=source).sensor for wall in walls]
    assert sensors[-1] == source.noise.model != sensors[0] != STRUCTURED_LIGHT
    assert sensors[-1].axial_sigma(0.9) == pytest.approx(MODELS['d435'].axial_sigma(0.9), rel=0.2)
    assert made(walls[0], tree, measure_noise=False).sensor == STRUCTURED_LIGHT
    named = made(walls[0], tree, sensor='d435', measure_noise=False)
    assert named.sensor == MODELS['d435']


def test_clouds_have_the_errors_of_a_lidar_unless_another_sensor_is_named():
    points = pointmap_from_depth(noisy_wall(MODELS['white'], 0).depth_m, CAMERA)
    cloud = PointCloud(NS, 'rgb_optical', points)
    usual = made(cloud, TransformTree()).sensor
    other = made(cloud, TransformTree(), sensor='tof').sensor
    assert (usual.name, other.name) == ('lidar', 'tof')
    assert usual.floor_m < MODELS['lidar'].floor_m  # a fit of several returns errs less than one
