# SPDX-License-Identifier: Apache-2.0
"""CameraInfo: which matrix counts, binning and regions, and cameras that are not calibrated."""

from types import SimpleNamespace

import numpy as np
import pytest
from rosbags.typesys import Stores, get_typestore

from sam3d_ros.core.errors import InputError
from sam3d_ros.core.types import Camera
from sam3d_ros.geometry.cameras import project, scaled
from sam3d_ros.messages.sensors import cameras

K = [500.0, 0, 321.5, 0, 510.0, 243.25, 0, 0, 1]
P = [450.0, 0, 318.0, -20.0, 0, 455.0, 240.0, 0, 0, 0, 1, 0]
D = [0.1, -0.2, 0.001, 0.002, 0.05]


def info(**changes):
    roi = SimpleNamespace(x_offset=0, y_offset=0, width=0, height=0, do_rectify=False)
    fields = {
        'width': 640,
        'height': 480,
        'distortion_model': 'plumb_bob',
        'd': D,
        'k': K,
        'r': np.eye(3).reshape(-1),
        'p': P,
        'binning_x': 0,
        'binning_y': 0,
        'roi': roi,
    }
    return SimpleNamespace(**fields | changes)


def test_raw_images_use_k_and_d_rectified_ones_p():
    raw = cameras.lens_from(info(), (640, 480), rectified=False)
    assert raw.K[0, 0] == 500 and list(raw.distortion) == D and raw.model == 'plumb_bob'
    assert raw.rectified.fx == 450 and not raw.is_pinhole
    straight = cameras.lens_from(info(), (640, 480), rectified=True)
    assert straight.rectified.cx == 318 and straight.is_pinhole
    assert cameras.camera_from(info()).fy == 455


@pytest.mark.parametrize('k', [[0.0] * 9, [1.0, 0, 0, 0, 1, 0, 0, 0, 1], [float('nan')] * 9])
def test_a_calibration_in_p_only_is_used(k):
    for rectified, d in ((True, D), (True, []), (False, [0.0] * 5)):
        lens = cameras.lens_from(info(k=k, d=d), (640, 480), rectified=rectified)
        assert lens.is_pinhole and np.array_equal(lens.rectified.K[:, 2], [318, 240, 1])


@pytest.mark.parametrize(
    ('model', 'given', 'kept'),
    [
        ('equidistant', [0.1, 0.2, 0, 0, 0], [0.1, 0.2, 0, 0]),
        ('equidistant', [0.1, 0.2], [0.1, 0.2, 0, 0]),
        ('plumb_bob', [0.1, 0.2, 0, 0, 0.3, 0, 0, 0], [0.1, 0.2, 0, 0, 0.3]),
        ('plumb_bob', [0.1] * 6, [0.1] * 6 + [0, 0]),
        ('rational_polynomial', [9.0] * 8 + [0] * 20, [9.0] * 8),
    ],
)
def test_zeros_that_are_too_many_or_missing_do_not_matter(model, given, kept):
    lens = cameras.lens_from(info(distortion_model=model, d=given), (640, 480), rectified=False)
    assert list(lens.distortion) == kept


def test_without_a_size_that_of_the_image_counts():
    nameless = info(width=0, height=0)
    assert not cameras.has_size(nameless) and cameras.has_size(info())
    lens = cameras.lens_from(nameless, (640, 480), rectified=True)
    assert (lens.rectified.width, lens.rectified.height, lens.rectified.fx) == (640, 480, 450)


def test_without_distortion_an_empty_p_means_k():
    plain = info(d=[], distortion_model='', p=[0.0] * 12, r=[0.0] * 9)
    for rectified in (True, False):
        lens = cameras.lens_from(plain, (640, 480), rectified=rectified)
        assert lens.is_pinhole and lens.rectified.fx == 500


def test_binning_and_region_match_a_crop_and_a_resize():
    roi = SimpleNamespace(x_offset=40, y_offset=20, width=400, height=200, do_rectify=True)
    camera = cameras.camera_from(info(roi=roi, binning_x=2, binning_y=2))
    assert (camera.width, camera.height) == (200, 100)
    shifted = np.array(P).reshape(3, 4)[:, :3].copy()
    shifted[:2, 2] -= [40, 20]
    expected = scaled(Camera(400, 200, shifted), 200, 100)
    point = np.array([0.1, 0.05, 1.3])
    np.testing.assert_allclose(project(point, camera), project(point, expected))


def test_encoding_round_trip_through_both_kinds_of_class():
    camera = Camera(320, 200, np.array([[300.0, 0, 161.5], [0, 301, 99], [0, 0, 1]]))
    types = get_typestore(Stores.ROS2_JAZZY).types
    pairs = [
        (types['sensor_msgs/msg/CameraInfo'], types['sensor_msgs/msg/RegionOfInterest'], None)
    ]
    try:
        from sensor_msgs.msg import CameraInfo, RegionOfInterest
        from std_msgs.msg import Header

        pairs.append((CameraInfo, RegionOfInterest, Header()))
    except ImportError:
        pass
    for info_class, roi_class, header in pairs:
        message = cameras.encode_camera(camera, info_class, roi_class, header)
        back = cameras.camera_from(message)
        assert (back.width, back.height) == (320, 200)
        np.testing.assert_array_equal(back.K, camera.K)


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        ({'k': [0.0] * 9, 'p': [0.0] * 12}, r'K\[0\] = 0; wanted a calibrated camera'),
        ({'k': [0.0] * 9}, 'and a distortion D.*pointmaps.rectified'),
        ({'distortion_model': 'equidistant'}, '5 coefficients.*at most 4 that are not zero'),
        ({'k': [float('nan')] * 9}, 'nan'),
        ({'k': [1.0]}, '1 numbers in k'),
        ({'width': 1280}, '640x480 with a CameraInfo for 1280x480'),
        ({'binning_x': 2}, 'for 320x480'),
        ({'distortion_model': 'magic'}, 'distortion model "magic"'),
    ],
)
def test_a_camera_that_cannot_be_used_says_why(change, words):
    with pytest.raises(InputError, match=words):
        cameras.lens_from(info(**change), (640, 480), rectified=False)


def test_a_rectified_image_needs_p_when_there_is_distortion():
    with pytest.raises(InputError, match='empty P'):
        cameras.lens_from(info(p=[0.0] * 12), (640, 480), rectified=True)
