# SPDX-License-Identifier: Apache-2.0
"""The picture shows the image with its masks and the scene where it is."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from made_up_scenes import scene, scene_object

from sam3d_ros.core.types import (
    Camera,
    Frame,
    Instance,
    Instances,
    Mesh,
    Track,
    Tracks,
    TrackState,
)
from sam3d_ros.geometry.cameras import project
from sam3d_ros.geometry.transforms import apply, inverse
from sam3d_ros.messages.results.colors import id_color
from sam3d_ros.viewer.snapshot import BACKGROUND, RayCaster, side_view, snapshot, write_snapshot

pytest.importorskip('open3d')

CAMERA = Camera(160, 120, np.array([[140.0, 0, 79.5], [0, 140.0, 59.5], [0, 0, 1]]))
UP = np.array([0.0, -1.0, 0.0])


def frame(pointmap=None) -> Frame:
    if pointmap is None:
        pointmap = np.full((120, 160, 3), np.nan, np.float32)
    rgb = np.full((120, 160, 3), 100, np.uint8)
    return Frame(0, 'optical', CAMERA, rgb, pointmap, 'optical', np.eye(4))


def square(z_m, half_m=0.1, color=(250, 0, 0)) -> Mesh:
    """Return a square that faces the camera at ``z_m`` before it."""
    corners = half_m * np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]], np.float32)
    corners[:, 2] = z_m
    faces = np.array([[0, 2, 1], [0, 3, 2]], np.int32)
    colors = np.array([color] * 4, np.uint8)
    return Mesh(corners, faces, colors, np.zeros(2, np.uint8), np.ones(2, np.float32))


def placed(number, mesh, T=None):
    item = scene_object(number, mesh=mesh)
    return replace(item, T_fixed_obj=np.eye(4) if T is None else T)


def test_depth_and_colour_of_what_a_ray_hits():
    value = scene(placed(1, square(1.0)), placed(2, square(2.0, 0.6, (0, 0, 250))))
    image, depth_m = RayCaster(value).render(CAMERA, np.eye(4))
    assert depth_m[59, 79] == pytest.approx(1.0)
    assert depth_m[59, 110] == pytest.approx(2.0)
    assert image[59, 79, 0] > 200 and image[59, 79, 2] == 0
    assert image[59, 110, 2] > 200 and image[59, 110, 0] == 0
    # 0.1 m at 1 m is 14 px.
    assert depth_m[59, 92] == pytest.approx(1.0) and depth_m[59, 95] == pytest.approx(2.0)


def test_nothing_to_see():
    image, depth_m = RayCaster(scene()).render(CAMERA, np.eye(4))
    assert (image == BACKGROUND).all() and np.isinf(depth_m).all()


def test_a_moved_object_is_seen_where_it_is():
    T = np.eye(4)
    T[:3, 3] = [0.3, 0.0, 0.5]
    _, depth_m = RayCaster(scene(placed(1, square(1.0), T))).render(CAMERA, np.eye(4))
    v, u = np.nonzero(np.isfinite(depth_m))
    assert depth_m[v, u].min() == pytest.approx(1.5)
    assert u.mean() == pytest.approx(79.5 + 140 * 0.3 / 1.5, abs=1)


def test_the_side_view_has_every_object_in_the_image():
    value = scene(*(scene_object(number) for number in range(1, 6)))
    T_fixed_view = side_view(frame(), value, UP)
    assert np.allclose(T_fixed_view[:3, :3] @ T_fixed_view[:3, :3].T, np.eye(3))
    assert np.linalg.det(T_fixed_view[:3, :3]) == pytest.approx(1)
    for item in value.objects:
        vertices = apply(item.T_fixed_obj, item.mesh.vertices_m.astype(float))
        pixels = project(apply(inverse(T_fixed_view), vertices), CAMERA)
        assert (pixels >= 0).all() and (pixels < [160, 120]).all()
    assert T_fixed_view[:3, 1] @ UP < 0, 'the image stands upright'


def test_three_panels_masks_and_surroundings(tmp_path):
    mask = np.zeros((120, 160), bool)
    mask[40:80, 60:100] = True
    item = Instance(mask, 1.0, (60, 40, 100, 80), 'geometric:all')
    seen = Tracks(0, Instances(0, (item,)), (Track(7, TrackState.CONFIRMED, 3, 0, 0, 0, 0),))
    pointmap = np.full((120, 160, 3), np.nan, np.float32)
    pointmap[10, 10] = [-0.5, -0.3, 1.0]
    image = snapshot(frame(pointmap), seen, scene(placed(7, square(1.0))))
    assert image.shape == (480, 1920, 3) and image.dtype == np.uint8
    assert np.allclose(image[200, 300], 0.55 * 100 + 0.45 * 255 * id_color(7), atol=2)
    assert (image[400, 100] == 100).all()
    # (-0.5, -0.3, 1) lands at (9.5, 17.5) of 160x120, 4 times that of the panel.
    assert (image[66:78, 640 + 34 : 640 + 46] != BACKGROUND).any()
    write_snapshot(tmp_path / 's.png', frame(), seen, scene())
    assert cv2.imread(str(tmp_path / 's.png')).shape == (480, 1920, 3)
