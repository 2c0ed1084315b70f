# SPDX-License-Identifier: Apache-2.0
"""The truth of colours is what frames show; the score of a picture is that of its pixels."""

import numpy as np
import pytest

pytest.importorskip('mujoco', reason='the world needs the extra: bench')

from sam3d_ros.bench.shapes.novel_view import _score
from sam3d_ros.bench.shapes.texture import true_look
from sam3d_ros.geometry.transforms import apply, inverse
from sam3d_ros.world.samples import samples
from sam3d_ros.world.suites import make_episode


def test_true_colours_are_those_of_the_pixels_that_show_them():
    episode = make_episode('single', 0, frames=1, looks='plain')
    drawn = tuple(samples(episode))
    truth = true_look(episode, drawn, 0)
    assert 0.1 < truth.seen.mean() < 0.9
    frame = drawn[0].frame()
    pixels = apply(inverse(frame.T_fixed_cam), truth.points[truth.seen]) @ frame.camera.K.T
    columns, rows = np.rint(pixels[:, :2] / pixels[:, 2:]).astype(int).T
    off = np.abs(frame.rgb[rows, columns] - truth.colors[truth.seen]).mean(axis=1)
    assert np.median(off) < 6


def test_pictures_are_scored_within_the_mask():
    photo = np.full((4, 4, 3), 0.5, np.float32)
    drawn = photo + np.float32(0.1)
    drawn[0] = 1.0
    mask = np.ones((4, 4), bool)
    mask[0] = False
    opacity = np.ones((4, 4), np.float32)
    opacity[1] = 0.2
    psnr, off, covered = _score(drawn, opacity, photo, mask)
    assert psnr == pytest.approx(20.0, abs=1e-3)
    assert off == pytest.approx(25.5, abs=1e-3)
    assert covered == pytest.approx(2 / 3)
