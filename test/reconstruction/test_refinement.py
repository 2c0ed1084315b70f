# SPDX-License-Identifier: Apache-2.0
"""Thin things decoded again: which ones, where, and never against what rays have proven."""

import numpy as np
import pytest

from sam3d_ros.geometry.transforms import apply
from sam3d_ros.reconstruction.completion.completion import Completion
from sam3d_ros.reconstruction.completion.consistent import consistent_distance
from sam3d_ros.reconstruction.completion.volume import VolumeCompletion
from sam3d_ros.reconstruction.config import EvidenceConfig, ReconstructionConfig
from sam3d_ros.reconstruction.evidence.evidence import build_evidence
from sam3d_ros.reconstruction.evidence.occupancy import inside_mesh
from sam3d_ros.reconstruction.refinement import refiner as stage
from sam3d_ros.reconstruction.refinement.blocks import (
    COARSE_CHANNELS,
    CORE,
    FACTOR,
    FEATURES,
    HALO,
    block_inputs,
    fine_evidence,
    fine_grid,
    is_thin,
    near_blocks,
    near_voxels,
)
from sam3d_ros.reconstruction.shape import build_shape
from sam3d_ros.reconstruction.views import crop_view

WALL_M = 0.004


class Tray:
    """A bottom and four walls, 4 mm thick, 12 x 12 x 6 cm."""

    def __init__(self, scenes):
        far, high = 0.06 - WALL_M / 2, 0.06
        self.parts = [
            scenes.Box((0, 0, WALL_M / 2), (0.12, 0.12, WALL_M)),
            *(scenes.Box((side * far, 0, high / 2), (WALL_M, 0.12, high)) for side in (-1, 1)),
            *(scenes.Box((0, side * far, high / 2), (0.12, WALL_M, high)) for side in (-1, 1)),
        ]

    def hit(self, origin, directions):
        return np.min([part.hit(origin, directions) for part in self.parts], axis=0)

    def distance(self, points):
        """Signed distance, a bound of it where two parts meet."""
        off = []
        for part in self.parts:
            q = np.abs(points - np.array(part.centre)) - 0.5 * np.array(part.size)
            off.append(np.linalg.norm(np.maximum(q, 0), axis=-1) + np.minimum(q.max(axis=-1), 0))
        return np.min(off, axis=0)


@pytest.fixture(scope='module')
def tray(scenes):
    return Tray(scenes)


@pytest.fixture(scope='module')
def evidence(scenes, tray):
    frame, instances = scenes.see([tray], (-0.3, 0.1, 0.4), noise_seed=0)
    return build_evidence([crop_view(frame, instances, 0)], EvidenceConfig())


@pytest.fixture(scope='module')
def completion(evidence, tray):
    """The truth, its walls a voxel and a half too thick, as a network leaves them."""
    centres = apply(evidence.grid.T_ref_grid, evidence.grid.centres_m().astype(float))
    distance_m = tray.distance(centres) - 0.75 * evidence.grid.voxel_m
    distance_m = np.clip(distance_m, -evidence.truncation_m, evidence.truncation_m)
    inside = (distance_m < 0).astype(np.float32)
    return Completion(
        distance_m.astype(np.float32), inside, 'thickened', features=no_features(evidence)
    )


