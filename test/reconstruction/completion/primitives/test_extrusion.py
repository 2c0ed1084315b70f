# SPDX-License-Identifier: Apache-2.0
"""Prisms: completed from one view of a known solid, refused where there is none."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from sam3d_ros.core.types import Plane
from sam3d_ros.geometry.transforms import apply
from sam3d_ros.reconstruction.completion.geometric import GeometricCompletion
from sam3d_ros.reconstruction.completion.primitives.extrusion import extruded_distance
from sam3d_ros.reconstruction.config import EvidenceConfig, ReconstructionConfig
from sam3d_ros.reconstruction.evidence.evidence import build_evidence
from sam3d_ros.reconstruction.views import crop_view

ABOVE = (-0.4, 0.1, 0.45)


class Convex:
    """The points with ``normals @ p <= offsets``."""

    def __init__(self, normals, offsets):
        self.normals, self.offsets = np.asarray(normals, float), np.asarray(offsets, float)

    def hit(self, origin, directions):
        slope = directions @ self.normals.T
        with np.errstate(divide='ignore', invalid='ignore'):
            at = (self.offsets - self.normals @ origin) / slope
        near = np.where(slope < 0, at, -np.inf).max(axis=-1)
        far = np.where(slope > 0, at, np.inf).min(axis=-1)
        return np.where((near <= far) & (near > 0), near, np.inf)

    def inside(self, points):
        return (points @ self.normals.T <= self.offsets).all(axis=-1)


class Union:
    """Convex pieces together."""

    def __init__(self, *pieces):
        self.pieces = pieces

    def hit(self, origin, directions):
        return np.min([piece.hit(origin, directions) for piece in self.pieces], axis=0)

    def inside(self, points):
        return np.any([piece.inside(points) for piece in self.pieces], axis=0)


def block(corners, low, high):
    """A prism on a convex outline, corners counterclockwise."""
    corners = np.asarray(corners, float)
    along = np.roll(corners, -1, axis=0) - corners
    out = np.stack([along[:, 1], -along[:, 0], 0 * along[:, 0]], axis=1)
    out /= np.linalg.norm(out, axis=1, keepdims=True)
    offsets = np.einsum('nc,nc->n', out[:, :2], corners)
    return Convex([*out, (0, 0, 1), (0, 0, -1)], [*offsets, high, -low])


def rectangle(x0, y0, x1, y1):
    return [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]


def ring(radius, sides=6):
    angle = 2 * np.pi * (np.arange(sides) + 0.3) / sides
    return radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def l_shape(height=0.05):
    legs = rectangle(-0.06, -0.06, 0.06, -0.03), rectangle(-0.06, -0.03, -0.03, 0.06)
    return Union(*(block(leg, 0.0, height) for leg in legs))


def hexagon(low=0.0, high=0.06):
    return Union(block(ring(0.05), low, high))


def cup():
    outer, inner = ring(0.045), ring(0.040)
    walls = [
        block([inner[k - 1], outer[k - 1], outer[k], inner[k]], 0.0, 0.09)
        for k in range(len(outer))
    ]
    return Union(block(outer, 0.0, 0.004), *walls)


def tilted(angle_rad=0.4):
    box = block(rectangle(-0.05, -0.04, 0.05, 0.04), 0.0, 0.06)
    R = Rotation.from_rotvec([angle_rad, 0.0, 0.0]).as_matrix()
    normals = box.normals @ R.T
    return Convex(normals, box.offsets + normals @ [0.0, 0.0, 0.02])


def evidence_of(scenes, solids, seed=0, eye=ABOVE, **changed):
    frame, instances = scenes.see(solids, eye, noise_seed=seed)
    return build_evidence([replace(crop_view(frame, instances, 0), **changed)], EvidenceConfig())


def iou(distance, solid, evidence):
    centres = evidence.grid.centres_m().astype(float)
    inside, real = distance < 0, solid.inside(apply(evidence.grid.T_ref_grid, centres))
    return (inside & real).sum() / (inside | real).sum()


@pytest.mark.parametrize('seed', [0, 1])
@pytest.mark.parametrize('solid', [l_shape(), hexagon()], ids=['L', 'hexagon'])
def test_prisms_are_completed_from_one_view(scenes, solid, seed):
    evidence = evidence_of(scenes, [solid], seed)
    distance = extruded_distance(evidence)
    assert distance is not None
    assert iou(distance, solid, evidence) > 0.8


def test_the_backend_extrudes_what_no_superquadric_explains(scenes):
    solid = l_shape()
    evidence = evidence_of(scenes, [solid])
    completion = GeometricCompletion(ReconstructionConfig()).complete([evidence])[0]
    assert iou(completion.distance_m, solid, evidence) > 0.8


def test_the_distance_is_metric(scenes):
    evidence = evidence_of(scenes, [hexagon()])
    distance, voxel = extruded_distance(evidence), evidence.grid.voxel_m
    centres = apply(evidence.grid.T_ref_grid, evidence.grid.centres_m().astype(float))
    column = np.linalg.norm(centres[..., :2], axis=-1) < voxel
    np.testing.assert_allclose(
        distance[column], np.abs(centres[column][:, 2] - 0.03) - 0.03, atol=0.006
    )
    level = np.abs(centres[..., 2] - 0.03) < voxel
    sides = hexagon().pieces[0].normals[:6]
    true = (centres[level] @ sides.T).max(axis=-1) - 0.05 * np.cos(np.pi / 6)
    near = np.abs(true) < 0.01
    assert np.abs(distance[level][near] - true[near]).mean() < voxel


def test_what_an_occluder_hides_of_the_top_is_closed_by_its_hull(scenes):
    solid, post = hexagon(), scenes.Box((-0.12, 0.03, 0.06), (0.01, 0.03, 0.12))
    evidence = evidence_of(scenes, [solid, post])
    distance = extruded_distance(evidence)
    assert distance is not None
    centres = apply(evidence.grid.T_ref_grid, evidence.grid.centres_m().astype(float))
    behind = (evidence.blocked > 0) & hexagon(0.0, 0.055).inside(centres)
    assert behind.sum() > 1000
    assert (distance[behind] < 0).mean() > 0.9
    assert iou(distance, solid, evidence) > 0.8


def test_without_a_support_it_ends_at_the_lowest_point_seen(scenes):
    solid = hexagon()
    evidence = evidence_of(scenes, [solid], support=None)
    assert iou(extruded_distance(evidence), solid, evidence) > 0.75


def test_what_hovers_over_the_support_is_none(scenes):
    frame, instances = scenes.see([hexagon(0.08, 0.12)], ABOVE, noise_seed=0)
    view = crop_view(frame, instances, 0)
    assert extruded_distance(build_evidence([view], EvidenceConfig())) is None
    raised = Plane(view.support.normal, view.support.offset_m - 0.08)
    standing = build_evidence([replace(view, support=raised)], EvidenceConfig())
    assert extruded_distance(standing) is not None


@pytest.mark.parametrize('kind', ['ball', 'cup', 'tilted', 'steps'])
def test_what_is_no_upright_prism_is_none(scenes, kind):
    solid = {
        'ball': scenes.Ball((0.0, 0.0, 0.05), 0.05),
        'cup': cup(),
        'tilted': tilted(),
        'steps': Union(hexagon(0.0, 0.03), block(ring(0.025), 0.03, 0.1)),
    }[kind]
    assert extruded_distance(evidence_of(scenes, [solid])) is None


def test_nothing_but_walls_is_none(scenes):
    tall = scenes.Box((0.0, 0.0, 0.15), (0.06, 0.06, 0.3))
    assert extruded_distance(evidence_of(scenes, [tall], eye=(-0.6, 0.0, 0.1))) is None
