# SPDX-License-Identifier: Apache-2.0
"""Surfaces take the colours of their views: balanced, without what lies beside the object."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from sam3d_ros.geometry.colors import encoded, linear
from sam3d_ros.reconstruction.appearance.appearance import coloured, look
from sam3d_ros.reconstruction.config import EvidenceConfig
from sam3d_ros.reconstruction.evidence.evidence import build_evidence
from sam3d_ros.reconstruction.views import crop_view

EYES = ((-0.5, 0.0, 0.35), (-0.45, 0.25, 0.35), (-0.45, -0.25, 0.35))
RADIUS_M, HEIGHT_M = 0.05, 0.05


def paint(points):
    """Colours of a ball's surface by the place: smooth, bright enough to compare, (P, 3)."""
    waves = np.sin(points @ np.array([[60.0, 20, -30], [-20, 70, 40], [30, -20, 60]]))
    return (130 + 70 * waves).astype(np.uint8)


def seen(scenes, eyes=EYES, gains=(1.0, 1.0, 1.0), leak_px=0):
    """Return the views of a painted ball on the grey table, taken with known gains."""
    views = []
    for eye, gain in zip(eyes, gains, strict=False):
        frame, instances = scenes.see([scenes.Ball((0, 0, HEIGHT_M), RADIUS_M)], eye)
        R, t = frame.T_fixed_cam[:3, :3], frame.T_fixed_cam[:3, 3]
        mask = instances.items[0].mask
        rgb = frame.rgb.copy()
        rgb[mask] = paint(frame.pointmap[mask] @ R.T + t)
        frame = replace(frame, rgb=encoded(gain * linear(rgb)))
        if leak_px:
            wide = cv2.dilate(mask.astype(np.uint8), np.ones((2 * leak_px + 1,) * 2, np.uint8))
            item = replace(instances.items[0], mask=wide.astype(bool))
            instances = replace(instances, items=(item,))
        views.append(crop_view(frame, instances, 0))
    return views


def surface(evidence, count=4000):
    """Return points of the ball in the world, and points and normals in the grid frame."""
    rng = np.random.default_rng(0)
    outward = rng.standard_normal((count, 3))
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    outward = outward[outward[:, 2] > -0.5]
    points = RADIUS_M * outward + [0, 0, HEIGHT_M]
    T = np.linalg.inv(evidence.grid.T_ref_grid)
    in_grid = (points @ T[:3, :3].T + T[:3, 3]).astype(np.float32)
    return points, in_grid, (outward @ T[:3, :3].T).astype(np.float32)


def errors(views, reference=1.0):
    """Mean colour error (of 255) of what some view sees, and of the rest."""
    evidence = build_evidence(views, EvidenceConfig())
    points, vertices, normals = surface(evidence)
    appearance, colors = coloured(vertices, normals, evidence)
    truth = encoded(reference * linear(paint(points))).astype(float)
    error = np.abs(colors - truth).mean(axis=1)
    some = look(vertices, normals, evidence, appearance.tolerance_m).seen
    return error[some].mean(), error[~some].mean(), appearance


def test_colours_are_those_of_the_surface(scenes):
    seen_error, _, appearance = errors(seen(scenes))
    assert seen_error < 3.0
    assert np.allclose(appearance.gains, 1.0, atol=0.02)


@pytest.mark.parametrize('gains', [(1.0, 1.4, 0.7), (0.8, 1.3, 1.2)])
def test_views_of_other_exposure_are_brought_to_the_first(scenes, gains):
    views = seen(scenes, gains=gains)
    seen_error, _, appearance = errors(views, reference=gains[0])
    assert np.allclose(appearance.gains * np.array(gains)[:, None], gains[0], rtol=0.03)
    assert seen_error < 3.5
    unbalanced = np.abs(linear(views[1].rgb).mean() / linear(views[0].rgb).mean() - 1)
    assert unbalanced > 0.2, 'the views would look alike without a balance'


def test_one_view_is_taken_as_it_is(scenes):
    seen_error, _, appearance = errors(seen(scenes, EYES[:1], (1.3,)), reference=1.3)
    assert np.array_equal(appearance.gains, np.ones((1, 3)))
    assert seen_error < 3.0


