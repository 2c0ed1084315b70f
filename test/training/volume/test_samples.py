# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import numpy as np
import pytest

from sam3d_ros.training.volume.objects import write_pool
from sam3d_ros.training.volume.samples import Sample, SceneOptions, scene_samples, store

IDEAL = SceneOptions(noise=False)


@pytest.fixture(scope='module')
def pool(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Path], list[Path]]:
    folder = tmp_path_factory.mktemp('pool')
    write_pool(folder, None, 4)
    return sorted(folder.glob('solid_*.npz')), []


@pytest.fixture(scope='module')
def ideal(pool: tuple[list[Path], list[Path]]) -> list[Sample]:
    return [sample for seed in range(4) for sample in scene_samples(seed, pool, IDEAL)]


def test_scenes_give_samples(ideal: list[Sample]) -> None:
    assert len(ideal) >= 4
    assert {len(sample.evidence.views) for sample in ideal} != {1}


def test_truth_lies_where_an_ideal_sensor_sees_it(ideal: list[Sample]) -> None:
    for sample in ideal:
        evidence, truth = sample.evidence, sample.distance_m < 0
        assert (truth & (evidence.free > 0)).sum() <= 0.06 * truth.sum(), sample.name
        on_surface = evidence.surface > 0.9
        distances = np.abs(sample.distance_m[on_surface]) / evidence.grid.voxel_m
        assert np.median(distances) < 0.6, sample.name


def test_same_seed_same_sample(pool: tuple[list[Path], list[Path]]) -> None:
    first, second = (list(scene_samples(3, pool, SceneOptions())) for _ in range(2))
    assert len(first) == len(second) > 0
    for a, b in zip(first, second, strict=True):
        assert np.array_equal(store(a).channels, store(b).channels)
        assert np.array_equal(store(a).distance, store(b).distance)


def test_errors_change_the_evidence_but_not_its_place(
    pool: tuple[list[Path], list[Path]],
) -> None:
    for sample in scene_samples(3, pool, SceneOptions()):
        observed = sample.evidence.surface > 0.9
        voxels = np.abs(sample.distance_m[observed]) / sample.evidence.grid.voxel_m
        assert np.median(voxels) < 3.0


def test_stored_sign_is_the_truth(ideal: list[Sample]) -> None:
    for sample in ideal:
        assert np.array_equal(store(sample).distance < 0, sample.distance_m < 0)


def test_the_grid_does_not_change_what_is_seen(pool: tuple[list[Path], list[Path]]) -> None:
    fine, coarse = (list(scene_samples(3, pool, SceneOptions(grid=grid))) for grid in (48, 32))
    assert len(fine) == len(coarse) > 0
    for a, b in zip(fine, coarse, strict=True):
        assert b.distance_m.shape == (32, 32, 32) and a.name == b.name
        assert np.array_equal(a.evidence.views[0].own, b.evidence.views[0].own)
        assert 1.5 * a.evidence.grid.voxel_m == pytest.approx(b.evidence.grid.voxel_m)


def test_objects_alone_without_clutter(pool: tuple[list[Path], list[Path]]) -> None:
    options = SceneOptions(noise=False, clutter=False)
    kinds = [s.arrangement for seed in range(3) for s in scene_samples(seed, pool, options)]
    assert kinds and set(kinds) == {'single'}
