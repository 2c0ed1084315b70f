# SPDX-License-Identifier: Apache-2.0
"""White noise falls as 1/k, shared errors do not; planes are found among other things."""

import cv2
import numpy as np
import pytest

from sam3d_ros.geometry.noise_spectrum import WINDOWS_PX, noise_spectrum

HEIGHT, WIDTH = 480, 640
K = np.array([[600.0, 0, 320], [0, 600, 240], [0, 0, 1]])
NORMAL, OFFSET = np.array([0.1, -0.6, -0.7937]), 0.6


def plane(normal=NORMAL, offset=OFFSET, shape=(HEIGHT, WIDTH)):
    """Return (H, W) z of the plane normal @ p + offset = 0, and the slope dz of its distance."""
    v, u = np.mgrid[: shape[0], : shape[1]]
    slope = normal[0] * (u - K[0, 2]) / K[0, 0] + normal[1] * (v - K[1, 2]) / K[1, 1] + normal[2]
    return -offset / slope, -slope


def with_errors(errors_m):
    """Return a plane whose returns are off by so much, at a right angle to it."""
    z, slope = plane()
    return (z + errors_m / slope).astype(np.float32)


def white(sigma_m=0.002, seed=0):
    return np.random.default_rng(seed).normal(0, sigma_m, (HEIGHT, WIDTH))


def spreads_mm(depth_m):
    return np.array([1e3 * spread for spread in noise_spectrum(depth_m, K).spreads_m])


def test_white_noise_falls_as_one_over_the_window():
    windows = np.array(WINDOWS_PX)
    np.testing.assert_allclose(spreads_mm(with_errors(white())) * windows, 2.0, rtol=0.12)


def test_errors_that_neighbours_share_hardly_fall_up_to_their_grain():
    blurred = cv2.GaussianBlur(white(), (0, 0), 6.0)
    spreads = spreads_mm(with_errors(blurred * 0.002 / blurred.std()))
    assert spreads[0] == pytest.approx(2.0, rel=0.1)
    assert spreads[3] > 0.85 * spreads[0]  # 9 px
    assert spreads[-1] < 0.5 * spreads[0]  # 41 px


def test_slow_bending_is_no_noise():
    bent = 0.003 * np.cos(2 * np.pi * np.arange(HEIGHT)[:, None] / (2 * HEIGHT))
    np.testing.assert_allclose(
        spreads_mm(with_errors(white() + bent))[:4], spreads_mm(with_errors(white()))[:4], rtol=0.1
    )


def test_plane_is_the_one_in_view_and_faces_the_camera():
    found = noise_spectrum(with_errors(white(0.001)), K)
    np.testing.assert_allclose(found.normal, NORMAL / np.linalg.norm(NORMAL), atol=2e-3)
    assert found.offset_m == pytest.approx(OFFSET, abs=2e-3)
    z, _ = plane()
    inside = (z > 0.3) & (z < 1.6)
    assert found.pixels == pytest.approx(inside.sum(), rel=0.01)
    assert found.range_m == pytest.approx(np.median(z[inside]), abs=2e-3)
    rows, columns = np.nonzero(inside)
    assert found.center_px == pytest.approx((columns.mean(), rows.mean()), abs=2)


def test_things_on_the_plane_and_holes_in_it_are_left_out():
    depth_m = with_errors(white())
    depth_m[100:200, 100:200] -= 0.1
    depth_m[300:320, :] = np.nan
    depth_m[330:340, :] = 0
    found = noise_spectrum(depth_m, K)
    assert found.pixels < np.isfinite(depth_m).sum() - 100 * 100
    np.testing.assert_allclose(
        1e3 * np.array(found.spreads_m), spreads_mm(with_errors(white())), rtol=0.1
    )


def test_windows_that_do_not_fit_say_nothing():
    depth_m = with_errors(white())
    depth_m[:, (np.arange(WIDTH) + 4) % 20 >= 12] = np.nan  # stripes of 12 columns
    depth_m[:, :12] = np.nan
    spreads = noise_spectrum(depth_m, K).spreads_m
    assert [spread is None for spread in spreads] == [False] * 4 + [True] * 3


def test_no_plane_no_spectrum():
    assert noise_spectrum(np.full((HEIGHT, WIDTH), np.nan, np.float32), K) is None
    assert noise_spectrum(np.full((HEIGHT, WIDTH), 3.0, np.float32), K) is None
    few = np.full((HEIGHT, WIDTH), np.nan, np.float32)
    few[:20, :20] = 1.0
    assert noise_spectrum(few, K) is None


def test_the_same_frame_gives_the_same_figures():
    depth_m = with_errors(white())
    assert noise_spectrum(depth_m, K).spreads_m == noise_spectrum(depth_m, K).spreads_m