def test_a_mask_that_leaks_onto_the_table_leaves_no_trace(scenes):
    clean, leaky = (errors(seen(scenes, leak_px=px))[0] for px in (0, 2))
    assert leaky < clean + 1.5


def test_what_lies_far_beside_the_mask_is_not_looked_at(scenes):
    views = seen(scenes)
    evidence = build_evidence(views, EvidenceConfig())
    _, vertices, normals = surface(evidence)
    rng = np.random.default_rng(0)
    noisy = []
    for view in views:
        far = cv2.dilate(view.mask.astype(np.uint8), np.ones((17, 17), np.uint8)) == 0
        rgb = np.where(far[..., None], rng.integers(0, 255, view.rgb.shape), view.rgb)
        noisy.append(replace(view, rgb=rgb.astype(np.uint8)))
    _, colors = coloured(vertices, normals, evidence)
    _, same = coloured(vertices, normals, replace(evidence, views=tuple(noisy)))
    np.testing.assert_array_equal(colors, same)


def test_what_no_view_shows_is_darker_the_more_it_looks_down_than_what_lends_its_colour(scenes):
    evidence = build_evidence(seen(scenes, EYES[:1]), EvidenceConfig())
    _, vertices, normals = surface(evidence)
    appearance, _ = coloured(vertices, normals, evidence)
    sight = look(vertices, normals, evidence, appearance.tolerance_m)
    hidden = ~sight.seen
    lit = replace(appearance, mirror=None)
    # Of faces that all look up the lenders look down more, and nothing is brightened.
    level = np.tile(np.array([0.0, 0.0, 1.0], np.float32), (len(normals), 1))
    as_lent = lit._completed(vertices, level, sight)
    shaded = lit.colors(vertices, normals)
    ratio = shaded[hidden].sum(axis=1) / as_lent[hidden].sum(axis=1)
    assert (shaded[~hidden] == as_lent[~hidden]).all()
    assert ratio.max() <= 1.01
    down = normals[hidden][:, 2]
    assert ratio[down < -0.3].mean() < 0.87 < ratio[down > 0.3].mean()


def test_a_surface_that_no_view_shows_is_grey(scenes):
    evidence = build_evidence(seen(scenes), EvidenceConfig())
    _, vertices, normals = surface(evidence)
    _, colors = coloured(vertices + np.float32(0.5), normals, evidence)
    assert (colors == 128).all()


def test_the_far_side_takes_its_mirror_image(scenes):
    """A box with stripes from left to right looks the same from behind."""
    frame, instances = scenes.see([scenes.Box((0, 0, 0.06), (0.08, 0.08, 0.12))])
    mask = instances.items[0].mask
    R, t = frame.T_fixed_cam[:3, :3], frame.T_fixed_cam[:3, 3]
    rgb = frame.rgb.copy()
    heights = (frame.pointmap[mask] @ R.T + t)[:, 2]
    rgb[mask] = np.where((heights > 0.06)[:, None], [200, 60, 60], [60, 60, 200])
    view = crop_view(replace(frame, rgb=rgb), instances, 0)
    evidence = build_evidence([view], EvidenceConfig())
    far = np.array([[0.04, y, z] for y in (-0.02, 0, 0.02) for z in (0.02, 0.04, 0.08, 0.10)])
    near = np.array(
        [
            [-0.04, y, z]
            for y in np.linspace(-0.039, 0.039, 40)
            for z in np.linspace(0.005, 0.118, 60)
        ]
    )
    points = np.concatenate([far, near])
    normals = np.repeat([[1.0, 0, 0], [-1.0, 0, 0]], [len(far), len(near)], axis=0)
    T = np.linalg.inv(evidence.grid.T_ref_grid)
    vertices = (points @ T[:3, :3].T + T[:3, 3]).astype(np.float32)
    _, colors = coloured(vertices, (normals @ T[:3, :3].T).astype(np.float32), evidence)
    expected = np.where((far[:, 2] > 0.06)[:, None], [200, 60, 60], [60, 60, 200])
    assert np.abs(colors[: len(far)].astype(int) - expected).max() < 20
