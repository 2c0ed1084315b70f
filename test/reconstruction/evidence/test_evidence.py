# SPDX-License-Identifier: Apache-2.0
"""Evidence against scenes whose every voxel is known."""

from dataclasses import replace

import numpy as np
import pytest

from sam3d_ros.core.errors import InputError
from sam3d_ros.core.sensors import MODELS
from sam3d_ros.geometry.transforms import apply
from sam3d_ros.reconstruction.config import EvidenceConfig
from sam3d_ros.reconstruction.evidence.evidence import build_evidence
from sam3d_ros.reconstruction.views import crop_view

CONFIG = EvidenceConfig(grid=40)


@pytest.fixture(scope='module')
def box(scenes):
    return scenes.Box((0.0, 0.0, 0.05), (0.08, 0.12, 0.10))


@pytest.fixture(scope='module')
def evidence(scenes, box):
    frame, instances = scenes.see([box])
    return build_evidence([crop_view(frame, instances, 0)], CONFIG)


def world(evidence):
    return apply(evidence.grid.T_ref_grid, evidence.grid.centres_m().astype(np.float64))


def test_volume_holds_the_whole_object(box, evidence):
    half = 0.5 * evidence.grid.size * evidence.grid.voxel_m
    corners = np.array(box.centre) + 0.5 * np.array(box.size) * np.array(
        [[a, b, c] for a in (-1, 1) for b in (-1, 1) for c in (-1, 1)]
    )
    T_grid_ref = np.linalg.inv(evidence.grid.T_ref_grid)
    assert np.abs(apply(T_grid_ref, corners)).max() < half


def test_axes_are_up_and_away_from_the_camera(evidence):
    R = evidence.grid.T_ref_grid[:3, :3]
    np.testing.assert_allclose(R, np.eye(3), atol=1e-6)


def test_no_voxel_of_the_object_is_proven_empty(box, evidence):
    inside = box.inside(world(evidence))
    assert inside.sum() > 1000
    assert not (evidence.free[inside] | evidence.outside[inside]).any()


def test_hidden_side_is_occluded_and_not_decided(box, evidence):
    points = world(evidence)
    deep = box.inside(points) & (points[..., 0] > 0.0)
    assert evidence.occluded[deep].mean() > 0.99


def test_space_before_and_above_is_free(box, evidence):
    points = world(evidence)
    clear = (points[..., 0] < -0.06) & (points[..., 2] > 0.03)
    assert evidence.free[clear].all()
    above = points[..., 2] > 0.12
    assert (evidence.free[above] | evidence.unseen[above] | evidence.outside[above]).mean() > 0.5


def test_fates_exclude_each_other(evidence):
    decided = evidence.free | evidence.outside
    fates = evidence.occluded + evidence.blocked + evidence.unseen + decided
    assert fates.max() == 1


def test_below_is_under_the_table(evidence):
    np.testing.assert_array_equal(evidence.below > 0, world(evidence)[..., 2] < 0)


def test_surface_and_distance_change_sign_at_the_front_face(evidence):
    points = world(evidence)
    ray = (np.abs(points[..., 1]) < 0.02) & (np.abs(points[..., 2] - 0.05) < 0.02)
    before = ray & (np.abs(points[..., 0] + 0.045) < 0.004)
    after = ray & (np.abs(points[..., 0] + 0.035) < 0.004)
    assert evidence.distance_m[before].min() > 0 > evidence.distance_m[after].max()
    at = ray & (np.abs(points[..., 0] + 0.04) < 0.5 * evidence.grid.voxel_m)
    assert evidence.surface[at].mean() > 0.5


def test_points_lie_on_the_box_with_outward_normals(box, evidence):
    points = apply(evidence.grid.T_ref_grid, evidence.points.points_m.astype(np.float64))
    outside = np.abs(points - np.array(box.centre)) - 0.5 * np.array(box.size)
    np.testing.assert_allclose(outside.max(axis=1), 0.0, atol=1e-4)
    front = np.abs(outside[:, 0]) < 1e-4
    inner = front & (outside[:, 1] < -0.02) & (outside[:, 2] < -0.02)
    assert inner.sum() > 50
    np.testing.assert_allclose(evidence.points.normals[inner] @ [-1, 0, 0], 1.0, atol=0.02)


def test_a_nearer_object_blocks_but_does_not_empty(scenes):
    target = scenes.Box((0.05, 0.0, 0.05), (0.06, 0.12, 0.10))
    occluder = scenes.Box((-0.12, -0.07, 0.08), (0.02, 0.12, 0.16))
    frame, instances = scenes.see([target, occluder])
    evidence = build_evidence([crop_view(frame, instances, 0)], CONFIG)
    inside = target.inside(world(evidence))
    assert not (evidence.free[inside] | evidence.outside[inside]).any()
    assert evidence.blocked[inside].mean() > 0.1


