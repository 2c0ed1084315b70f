# SPDX-License-Identifier: Apache-2.0
"""What is dropped comes to rest on what is below, the same way every time."""

import numpy as np
import pytest
from worlds import at, block

from sam3d_ros.geometry.transforms import apply, rotation_angle
from sam3d_ros.world.setting.physics import drop
from sam3d_ros.world.setting.placing import Body


def test_two_blocks_end_up_on_each_other():
    bodies = [Body(block((0.1, 0.1, 0.04))), Body(block((0.06, 0.06, 0.06)))]
    starts = np.stack([at(0, 0, 5.0), at(0.005, 0, -3.0)])
    poses, is_resting = drop(bodies, starts, 0.7, clearance_m=0.005, interval_s=0.3)
    assert is_resting
    assert poses[0, 2, 3] == pytest.approx(0.72, abs=1e-3)
    assert poses[1, 2, 3] == pytest.approx(0.77, abs=2e-3)
    assert max(rotation_angle(pose) for pose in poses) < 0.01


def test_a_block_on_its_edge_topples_onto_a_side():
    T = at(0, 0, 0)
    T[:3, :3] = [[np.cos(0.9), 0, np.sin(0.9)], [0, 1, 0], [-np.sin(0.9), 0, np.cos(0.9)]]
    body = Body(block((0.1, 0.06, 0.04)))
    poses, is_resting = drop([body], T[None], 0.0, clearance_m=0.001, interval_s=0.1)
    assert is_resting
    assert apply(poses[0], body.hull_m)[:, 2].min() == pytest.approx(0.0, abs=1e-3)
    assert np.abs(poses[0][2, :3]).max() > 0.999


def test_the_same_drop_ends_the_same():
    bodies = [Body(block()), Body(block((0.05, 0.05, 0.05)))]
    starts = np.stack([at(0, 0, 0), at(0.02, 0.01, 0)])
    first, second = (drop(bodies, starts, 0.0, 0.02, 0.2, 1.0)[0] for _ in range(2))
    assert np.array_equal(first, second)
