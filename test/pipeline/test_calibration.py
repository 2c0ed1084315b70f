# SPDX-License-Identifier: Apache-2.0
"""Mounts that are wrong in TF are found again from what sensors both see."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import yaml
from made_up_recordings import (
    BOXES,
    START_NS,
    TYPES,
    Message,
    frames,
    messages,
    of_camera,
    write,
)
from scipy.spatial.transform import Rotation

from sam3d_ros.cli.main import main
from sam3d_ros.core.errors import InputError, TransformError
from sam3d_ros.core.types import Camera
from sam3d_ros.geometry.cameras import rays
from sam3d_ros.geometry.registration import Offset
from sam3d_ros.geometry.transform_tree import TransformTree
from sam3d_ros.geometry.transforms import apply, inverse, rotation_angle, transform
from sam3d_ros.messages.headers import header_message
from sam3d_ros.messages.sensors.clouds import encode_pointmap
from sam3d_ros.messages.transforms import StampedTransform, transforms_message
from sam3d_ros.messages.typestore import typestore
from sam3d_ros.pipeline.calibration.mounting import corrected
from sam3d_ros.pipeline.calibration.refining import SweepView, refine_camera, refine_lidar

FRONT, SIDE, BEHIND = (0.5, -0.6, 0.6), (0.75, -0.25, 0.6), (-0.5, 0.7, 0.6)
SIZE = (320, 240)
SPREAD = 0.002


def wrong(shift_mm, degrees, seed=0):
    """Return a motion of that size, in some direction."""
    rng = np.random.default_rng(seed)
    axis, way = (v / np.linalg.norm(v) for v in rng.normal(size=(2, 3)))
    turn = Rotation.from_rotvec(np.radians(degrees) * axis).as_matrix()
    return transform(turn, 1e-3 * shift_mm * way)


def left(T, T_found):
    """Return what a correction leaves of a wrong mount, mm and degrees."""
    rest = T @ T_found
    return 1e3 * np.linalg.norm(rest[:3, 3]), np.degrees(rotation_angle(rest))


@pytest.fixture
def rig(boxes_world):
    """Return a function that draws what two cameras of a rig see, with noise, as it moves."""

    def draw(boxes, error, times=3, eyes=(FRONT, SIDE)):
        pairs = []
        for k in range(times):
            eyes = [(x - 0.1 * k, y + 0.05 * k, z + 0.05 * k) for x, y, z in eyes]
            seen = []
            for which, eye in enumerate(eyes):
                frame, _ = boxes_world(eye, boxes, size=SIZE, target=(0.05, 0.0, 0.0))
                rng = np.random.default_rng([k, which])
                noise = 1 + SPREAD * rng.standard_normal(frame.depth_m.shape)[..., None]
                points = (frame.pointmap * noise).astype(np.float32)
                seen.append(replace(frame, pointmap=points))
            one, other = seen
            pairs.append((one, replace(other, T_fixed_cam=other.T_fixed_cam @ error)))
        return pairs

    return draw


@pytest.mark.parametrize('seed', [0, 3])
def test_a_camera_is_put_back(rig, seed):
    error = wrong(20, 1.5, seed)
    found = refine_camera(rig(BOXES, error))
    assert found.told == 6
    mm, degrees = left(error, found.T)
    assert mm < 3 and degrees < 0.2
    assert found.spread_m[0] < 0.5 * found.spread_before_m[0]


def test_errors_that_all_of_a_view_shares_are_told(rig):
    """Ranges of every view are off as a whole: no scatter within one says so."""
    error = wrong(10, 0.8)
    off = [
        (one, replace(other, pointmap=(other.pointmap * share).astype(np.float32)))
        for (one, other), share in zip(rig(BOXES, error, times=2), (1.01, 1.0), strict=True)
    ]
    found = refine_camera(off)
    rest = inverse(error @ found.T)
    turn = Rotation.from_matrix(rest[:3, :3]).as_rotvec()
    twist = np.concatenate([apply(rest, found.middle) - found.middle, turn])
    told = np.linalg.pinv(found.covariance, 1e-6, hermitian=True)
    assert twist @ told @ twist < 4 * found.told


def test_a_floor_alone_tells_three_directions_and_the_rest_stays(rig):
    pairs = rig((), wrong(10, 0.5), times=1, eyes=(FRONT, BEHIND))
    found = refine_camera(pairs)
    assert found.told == 3 and found.untold.shape == (3, 6)
    # What was not told has not moved: along the floor, and about its normal.
    up = pairs[0][1].T_fixed_cam[2, :3]
    moved = found.middle - apply(inverse(found.T), found.middle[None])[0]
    assert np.linalg.norm(np.cross(up, moved)) < 1e-3
    assert abs(Rotation.from_matrix(found.T[:3, :3]).as_rotvec() @ up) < 1e-3


def test_nothing_in_common_refines_nothing(boxes_world):
    one, _ = boxes_world(FRONT, BOXES, size=SIZE, target=(0.05, 0.0, 0.0))
    other, _ = boxes_world((4.0, 0.0, 0.7), (), size=SIZE, target=(6.0, 0.0, 0.0))
    with pytest.raises(InputError, match='too little in common'):
        refine_camera([(one, other)])


BACK_M = 3.5
CAMERA = Camera(640, 480, np.array([[520.0, 0, 319.5], [0, 520.0, 239.5], [0, 0, 1]]))
T_CAM_LIDAR = transform(
    np.array([[0.0, -1, 0], [0, 0, -1], [1, 0, 0]]), np.array([0.05, -0.1, 0.02])
)
BOARDS = [
    (-0.45, -0.1, 1.4, 0.35, 0.5, 20.0),
    (0.45, 0.2, 1.8, 0.5, 0.6, -30.0),
    (0.1, -0.35, 2.1, 0.7, 0.35, 40.0),
]
"""Boards before a corner of walls: middle x, y, range, width, height, metres, and turn, deg."""


def hit(directions, origin, shift):
    """Return (N,) how far along its direction each ray goes, and the number of what it hits."""
    x, y, z = directions.T
    with np.errstate(divide='ignore', invalid='ignore'):
        # A corner of two walls behind, and a floor.
        faces = [
            np.where(z > 0, (BACK_M - origin[2] - 0.4 * origin[0]) / (z + 0.4 * x), np.inf),
            np.where(z > 0, (BACK_M - origin[2] + 0.5 * origin[0]) / (z - 0.5 * x), np.inf),
            np.where(y > 0, (0.8 - origin[1]) / y, np.inf),
        ]
        for column, row, range_m, width, height, degrees in BOARDS:
            t = (range_m - origin[2] - shift[2]) / z
            aside, down = origin[0] + t * x - shift[0], origin[1] + t * y - shift[1]
            c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
            aside, down = aside - column, down - row
            on = np.abs(c * aside + s * down) < width / 2
            on &= (np.abs(c * down - s * aside) < height / 2) & (t > 0)
            faces.append(np.where(on, t, np.inf))
    faces = np.stack([np.where(face > 0.05, face, np.inf) for face in faces])
    return faces.min(axis=0), faces.argmin(axis=0)


def sweeps(error, times=4, sigma_m=0.01):
    """Return views of a camera and a LiDAR, whose mount in TF is wrong, boards moving by."""
    elevation, azimuth = np.meshgrid(
        np.radians(np.linspace(-22, 22, 64)), np.radians(np.arange(-40, 40, 0.18)), indexing='ij'
    )
    way = np.stack(
        [np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth),
         np.sin(elevation)], axis=-1,
    ).reshape(-1, 3)  # fmt: skip
    shades = np.array([90, 110, 70, 200, 30, 160], np.uint8)
    views = []
    for k in range(times):
        rng = np.random.default_rng(k)
        shift = rng.uniform(-0.2, 0.2, 3)
        _, which = hit(rays(CAMERA).reshape(-1, 3).astype(np.float64), np.zeros(3), shift)
        gray = shades[which].reshape(480, 640).astype(np.float32) + rng.normal(0, 2, (480, 640))
        rgb = cv2.cvtColor(np.clip(gray, 0, 255).astype(np.uint8), cv2.COLOR_GRAY2RGB)
        ranges, _ = hit(way @ T_CAM_LIDAR[:3, :3].T, T_CAM_LIDAR[:3, 3], shift)
        points = way * (ranges + sigma_m * rng.standard_normal(len(ranges)))[:, None]
        T_said = T_CAM_LIDAR @ error
        points_cam = apply(T_said, points[np.isfinite(ranges)]).astype(np.float32)
        views.append(SweepView(rgb, CAMERA, points_cam, T_said))
    return views


def test_a_lidar_is_put_back_by_edges_alone():
    error = wrong(20, 1.5)
    found = refine_lidar(sweeps(error))
    assert found.told == 6
    mm, degrees = left(error, found.T)
    assert mm < 3 and degrees < 0.15
    assert mm < 4e3 * np.sqrt(np.trace(found.covariance[:3, :3]))


def tree_of(*edges, moving=()):
    tree = TransformTree()
    for parent, child, T in edges:
        tree.add(parent, child, T)
    for parent, child, poses in moving:
        for stamp_ns, T in enumerate(poses):
            tree.add(parent, child, T, stamp_ns)
    return tree


def told(T, untold=()):
    """Return an offset that is known well."""
    rows = np.array(untold, float).reshape(-1, 6)
    covariance, middle = 1e-6 * np.eye(6), np.array([0.0, 0.0, 1.0])
    return Offset(T, middle, 6 - len(rows), rows, 0.5, covariance, 1.0, (0.0,), (0.0,))


A, B, C = (wrong(300, 40, seed) for seed in range(3))


def test_the_topmost_static_edge_of_the_sensor_is_corrected():
    path = [np.eye(4), A]
    tree = tree_of(
        ('base', 'camera', A), ('camera', 'optical', B), ('base', 'lidar_link', C),
        ('lidar_link', 'lidar', A), moving=[('odom', 'base', path)],
    )  # fmt: skip
    error = wrong(20, 1.5)
    mount = corrected(tree, 'optical', 'lidar', told(error))
    assert (mount.parent, mount.child) == ('base', 'lidar_link')
    # As it then is in TF, what was found is nothing more.
    tree.add('base', 'lidar_link', mount.T)
    before = inverse(A @ B) @ C @ A
    np.testing.assert_allclose(tree.lookup('optical', 'lidar'), before @ error, atol=1e-12)


def test_where_the_sensor_is_above_the_camera_the_cameras_mount_is_corrected():
    tree = tree_of(('lidar', 'camera', A), ('camera', 'optical', B))
    error = wrong(20, 1.5)
    mount = corrected(tree, 'optical', 'lidar', told(error))
    assert (mount.parent, mount.child) == ('lidar', 'camera')
    expected = inverse(A @ B) @ error
    np.testing.assert_allclose(inverse(mount.T @ B), expected, atol=1e-12)


def test_the_covariance_is_about_the_child_and_wide_where_nothing_tells():
    tree = tree_of(('base', 'optical', np.eye(4)), ('base', 'lidar', A))
    known = corrected(tree, 'optical', 'lidar', told(np.eye(4)))
    assert np.linalg.eigvalsh(known.covariance).min() > 0
    # A metre from the middle, turns move the child: rotation itself is as well known as before.
    np.testing.assert_allclose(np.diag(known.covariance)[3:], 1e-6, atol=1e-12)
    assert np.trace(known.covariance[:3, :3]) > 3e-6
    open_ = corrected(tree, 'optical', 'lidar', told(np.eye(4), [[1, 0, 0, 0, 0, 0]]))
    along = A[:3, 0]
    assert along @ open_.covariance[:3, :3] @ along > 0.5


def test_what_moves_is_no_mount():
    tree = tree_of(moving=[('base', 'optical', [np.eye(4), A]), ('base', 'lidar', [A, B])])
    with pytest.raises(TransformError, match='no static transform'):
        corrected(tree, 'optical', 'lidar', told(np.eye(4)))


def test_the_command_writes_what_ros_takes(boxes_world, tmp_path, capsys):
    error = wrong(20, 1.5)
    first = messages(frames(boxes_world, 1, SIZE, [FRONT]), '32FC1')
    (seen,) = frames(boxes_world, 1, SIZE, [SIDE])
    said = replace(seen, T_fixed_cam=seen.T_fixed_cam @ error)
    right = of_camera(messages([said], '32FC1'), 'right')
    path = write(tmp_path / 'rig', [*first[:1], *of_camera(first, 'left'), *right])
    out = tmp_path / 'rig.yaml'
    command = ['calibrate', str(path), '--camera', 'left', '--camera', 'right', '--out', str(out)]
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert 'right: right_optical in base moves by' in printed
    assert 'static_transform_publisher --x' in printed and '<origin xyz="' in printed
    (written,) = yaml.safe_load(out.read_text())['transforms']
    R = Rotation.from_quat(written['rotation']).as_matrix()
    T_base = transform(np.eye(3), np.array([0, 0, 0.5]))
    rest = inverse(seen.T_fixed_cam) @ T_base @ transform(R, np.array(written['translation']))
    assert np.linalg.norm(rest[:3, 3]) < 0.003 and np.degrees(rotation_angle(rest)) < 0.2
    assert len(written['covariance']) == 36


def test_the_command_refines_a_lidar_beside_a_depth_camera(boxes_world, tmp_path, capsys):
    error = wrong(15, 1.0)
    camera = messages(frames(boxes_world, 1, SIZE, [FRONT]), '32FC1')
    (seen,) = frames(boxes_world, 1, SIZE, [SIDE])
    T_base_lidar = transform(np.eye(3), np.array([0, 0, -0.5])) @ seen.T_fixed_cam
    mount = StampedTransform(START_NS, 'base', 'lidar', T_base_lidar @ error)
    types = typestore().types
    cloud = encode_pointmap(
        seen.pointmap,
        seen.rgb,
        types['sensor_msgs/msg/PointCloud2'],
        types['sensor_msgs/msg/PointField'],
        header_message(TYPES, START_NS, 'lidar'),
    )
    static = transforms_message(TYPES, [mount])
    more = [
        Message('/tf_static', 'tf2_msgs/msg/TFMessage', START_NS, static),
        Message('/lidar/points', 'sensor_msgs/msg/PointCloud2', START_NS, cloud),
    ]
    # Of this one TF says nothing: it takes none of the others with it.
    cloud = replace(cloud, header=header_message(TYPES, START_NS, 'nowhere'))
    more.append(Message('/a/map', 'sensor_msgs/msg/PointCloud2', START_NS, cloud))
    path, out = write(tmp_path / 'rig', [*camera, *more]), tmp_path / 'rig.yaml'
    assert main(['calibrate', str(path), '--out', str(out)]) == 0
    printed, said = capsys.readouterr()
    assert '/lidar/points: lidar in base moves by' in printed
    assert '/a/map: not refined' in printed and '/a/map: ' in said and '"nowhere"' in said
    (written,) = yaml.safe_load(out.read_text())['transforms']
    R = Rotation.from_quat(written['rotation']).as_matrix()
    rest = inverse(T_base_lidar) @ transform(R, np.array(written['translation']))
    assert np.linalg.norm(rest[:3, 3]) < 0.004 and np.degrees(rotation_angle(rest)) < 0.3


def test_one_sensor_is_refused_and_so_are_images_for_a_lidar(boxes_world, tmp_path, capsys):
    items = messages(frames(boxes_world, 1, SIZE), '32FC1')
    path = write(tmp_path / 'one', items)
    assert main(['calibrate', str(path)]) == 2
    assert 'two sensors' in capsys.readouterr().err
    assert main(['calibrate', str(path), '--frames', '0']) == 2
    assert 'wanted 1 or more' in capsys.readouterr().err
    for topic in {item.topic for item in items if item.type == 'sensor_msgs/msg/Image'}:
        assert main(['calibrate', str(path), '--lidar', topic]) == 1
        assert f'no points but images on {topic}' in capsys.readouterr().err