def test_views_accumulate_and_free_space_wins(scenes, box):
    views = []
    for eye in ((-0.5, 0.0, 0.35), (-0.1, 0.5, 0.35), (0.5, 0.1, 0.3)):
        frame, instances = scenes.see([box], eye)
        views.append(crop_view(frame, instances, 0))
    one, all_views = build_evidence(views[:1], CONFIG), build_evidence(views, CONFIG)
    refilled = build_evidence(views, CONFIG, one.grid)
    inside = box.inside(world(refilled))
    assert (refilled.free >= one.free).all()
    assert not (refilled.free[inside] | refilled.outside[inside]).any()
    possible = (refilled.free | refilled.outside | refilled.below) == 0
    assert possible.sum() < 0.8 * ((one.free | one.outside | one.below) == 0).sum()
    assert set(np.unique(all_views.points.views)) == {0, 1, 2}


def test_inferred_range_gives_a_surface_and_proves_no_free_space(scenes, box):
    frame, instances = scenes.see([box])
    view = crop_view(frame, instances, 0)
    grid = build_evidence([view], CONFIG).grid
    guessed = replace(frame, measured=np.zeros(frame.depth_m.shape, bool))
    inferred = build_evidence([crop_view(guessed, instances, 0)], CONFIG, grid)
    assert not inferred.free.any() and not inferred.clear.any() and not inferred.empty.any()
    assert inferred.surface.sum() > 0 and len(inferred.points.views)
    known = replace(frame, measured=np.ones(frame.depth_m.shape, bool))
    same = build_evidence([crop_view(known, instances, 0)], CONFIG, grid)
    np.testing.assert_array_equal(same.free, build_evidence([view], CONFIG, grid).free)


def test_every_view_is_judged_by_its_own_sensor(scenes, box):
    white, coarse = MODELS['white'], MODELS['lidar']
    one, other = (
        crop_view(*scenes.see([box], eye), 0) for eye in ((-0.5, 0.0, 0.35), (-0.1, 0.5, 0.35))
    )
    grid = build_evidence([one], CONFIG).grid
    exact = build_evidence([one, other], CONFIG, grid)
    mixed = build_evidence([one, replace(other, sensor=coarse)], CONFIG, grid)
    first = exact.points.views == 0
    sigmas = mixed.points.sigmas_m
    np.testing.assert_array_equal(sigmas[first], exact.points.sigmas_m[first])
    assert np.median(sigmas[~first]) > 0.9 * coarse.floor_m > 3 * np.median(sigmas[first])
    alone = build_evidence([replace(other, sensor=coarse)], CONFIG, grid)
    assert alone.free.sum() < build_evidence([other], CONFIG, grid).free.sum()
    np.testing.assert_array_equal(
        mixed.free, build_evidence([one], CONFIG, grid).free | alone.free
    )
    assert one.sensor is white


def test_space_is_clear_when_neighbouring_rays_agree(scenes, box):
    frame, instances = scenes.see([box])
    view = crop_view(frame, instances, 0)
    ideal = build_evidence([view], CONFIG)
    assert (ideal.clear <= ideal.free).all()
    assert ideal.clear.sum() > 0.8 * ideal.free.sum()
    # Two columns of pixels that look through the object.
    rows, columns = np.nonzero(view.mask)
    stray = np.isin(columns - int(np.median(columns)), (0, 1))
    view.pointmap[rows[stray], columns[stray]] *= 1.5
    inside = box.inside(world(ideal))
    torn = build_evidence([view], CONFIG, ideal.grid)
    assert torn.free[inside].any()
    assert not torn.clear[inside].any()


def test_it_is_pure_and_deterministic(scenes, box):
    frame, instances = scenes.see([box], noise_seed=1)
    view = crop_view(frame, instances, 0)
    before = view.pointmap.copy()
    first, second = build_evidence([view], CONFIG), build_evidence([view], CONFIG)
    np.testing.assert_array_equal(view.pointmap, before)
    np.testing.assert_array_equal(first.distance_m, second.distance_m)
    np.testing.assert_array_equal(first.points.points_m, second.points.points_m)


def test_no_depth_at_all_is_an_input_error(scenes, box):
    frame, instances = scenes.see([box])
    frame.pointmap[instances.items[0].mask] = np.nan
    with pytest.raises(InputError, match='valid depth'):
        build_evidence([crop_view(frame, instances, 0)], CONFIG)


def test_flying_pixels_at_the_rim_are_dropped(scenes, box):
    frame, instances = scenes.see([box])
    mask = instances.items[0].mask
    rows, columns = np.nonzero(mask)
    last = columns == columns[rows == 117].max()
    frame.pointmap[rows[last], columns[last]] *= 1.4
    view = crop_view(frame, instances, 0)
    assert view.pointmap[view.own][:, 2].max() < 1.2 * np.nanmedian(frame.pointmap[mask][:, 2])


def test_evidence_takes_the_errors_that_the_frame_says(scenes, box, evidence):
    frame, instances = scenes.see([box])
    sigma_m = np.full(frame.depth_m.shape, 0.03, np.float32)
    view = crop_view(replace(frame, range_sigma_m=sigma_m), instances, 0)
    unsure = build_evidence([view], CONFIG)
    assert unsure.free.sum() < 0.9 * evidence.free.sum()
    assert np.median(unsure.points.sigmas_m) > 0.03 > 5 * np.median(evidence.points.sigmas_m)
