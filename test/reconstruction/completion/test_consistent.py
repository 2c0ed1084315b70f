# SPDX-License-Identifier: Apache-2.0
"""Consistency by construction: whatever a backend claims, no ray is contradicted."""

import numpy as np
import pytest
from scipy.ndimage import distance_transform_cdt

from sam3d_ros.reconstruction.completion.completion import Completion
from sam3d_ros.reconstruction.completion.consistent import consistent_distance
from sam3d_ros.reconstruction.config import EvidenceConfig
from sam3d_ros.reconstruction.evidence.evidence import build_evidence
from sam3d_ros.reconstruction.shape import build_shape
from sam3d_ros.reconstruction.surface.scoring import completion_inliers
from sam3d_ros.reconstruction.views import crop_view


@pytest.fixture(scope='module')
def evidence(scenes):
    frame, instances = scenes.see([scenes.Box((0, 0, 0.05), (0.08, 0.12, 0.10))], noise_seed=0)
    return build_evidence([crop_view(frame, instances, 0)], EvidenceConfig(grid=40))


def claim(evidence, value):
    shape = (evidence.grid.size,) * 3
    return Completion(np.full(shape, value, np.float32), np.full(shape, 0.5, np.float32), 'claim')


def test_a_completion_that_fills_everything_is_carved(evidence):
    field = consistent_distance(evidence, claim(evidence, -0.1))
    assert not evidence.clear[field < 0].any()
    heights = evidence.grid.heights_m(evidence.support_m)
    assert heights[field < 0].min() > -evidence.grid.voxel_m


def test_a_completion_of_nothing_keeps_the_observed_skin(evidence):
    shape = build_shape(evidence, claim(evidence, 0.1), 10_000)
    assert shape.score.observed_inliers > 0.7
    assert shape.own_inliers < 0.05


def test_the_mesh_does_not_go_under_the_support(evidence):
    shape = build_shape(evidence, claim(evidence, -0.1), 10_000)
    assert shape.mesh.vertices_m[:, 2].min() > -1e-4


def test_parts_without_observed_surface_are_dropped(evidence):
    completion = claim(evidence, 0.1)
    completion.distance_m[30:33, 3:6, 20:23] = -0.01
    hidden = consistent_distance(evidence, completion)[30:33, 3:6, 20:23]
    assert (hidden > 0).all()


def test_inliers_of_a_completion_are_measured_on_its_own_surface(evidence):
    exact = Completion(evidence.distance_m, evidence.surface, 'exact')
    assert completion_inliers(exact.distance_m, evidence) > 0.95


@pytest.mark.parametrize(('half_width', 'filled'), [(0, True), (4, False)])
def test_a_hidden_cavity_is_filled_unless_it_opens_widely(evidence, half_width, filled):
    solid = consistent_distance(evidence, claim(evidence, -0.1)) < 0
    x, y, z = np.unravel_index(distance_transform_cdt(solid).argmax(), solid.shape)
    holed = solid.copy()
    holed[x - 4 : x + 5, y - 4 : y + 5, z - 4 : z + 5] = False
    opening = slice(y - half_width, y + half_width + 1), slice(z - half_width, z + half_width + 1)
    holed[(slice(x, None), *opening)] = False  # away from the camera
    completion = Completion(
        np.where(holed, np.float32(-0.01), np.float32(0.01)), solid.astype(np.float32), 'holed'
    )
    field = consistent_distance(evidence, completion)
    assert (field[x, y, z] < 0) == filled
    assert not evidence.clear[field < 0].any()


@pytest.mark.parametrize(('width', 'closed'), [(1, True), (2, True), (4, False)])
def test_pinholes_of_a_hidden_wall_are_closed_unless_they_are_wide(evidence, width, closed):
    solid = consistent_distance(evidence, claim(evidence, -0.1)) < 0
    x, y, z = np.unravel_index(distance_transform_cdt(solid).argmax(), solid.shape)
    # The front and a wall at the back, with all between them open to the sides.
    walls = solid.copy()
    walls[x - 2 : x + 2] = False
    walls[x + 3 :] = False
    walls[x : x + 3, y : y + width, z : z + width] = False
    distance = np.where(walls, np.float32(-0.01), np.float32(0.01))
    field = consistent_distance(evidence, Completion(distance, solid.astype(np.float32), 'wall'))
    assert (field[x + 2, y + width // 2, z + width // 2] < 0) == closed
    assert not evidence.clear[field < 0].any()
