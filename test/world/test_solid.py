# SPDX-License-Identifier: Apache-2.0
"""Manifolds become centred, refined, painted solids, and back."""

import numpy as np
import pytest
from manifold3d import Manifold

from sam3d_ros.core.errors import InputError
from sam3d_ros.world.setting.placing import Body
from sam3d_ros.world.solid import solid_from_manifold


def plain(points):
    return np.full((len(points), 3), 90, np.uint8)


def test_solid_is_centred_refined_and_keeps_its_volume():
    manifold = Manifold.cube((0.1, 0.06, 0.04)).translate((1.0, 2.0, 3.0))
    solid = solid_from_manifold(manifold, 'block', 'box', plain)
    assert np.allclose(solid.extents_m, [0.1, 0.06, 0.04], atol=1e-6)
    assert np.allclose(solid.vertices_m.mean(axis=0), 0, atol=1e-3)
    edges = solid.vertices_m[solid.faces] - np.roll(solid.vertices_m[solid.faces], 1, axis=1)
    assert np.linalg.norm(edges, axis=2).max() < 0.012
    assert Body(solid).volume_m3 == pytest.approx(0.1 * 0.06 * 0.04, rel=1e-4)
    assert solid.radius_m == pytest.approx(np.linalg.norm([0.05, 0.03, 0.02]), rel=1e-5)
    assert solid.renamed('other').name == 'other'


def test_a_solid_knows_which_piece_each_face_came_with():
    body = Manifold.cube((0.1, 0.1, 0.1))
    solid = solid_from_manifold(
        body + Manifold.cube((0.04, 0.04, 0.04)).translate((0.1, 0.03, 0.03)), 'x', 'box', plain
    )
    right = solid.vertices_m[solid.faces].mean(axis=1)[:, 0] > 0.0301
    assert set(solid.piece_of) == {0, 1} and len(solid.piece_of) == len(solid.faces)
    assert (solid.piece_of[right] == 1).all() and (solid.piece_of[~right] == 0).all()


def test_empty_manifold_is_refused():
    with pytest.raises(InputError, match='nothing'):
        solid_from_manifold(Manifold(), 'nothing', 'box', plain)
