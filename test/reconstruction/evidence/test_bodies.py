# SPDX-License-Identifier: Apache-2.0
"""Things without returns get the body that stands within their silhouette, and it is inferred."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from sam3d_ros.core.state import from_tree, to_tree
from sam3d_ros.core.types import Camera, Frame, Instance, Instances, Plane
from sam3d_ros.geometry.cameras import pointmap_from_depth, rays
from sam3d_ros.geometry.masks import mask_box
from sam3d_ros.geometry.transforms import inverse
from sam3d_ros.reconstruction.evidence import inferred, kept_bodies
from sam3d_ros.reconstruction.evidence.bodies import LEAST_COVERED, Body, Outline, fit_body
from sam3d_ros.reconstruction.evidence.kept_bodies import KeptBodies

CAMERA = Camera(320, 240, np.array([[290.0, 0, 160], [0, 290.0, 120], [0, 0, 1]]))
HEIGHTS = np.linspace(0.0, 1.0, 30)
BOTTLE = 0.035 - 0.02 * np.clip((HEIGHTS - 0.65) / 0.15, 0, 1)
GLASS = np.where(np.abs(HEIGHTS - 0.25) < 0.2, 0.006, 0.035)
TUMBLER = np.full(30, 0.04)


def fitted(mask, camera, support):
    """The body in a silhouette, None where there is not even an outline."""
    outline = Outline.of(mask, camera, support)
    body = None if outline is None else fit_body(outline)
    return None if body is None or body.covered < LEAST_COVERED else body


def with_bodies(frame, instances):
    """The frame with bodies when it is the first one."""
    return inferred.with_bodies(frame, instances, KeptBodies())


def table(tilt_rad):
    """A support seen from above at this angle, 0.7 m ahead of the camera."""
    up = np.array([0.0, -np.cos(tilt_rad), -np.sin(tilt_rad)])
    return Plane(up, 0.7 * np.sin(tilt_rad))


def standing(support, profile_m, height_m):
    away = np.array([0.0, 0.0, 1.0]) - support.normal * support.normal[2]
    away /= np.linalg.norm(away)
    axes = np.stack([away, np.cross(support.normal, away), support.normal], axis=1)
    origin = np.array([0.02, 0.0, 0.7])
    origin -= support.normal * (origin @ support.normal + support.offset_m)
    return Body(origin, axes, height_m * HEIGHTS, profile_m)


def lying(support, profile_m, length_m, turn_rad):
    along = np.array([np.cos(turn_rad), 0.0, np.sin(turn_rad)])
    along -= support.normal * (along @ support.normal)
    along /= np.linalg.norm(along)
    axes = np.stack([support.normal, np.cross(along, support.normal), along], axis=1)
    origin = np.array([0.0, 0.0, 0.7])
    origin -= support.normal * (origin @ support.normal + support.offset_m - profile_m.max())
    return Body(origin, axes, length_m * (HEIGHTS - 0.5), profile_m)


def frame_of(truth, support, returns='none'):
    """A frame of a body on a support: nothing returns, or what is behind, or its upper part."""
    falls = -(rays(CAMERA) @ support.normal.astype(np.float32))
    depth = np.where(falls > 0.05, support.offset_m / np.maximum(falls, 0.05), 4.0)
    depth = np.minimum(depth, 4.0).astype(np.float32)
    front = truth.depth_m(CAMERA)
    mask = np.isfinite(front)
    if returns == 'none':
        depth[mask] = np.nan
    elif returns == 'behind':
        depth[mask & (np.arange(320) % 3 > 0)] = np.nan
    else:
        depth[mask] = np.nan
        top = np.flatnonzero(mask.any(axis=1))[:14]
        depth[top] = np.where(mask[top], front[top], depth[top])
    item = Instance(mask, 1.0, mask_box(mask), 'truth', support=0)
    image = np.full((240, 320, 3), 120, np.uint8)
    frame = Frame(
        0, 'camera', CAMERA, image, pointmap_from_depth(depth, CAMERA), 'world', np.eye(4)
    )
    return frame, Instances(0, (item,), (support,)), front


@pytest.mark.parametrize('tilt_deg', [25, 40, 55])
@pytest.mark.parametrize('profile', [BOTTLE, GLASS, TUMBLER])
def test_a_standing_body_is_found_where_it_is(profile, tilt_deg):
    support = table(np.radians(tilt_deg))
    truth = standing(support, profile, 0.15)
    found = fitted(np.isfinite(truth.depth_m(CAMERA)), CAMERA, support)
    assert np.linalg.norm(found.origin_m - truth.origin_m) < 0.012
    assert found.axes[:, 2] @ support.normal > 0.999
    assert found.radii_m.max() == pytest.approx(profile.max(), abs=0.005)
    assert found.places_m[-1] == pytest.approx(0.15, abs=0.025)
    assert found.covered > 0.85


@pytest.mark.parametrize('turn_deg', [0, 35, 80])
def test_a_lying_bottle_lies(turn_deg):
    support = table(np.radians(45))
    truth = lying(support, BOTTLE, 0.2, np.radians(turn_deg))
    found = fitted(np.isfinite(truth.depth_m(CAMERA)), CAMERA, support)
    assert abs(found.axes[:, 2] @ truth.axes[:, 2]) > 0.95
    assert np.linalg.norm(found.rings_m.mean(axis=(0, 1)) - truth.rings_m.mean(axis=(0, 1))) < 0.02
    assert found.radii_m.max() == pytest.approx(0.035, abs=0.01)


def test_of_masks_where_nothing_round_stands_there_is_none_or_one_that_lies():
    support = table(np.radians(40))
    rows, columns = np.mgrid[:240, :320]
    slope = 0.75 * np.abs(columns - 160)
    stick = (np.abs(rows - 40 - 0.75 * (columns - 60)) < 3) & (np.abs(columns - 160) < 90)
    vee = (np.abs(rows - 190 + slope) < 4) & (slope < 90)
    one = (rows == 100) & (columns == 90)
    for mask in (vee, one, np.zeros_like(one)):
        assert fitted(mask, CAMERA, support) is None
    found = fitted(stick, CAMERA, support)
    assert abs(found.axes[:, 2] @ support.normal) < 0.1
    assert found.covered > 0.9
    wide = Camera(320, 240, np.array([[90.0, 0, 160], [0, 90.0, 120], [0, 0, 1]]))
    assert fitted(np.ones((240, 320), bool), wide, table(np.radians(65))) is None


@pytest.mark.parametrize('returns', ['none', 'behind', 'top'])
def test_what_a_thing_without_returns_is_told_is_inferred_and_within_its_sigma(returns):
    support = table(np.radians(40))
    frame, instances, front = frame_of(standing(support, BOTTLE, 0.16), support, returns)
    told = with_bodies(frame, instances)
    mask = instances.items[0].mask
    inferred = ~told.measured
    assert not inferred[~mask].any()
    if returns == 'top':
        own = mask & np.isfinite(frame.depth_m)
        np.testing.assert_array_equal(told.measured[own], True)
        np.testing.assert_array_equal(told.depth_m[own], frame.depth_m[own])
    assert inferred.sum() > (0.8 if returns != 'top' else 0.6) * mask.sum()
    off = told.depth_m[inferred] - front[inferred]
    assert abs(np.median(off)) < 2 * np.median(told.sigma_m[inferred])
    assert abs(np.median(off)) < 0.01
    kept = told.measured & np.isfinite(told.depth_m)
    np.testing.assert_array_equal(told.pointmap[kept], frame.pointmap[kept])


def test_returns_of_its_own_say_how_far_away_it_is_where_the_mask_has_no_foot():
    support = table(np.radians(40))
    frame, instances, front = frame_of(standing(support, BOTTLE, 0.16), support, 'top')
    item = instances.items[0]
    mask = item.mask.copy()
    mask[item.box_px[3] - 12 :] = False
    cut = replace(item, mask=mask, box_px=mask_box(mask))
    told = with_bodies(frame, replace(instances, items=(cut,)))
    inferred = ~told.measured
    assert abs(np.median(told.depth_m[inferred] - front[inferred])) < 0.015


def test_nothing_is_made_up_where_returns_say_it_or_nothing_says_where_it_stands():
    support = table(np.radians(40))
    frame, instances, front = frame_of(standing(support, BOTTLE, 0.16), support)
    item = instances.items[0]
    depth = np.where(item.mask, front, frame.depth_m)
    seen = replace(frame, pointmap=pointmap_from_depth(depth, CAMERA))
    assert with_bodies(seen, instances) is seen
    floating = replace(instances, items=(replace(item, support=-1),))
    assert with_bodies(frame, floating) is frame
    before = np.zeros_like(item.mask)
    before[item.box_px[3] - 6 : item.box_px[3] + 20, item.box_px[0] : item.box_px[2]] = True
    hidden = replace(item, mask=item.mask & ~before)
    other = Instance(before, 1.0, mask_box(before), 'truth', support=0)
    items = (replace(hidden, box_px=mask_box(hidden.mask)), other)
    behind = with_bodies(frame, replace(instances, items=items))
    assert behind.measured is None or behind.measured[hidden.mask].all()
    lower = Plane(support.normal, support.offset_m + 0.3)
    beside = with_bodies(frame, replace(instances, supports=(lower,)))
    assert beside is frame
    left = item.box_px[0]
    narrow = Camera(
        CAMERA.width - left, CAMERA.height, CAMERA.K - [[0, 0, left], [0] * 3, [0] * 3]
    )
    mask = np.ascontiguousarray(item.mask[:, left:])
    cut = replace(item, mask=mask, box_px=mask_box(mask))
    edge = replace(
        frame, camera=narrow, rgb=frame.rgb[:, left:], pointmap=frame.pointmap[:, left:]
    )
    assert with_bodies(edge, replace(instances, items=(cut,))) is edge
    down = table(np.radians(80))
    frame, instances, _ = frame_of(standing(down, BOTTLE, 0.16), down)
    assert with_bodies(frame, instances) is frame


def test_a_body_is_fitted_once_while_what_is_seen_agrees_with_it(monkeypatch):
    support = table(np.radians(40))
    truth = standing(support, BOTTLE, 0.16)
    kept, fits = KeptBodies(), []
    monkeypatch.setattr(kept_bodies, 'fit_body', lambda *what: fits.append(1) or fit_body(*what))

    def told(body, stamp_ns, T_fixed_cam):
        """What the camera is told of a body of the fixed frame, and how far it is off, metres."""
        T_cam_fixed = inverse(T_fixed_cam)
        up = T_cam_fixed[:3, :3] @ support.normal
        plane = Plane(up, support.offset_m - up @ T_cam_fixed[:3, 3])
        frame, instances, front = frame_of(body.moved(T_cam_fixed), plane)
        frame = replace(frame, stamp_ns=stamp_ns, T_fixed_cam=T_fixed_cam)
        seen = inferred.with_bodies(frame, instances, kept)
        known = ~seen.measured
        return abs(np.median(seen.depth_m[known] - front[known]))

    for k in range(5):
        T_fixed_cam = np.eye(4)
        T_fixed_cam[:3, :3] = Rotation.from_euler('y', -0.015 * k).as_matrix()
        T_fixed_cam[0, 3] = 0.01 * k
        assert told(truth, 10_000_000 * k, T_fixed_cam) < 0.01
    assert len(fits) == 1
    away = np.eye(4)
    away[:3, 3] = 0.012 * np.cross(support.normal, [0.0, 0.0, 1.0])
    assert told(truth.moved(away), 45_000_000, np.eye(4)) < 0.01
    assert len(fits) == 2, 'it has moved'
    taller = replace(truth, places_m=1.3 * truth.places_m).moved(away)
    assert told(taller, 46_000_000, np.eye(4)) < 0.01
    assert len(fits) == 3, 'more of it shows'
    assert told(taller, 47_000_000, np.eye(4)) < 0.01
    assert len(fits) == 3
    assert told(taller, 100_000_000, np.eye(4)) < 0.01
    assert len(fits) == 4, 'no single silhouette decides'
    assert told(taller, 190_000_000, np.eye(4)) < 0.01
    assert len(fits) == 4, 'two that were alike are believed longer'
    assert len(kept.items) == 1
    monkeypatch.setattr(kept_bodies, 'LEAST', 1.01)
    assert told(taller, 191_000_000, np.eye(4)) < 0.01
    assert len(fits) == 5, 'what is no good fit is never believed'
    resumed = from_tree(KeptBodies, to_tree(kept))
    np.testing.assert_array_equal(resumed.items[0].body.radii_m, kept.items[0].body.radii_m)
    assert resumed.items[0].anew_ns == kept.items[0].anew_ns
