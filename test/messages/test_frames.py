# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

import numpy as np
import pytest

from sam3d_ros.core.sensors import MODELS
from sam3d_ros.core.types import Camera, Frame
from sam3d_ros.geometry.cameras import project
from sam3d_ros.messages.frames import decode_frame, encode_frame, every


def make_frame(up_cam: np.ndarray | None) -> Frame:
    rng = np.random.default_rng(0)
    camera = Camera(7, 5, np.array([[50.0, 0, 3.1], [0, 51.0, 2.2], [0, 0, 1]]))
    pointmap = rng.normal(size=(5, 7, 3)).astype(np.float32)
    pointmap[1, 2] = np.nan
    rgb = rng.integers(0, 256, (5, 7, 3), dtype=np.uint8)
    T_fixed_cam = np.eye(4)
    T_fixed_cam[:3, 3] = rng.normal(size=3)
    stamp_ns = 1_700_000_000_123_456_789
    return Frame(stamp_ns, 'optical', camera, rgb, pointmap, 'world', T_fixed_cam, up_cam)


@pytest.mark.parametrize('up_cam', [None, np.array([0.0, -0.6, -0.8])])
def test_a_frame_survives_the_wire_to_the_last_bit(up_cam: np.ndarray | None) -> None:
    sent = make_frame(up_cam)
    got = decode_frame(encode_frame(sent))
    assert (got.stamp_ns, got.frame_id, got.fixed_frame) == (sent.stamp_ns, 'optical', 'world')
    assert (got.camera.width, got.camera.height) == (7, 5)
    np.testing.assert_array_equal(got.camera.K, sent.camera.K)
    np.testing.assert_array_equal(got.rgb, sent.rgb)
    np.testing.assert_array_equal(got.pointmap, sent.pointmap)
    np.testing.assert_array_equal(got.T_fixed_cam, sent.T_fixed_cam)
    if up_cam is None:
        assert got.up_cam is None
    else:
        np.testing.assert_array_equal(got.up_cam, up_cam)


def test_grippers_survive_the_wire() -> None:
    places = {'left_tcp': np.diag([1.0, 2, 3, 1]), 'right_tcp': np.arange(16.0).reshape(4, 4)}
    got = decode_frame(encode_frame(replace(make_frame(None), grippers=places)))
    assert list(got.grippers) == list(places)
    for name, T in places.items():
        np.testing.assert_array_equal(got.grippers[name], T)
    assert not decode_frame(encode_frame(make_frame(None))).grippers


@pytest.mark.parametrize('name', MODELS)
def test_the_sensor_survives_the_wire(name: str) -> None:
    model = MODELS[name]
    for sensor in (model, model.measured(1.0 / 3.0, ((0.0, 0.1), (3.0, 0.9)))):
        sent = replace(make_frame(None), sensor=sensor)
        assert decode_frame(encode_frame(sent)).sensor == sensor


def test_errors_of_single_ranges_survive_the_wire() -> None:
    sigma_m = np.linspace(0.001, 0.1, 35, dtype=np.float32).reshape(5, 7)
    sent = replace(make_frame(None), range_sigma_m=sigma_m)
    got = decode_frame(encode_frame(sent))
    assert np.array_equal(got.sigma_m, sigma_m)
    assert np.array_equal(every(got, 2).sigma_m, sigma_m[::2, ::2])
    assert decode_frame(encode_frame(make_frame(None))).range_sigma_m is None


def test_every_second_pixel_lies_where_it_lay() -> None:
    frame = make_frame(None)
    small = decode_frame(encode_frame(every(frame, 2)))
    assert np.array_equal(small.rgb, frame.rgb[::2, ::2])
    assert np.array_equal(small.pointmap, frame.pointmap[::2, ::2], equal_nan=True)
    assert (small.camera.width, small.camera.height) == (4, 3)
    point = np.array([0.1, 0.05, 1.0])
    assert np.allclose(2 * project(point, small.camera), project(point, frame.camera))
    assert every(frame, 1) is frame