def no_features(evidence):
    return np.zeros((FEATURES, *(evidence.grid.size // 2,) * 3), np.float32)


def refiner(monkeypatch, answer):
    """A refinement stage whose network gives ``answer`` of coarse blocks."""
    made = stage.Refiner(ReconstructionConfig())
    made.__dict__['_session'] = None
    monkeypatch.setattr(stage, 'run_network', lambda _, coarse, *others: answer(coarse))
    return made


def iou(shape, evidence, tray):
    grid = fine_grid(evidence.grid)
    found = inside_mesh(
        apply(np.linalg.inv(grid.T_ref_grid), shape.mesh.vertices_m.astype(float)).astype('f4'),
        shape.mesh.faces,
        grid,
    )
    real = tray.distance(apply(grid.T_ref_grid, grid.centres_m().astype(float))) < 0
    return (found & real).sum() / (found | real).sum()


def test_walls_are_thin_and_blocks_are_not():
    solid = np.zeros((48, 48, 48), bool)
    solid[10:38, 10:38, 10:38] = True
    assert not is_thin(solid)
    assert not is_thin(np.zeros_like(solid))
    solid[12:36, 12:36, 12:] = False
    assert is_thin(solid)


def test_blocks_hold_the_surface_and_what_is_around_them(evidence, completion):
    distance_m = consistent_distance(evidence, completion)
    near = near_voxels(evidence, distance_m)
    blocks = near_blocks(near)
    cores = np.zeros_like(near)
    for x, y, z in CORE * blocks:
        cores[x : x + CORE, y : y + CORE, z : z + CORE] = True
    assert cores[near].all()
    assert len(blocks) < 0.6 * (evidence.grid.size // CORE) ** 3
    fine = fine_evidence(evidence, near, EvidenceConfig())
    coarse, sharp = block_inputs(evidence, distance_m, completion.probability, fine, blocks)
    at = int(np.flatnonzero((blocks == blocks.max(axis=0)).any(axis=1))[0])
    first = CORE * blocks[at] - HALO
    channel = coarse[at, COARSE_CHANNELS.index('completed')]
    for corner in ((HALO,) * 3, (HALO + CORE - 1,) * 3):
        value = distance_m[tuple(first + corner)] / evidence.truncation_m
        assert channel[corner] == pytest.approx(255 * (0.5 + 0.5 * value), abs=0.51)
    assert sharp.shape[2] == FACTOR * channel.shape[0]


def test_a_network_that_knows_makes_walls_as_thick_as_they_are(
    monkeypatch, evidence, completion, tray
):
    grid = fine_grid(evidence.grid)
    true = tray.distance(apply(grid.T_ref_grid, grid.centres_m().astype(float))) / grid.voxel_m
    blocks = near_blocks(near_voxels(evidence, consistent_distance(evidence, completion)))
    side, count = FACTOR * CORE, evidence.grid.size // CORE
    cores = true.reshape(count, side, count, side, count, side).transpose(0, 2, 4, 1, 3, 5)
    known = cores[tuple(blocks.T)].astype(np.float32)
    made = refiner(monkeypatch, lambda _: (known, np.full_like(known, 8.0)))
    before = build_shape(evidence, completion, 10_000)
    after = build_shape(evidence, completion, 10_000, refiner=made)
    assert iou(after, evidence, tray) > iou(before, evidence, tray) + 0.1
    assert after.score.observed_inliers > 0.9


def test_shipped_weights_make_walls_thinner_that_are_too_thick(evidence, tray):
    completion = VolumeCompletion(ReconstructionConfig()).complete([evidence])[0]
    before = build_shape(evidence, completion, 10_000)
    made = stage.Refiner(ReconstructionConfig())
    assert made.refine(evidence, consistent_distance(evidence, completion), completion)
    after = build_shape(evidence, completion, 10_000, refiner=made)
    assert iou(after, evidence, tray) > iou(before, evidence, tray) + 0.02
    assert after.score.observed_inliers > 0.9


def test_what_rays_have_proven_outlasts_a_network_that_denies_it(
    monkeypatch, evidence, completion
):
    def all_inside(coarse):
        cores = np.full((len(coarse), *(FACTOR * CORE,) * 3), -8.0, np.float32)
        return cores, np.abs(cores)

    distance_m = consistent_distance(evidence, completion)
    refined = refiner(monkeypatch, all_inside).refine(evidence, distance_m, completion)
    fine = fine_evidence(evidence, refined.near, EvidenceConfig())
    values = refined.distance_m[tuple(fine.voxels.T)]
    assert fine.clear.sum() > 1000
    assert (values[fine.clear] > 0).all()


def test_what_is_not_thin_is_left_alone(monkeypatch, scenes):
    frame, instances = scenes.see([scenes.Box((0, 0, 0.05), (0.08, 0.12, 0.10))], noise_seed=0)
    evidence = build_evidence([crop_view(frame, instances, 0)], EvidenceConfig())
    distance_m = np.where(evidence.occluded, -1.0, 1.0).astype(np.float32) * evidence.truncation_m
    inside = (distance_m < 0).astype(np.float32)
    whole = Completion(distance_m, inside, 'behind', features=no_features(evidence))
    made = refiner(monkeypatch, lambda _: pytest.fail('a box is not thin'))
    assert made.refine(evidence, distance_m, whole) is None
