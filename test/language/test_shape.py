# SPDX-License-Identifier: Apache-2.0
"""Measures of solids of known size and shape."""

import numpy as np
import pytest

pytest.importorskip('trimesh')
from made_up_things import ball, box, can
from scipy.spatial.transform import Rotation

from sam3d_ros.language.shape import features, measure

SIDES = (0.2, 0.1, 0.05)


@pytest.mark.parametrize('turn', range(3))
def test_a_box_however_it_lies(turn):
    R = Rotation.from_euler('z', 40 * turn, degrees=True).as_matrix()
    solid = box(*SIDES)
    found = measure(np.asarray(solid.vertices) @ R.T, np.asarray(solid.faces))
    assert found.extents_m == pytest.approx(SIDES, rel=0.01)
    assert found.height_m == pytest.approx(0.05) and found.across_m[0] == pytest.approx(0.2)
    assert found.fill == pytest.approx(1.0, abs=0.01) and found.solidity == pytest.approx(1.0)


def test_balls_and_cans_fill_their_boxes_less():
    for solid, fill in ((ball(0.05), np.pi / 6), (can(0.04, 0.1), np.pi / 4)):
        found = measure(np.asarray(solid.vertices), np.asarray(solid.faces))
        assert found.fill == pytest.approx(fill, abs=0.02)
        assert np.isfinite(features(found)).all()


def test_points_without_volume_have_measures_too():
    flat = np.array([[0.0, 0, 0], [0.1, 0, 0], [0, 0.1, 0], [0.1, 0.1, 0]])
    assert np.isfinite(features(measure(flat, np.zeros((0, 3), np.int32)))).all()
