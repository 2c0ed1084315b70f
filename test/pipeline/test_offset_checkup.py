# SPDX-License-Identifier: Apache-2.0
"""Where cameras are to each other: TF's errors are measured on what both see."""

from dataclasses import replace

import numpy as np
import pytest
from made_up_recordings import BOXES, frames, messages, of_camera, write
from scipy.spatial.transform import Rotation

from sam3d_ros.cli.main import main
from sam3d_ros.geometry.transforms import transform
from sam3d_ros.pipeline.offset_checkup import offset_between

FRONT, SIDE, BEHIND = (0.5, -0.6, 0.6), (0.75, -0.25, 0.6), (-0.5, 0.7, 0.6)
SIZE = (320, 240)
SPREAD = 0.002


def wrong(degrees, shift_mm):
    """Return an error of TF: a turn about the origin of the world, and a shift."""
    turn = Rotation.from_euler('xyz', degrees, degrees=True).as_matrix()
    return transform(turn, np.array(shift_mm) * 1e-3)


def misplaced(frame, T):
    return replace(frame, T_fixed_cam=T @ frame.T_fixed_cam)


@pytest.fixture
def look(boxes_world):
    """Return a function that draws what a camera sees, with 2 mm of noise at 1 m."""

    def draw(eye, boxes=BOXES, target=(0.05, 0.0, 0.0), seed=0):
        frame, _ = boxes_world(eye, boxes, size=SIZE, target=target)
        rng = np.random.default_rng(seed)
        noise = 1 + SPREAD * rng.standard_normal(frame.depth_m.shape)[..., None]
        return replace(frame, pointmap=(frame.pointmap * noise).astype(np.float32))

    return draw


@pytest.mark.parametrize(
    ('degrees', 'shift_mm'),
    [
        ((0, 0, 0), (0, 0, 0)),
        ((0, 0, 0), (12, -8, 6)),
        ((1.0, -0.5, 2.0), (-10, 15, 5)),
        ((0, 0, 0), (15, 10, -10)),
    ],
)
def test_a_known_error_is_measured(look, degrees, shift_mm):
    error = wrong(degrees, shift_mm)
    found = offset_between(look(FRONT), misplaced(look(SIDE, seed=1), error))
    rest = found.T @ error
    at_middle = rest[:3, :3] @ found.middle + rest[:3, 3] - found.middle
    assert found.told == 6
    assert np.linalg.norm(at_middle) < 0.001
    assert np.degrees(Rotation.from_matrix(rest[:3, :3]).magnitude()) < 0.15


def test_a_floor_tells_three_directions(look):
    error = wrong((0, 0, 0), (20, 0, 8))
    found = offset_between(look(FRONT, ()), misplaced(look(BEHIND, (), seed=1), error))
    assert found.told == 3 and found.shift_m == pytest.approx(0.008, abs=0.0005)


@pytest.mark.parametrize(('eye', 'told'), [((0.7, 0.5, 0.6), 5), (BEHIND, 3)])
def test_what_only_one_camera_sees_is_not_taken_for_an_error(look, eye, told):
    found = offset_between(look(FRONT), look(eye, seed=1))
    assert found.told == told
    assert found.shift_m < 0.001 and np.degrees(found.turn_rad) < 0.2


def test_nothing_in_common(look):
    away = (4.0, 0.0, 0.7), (), (6.0, 0.0, 0.0)
    assert offset_between(look(FRONT), look(*away)) is None


@pytest.mark.parametrize(
    ('shift_mm', 'words'),
    [
        ((0, 0, 0), 'ok    offset: left and right: surfaces that both see are 0.'),
        ((12, -8, 6), 'warn  offset: left and right: surfaces that both see are 15.'),
        ((0, 0, 2000), 'warn  offset: left and right see nothing in common'),
    ],
)
def test_the_doctor_tells(boxes_world, tmp_path, capsys, shift_mm, words):
    error = wrong((0, 0, 0), shift_mm)
    left = messages(frames(boxes_world, 1, SIZE, [FRONT]), '32FC1')
    seen = [misplaced(frame, error) for frame in frames(boxes_world, 1, SIZE, [SIDE])]
    right = of_camera(messages(seen, '32FC1'), 'right')
    path = write(tmp_path / 'rig', [*left[:1], *of_camera(left, 'left'), *right])
    assert main(['doctor', str(path), '--camera', 'left', '--camera', 'right']) == 0
    assert words in capsys.readouterr().out
