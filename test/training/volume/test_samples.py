# SPDX-License-Identifier: Apache-2.0
"""The truth of a sample lies where its sensor sees it; seeds repeat; files hold what was made."""

from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from sam3d_ros.reconstruction.completion.volume_input import volume_input
from sam3d_ros.training.volume.samples import Sample, samples, samples_of, store, write_samples
from sam3d_ros.training.volume.worlds import WorldOptions, draw_world
from sam3d_ros.world.sources import ProceduralSource

SOLIDS = ProceduralSource(('box', 'can', 'ball', 'prism', 'toy'))
ALONE = WorldOptions(suites=('single',))


@pytest.fixture(scope='module')
def ideal() -> list[Sample]:
    options = WorldOptions(noise=False, suites=('spaced', 'levels'))
    return [*samples([0, 1], SOLIDS, options)]


def off_m(sample: Sample) -> np.ndarray:
    """Return (P,) distances of the observed points from the true surface."""
    at = sample.evidence.grid.coordinates(sample.evidence.points.points_m.astype(float))
    return np.abs(map_coordinates(sample.distance_m, at.T, order=1, mode='nearest'))


def test_worlds_give_single_views_and_fused_ones(ideal: list[Sample]) -> None:
    views = [len(sample.evidence.views) for sample in ideal]
    assert len(ideal) >= 4 and 1 in views and max(views) > 1
    assert {sample.suite for sample in ideal} == {'spaced', 'levels'}


def test_truth_lies_where_an_ideal_sensor_sees_it(ideal: list[Sample]) -> None:
    for sample in ideal:
        free = sample.evidence.free > 0
        assert np.median(off_m(sample)) < 0.001, sample.solid.name
        assert (sample.distance_m[free] > 0).mean() > 0.99, sample.solid.name
        assert (sample.distance_m < 0).any()
        assert np.abs(sample.distance_m).max() <= sample.evidence.truncation_m


def test_stored_sign_is_the_truth(ideal: list[Sample]) -> None:
    for sample in ideal:
        assert np.array_equal(store(sample).distance < 0, sample.distance_m < 0)


def test_errors_move_points_and_come_with_their_sensor() -> None:
    found = list(samples([1], SOLIDS, ALONE))
    sensor = draw_world(1, SOLIDS, ALONE).sensor.model
    assert found
    for sample in found:
        assert 0.0002 < np.median(off_m(sample)) < 0.006
        assert {view.sensor for view in sample.evidence.views} == {sensor}


def test_grid_does_not_change_what_is_seen_and_seeds_repeat() -> None:
    fine, again, coarse = (
        next(samples_of(draw_world(1, SOLIDS, ALONE), True, grid)) for grid in (48, 48, 32)
    )
    assert np.array_equal(volume_input(fine.evidence), volume_input(again.evidence))
    assert np.array_equal(fine.distance_m, again.distance_m)
    assert coarse.distance_m.shape == (32, 32, 32)
    assert np.array_equal(fine.evidence.views[0].own, coarse.evidence.views[0].own)
    assert 1.5 * fine.evidence.grid.voxel_m == pytest.approx(coarse.evidence.grid.voxel_m)


def test_files_hold_the_samples_and_are_made_once(tmp_path: Path) -> None:
    write_samples(tmp_path, [1], SOLIDS, ALONE, 32)
    file, *_ = sorted(tmp_path.glob('*.npz'))
    with np.load(file) as stored:
        assert stored['channels'].shape[1:] == stored['distance'].shape == (32, 32, 32)
    file.unlink()
    write_samples(tmp_path, [1], SOLIDS, ALONE, 32)
    assert not file.exists()


def test_things_without_returns_come_with_inferred_range_and_the_same_truth() -> None:
    options = WorldOptions(noise=False, suites=('single',), without_depth=1.0)
    found = list(samples([2, 4], SOLIDS, options))
    blind = [sample for sample in found if not sample.has_depth]
    assert len(blind) >= 2
    by_name = {sample.solid.name: sample for sample in found if sample.has_depth}
    for sample in blind:
        for view in sample.evidence.views:
            assert view.returned.sum() < 0.5 * view.own.sum()
            inferred = view.own & ~view.returned
            assert np.isfinite(view.pointmap[inferred]).all()
            assert view.range_sigma_m is not None
            assert (view.range_sigma_m[inferred] > 0.002).all()
        inside, voxel = sample.distance_m < 0, sample.evidence.grid.voxel_m
        seen = by_name[sample.solid.name]
        volume = (seen.distance_m < 0).sum() * seen.evidence.grid.voxel_m**3
        assert inside.sum() * voxel**3 == pytest.approx(volume, rel=0.2)
