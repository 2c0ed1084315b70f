# SPDX-License-Identifier: Apache-2.0
"""Symmetries and ways up of solids that have known ones, however they lie."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from sam3d_ros.core.solids import Symmetry
from sam3d_ros.geometry.shapes.symmetries import (
    canonical_up,
    moved_symmetry,
    same_poses,
    symmetry_of,
)
from sam3d_ros.geometry.transforms import apply, transform

trimesh = pytest.importorskip('trimesh', reason='made-up meshes (extra: bench)')

UP = np.array([0.0, 0.0, 1.0])


def prism(sides):
    """Return a right prism, higher than wide, whose base has so many sides."""
    return trimesh.creation.cylinder(0.04, 0.14, sections=sides)


def mug():
    """Return a cup with a handle as one surface of two parts."""
    cup = trimesh.creation.cylinder(0.04, 0.09, sections=40)
    handle = trimesh.creation.box((0.05, 0.012, 0.06))
    handle.apply_translation([0.06, 0, 0.02])
    return trimesh.util.concatenate([cup, handle])


def vessel(radii, heights):
    """Return a solid turned about z: outline (radius, height) from the axis to the axis."""
    return trimesh.creation.revolve(np.stack([radii, heights], axis=1), sections=40)


BOWL = ([0, 0.03, 0.06, 0.056, 0.027, 0], [0, 0, 0.05, 0.05, 0.004, 0.004])
VASE = (
    [0, 0.051, 0.019, 0.034, 0.047, 0.036, 0.032, 0.043, 0.03, 0.015, 0.047, 0],
    [0, 0, 0.05, 0.1, 0.155, 0.21, 0.21, 0.155, 0.1, 0.05, 0.008, 0.008],
)
FLASK = ([0, 0.025, 0.025, 0.01, 0.01, 0], [0, 0, 0.14, 0.18, 0.23, 0.23])
BOTTLE = ([0, 0.035, 0.035, 0.012, 0.012, 0], [0, 0, 0.12, 0.16, 0.2, 0.2])


def shown(mesh, seed=0):
    """Return a mesh's vertices as it lies somewhere, its faces, and the rotation that put it."""
    R = np.eye(3) if seed == 0 else Rotation.random(random_state=seed).as_matrix()
    vertices = np.asarray(mesh.vertices) @ R.T + [0.2, -0.1, 0.5]
    return vertices, np.asarray(mesh.faces), R


@pytest.mark.parametrize(
    ('mesh', 'kind', 'fold'),
    [
        (prism(40), 'revolution', 0),
        (prism(3), 'rotation', 3),
        (prism(4), 'rotation', 4),
        (trimesh.creation.box((0.05, 0.09, 0.16)), 'rotation', 2),
        (mug(), 'mirror', 1),
    ],
    ids=['cylinder', 'three', 'four', 'box', 'mug'],
)
@pytest.mark.parametrize('seed', [0, 5])
def test_known_symmetries_are_found(mesh, kind, fold, seed):
    vertices, faces, R = shown(mesh, seed)
    found = symmetry_of(vertices, faces)
    assert (found.kind, found.fold) == (kind, fold)
    axis = R @ ([0.0, 1.0, 0.0] if kind == 'mirror' else UP)
    if fold != 2:
        assert abs(found.axis @ axis) > 0.99


@pytest.mark.parametrize(('sides', 'kind'), [(40, 'revolution'), (4, 'rotation')])
def test_what_is_badly_round_is_round_and_what_has_edges_has_not_lost_them(sides, kind):
    mesh = prism(sides).subdivide_to_size(0.008)
    vertices, faces, _ = shown(mesh)
    away = mesh.vertices / [0.04, 0.04, 0.07]
    # The far side of a thing is a guess, and bulges.
    dents = 0.5 * np.maximum(away[:, :1], 0) ** 2 if sides == 40 else 0.0
    bulged = vertices + dents * np.asarray(mesh.vertices) * [1, 1, 0]
    assert symmetry_of(bulged, faces).kind == kind


def test_what_has_none_has_none():
    lump = trimesh.creation.box((0.1, 0.06, 0.04))
    for size, place in (
        ((0.03, 0.03, 0.09), (0.045, 0.02, 0.05)),
        ((0.08, 0.02, 0.02), (0.02, 0.04, 0)),
    ):
        part = trimesh.creation.box(size)
        part.apply_translation(place)
        lump = trimesh.util.concatenate([lump, part])
    assert symmetry_of(*shown(lump)[:2]).kind == 'none'


@given(st.integers(1, 10_000), st.sampled_from([2, 3, 4, 6, 0]))
@settings(max_examples=20)
def test_same_poses_are_a_group_that_moves_with_the_shape(seed, fold):
    rng = np.random.default_rng(seed)
    axis = rng.normal(size=3)
    kind = 'rotation' if fold else 'revolution'
    symmetry = Symmetry(kind, fold, axis / np.linalg.norm(axis), rng.normal(size=3))
    poses = same_poses(symmetry)
    assert len(poses) == (fold or 36)
    np.testing.assert_allclose(poses[0], np.eye(4))
    np.testing.assert_allclose(poses[1] @ poses[-1], np.eye(4), atol=1e-9)
    T = transform(Rotation.random(random_state=seed).as_matrix(), rng.normal(size=3))
    points = rng.normal(size=(5, 3))
    elsewhere = same_poses(moved_symmetry(symmetry, T))[1]
    np.testing.assert_allclose(
        apply(elsewhere, apply(T, points)), apply(T, apply(poses[1], points)), atol=1e-9
    )


@pytest.mark.parametrize(
    'outline', [BOWL, BOTTLE, FLASK, VASE], ids=['bowl', 'bottle', 'slender', 'wide foot']
)
@pytest.mark.parametrize('seed', range(3))
def test_vessels_belong_with_their_open_or_narrow_end_up(outline, seed):
    vertices, faces, R = shown(vessel(*outline), seed)
    symmetry = symmetry_of(vertices, faces)
    assert canonical_up(vertices, faces, symmetry, UP) @ R @ UP > 0.98


@pytest.mark.parametrize('seed', range(3))
def test_a_pan_belongs_open_side_up_whatever_its_handle(seed):
    pan = vessel([0, 0.07, 0.07, 0.065, 0.065, 0], [0, 0, 0.05, 0.05, 0.005, 0.005])
    handle = trimesh.creation.box((0.16, 0.03, 0.02))
    handle.apply_translation([0.145, 0, 0.03])
    vertices, faces, R = shown(trimesh.util.concatenate([pan, handle]), seed)
    symmetry = symmetry_of(vertices, faces)
    assert symmetry.kind == 'mirror'
    assert canonical_up(vertices, faces, symmetry, UP) @ R @ UP > 0.98


def test_what_has_no_such_end_belongs_as_it_stands():
    slab, box = (trimesh.creation.box((0.05, 0.13, height)) for height in (0.008, 0.2))
    for mesh in (slab, box, trimesh.creation.icosphere(3, 0.05)):
        vertices, faces, _ = shown(mesh)
        found = canonical_up(vertices, faces, symmetry_of(vertices, faces), UP)
        np.testing.assert_allclose(found, UP)
    flat = vertices * [1.0, 1.0, 0.0]
    np.testing.assert_allclose(canonical_up(flat, faces, symmetry_of(flat, faces), UP), UP)
    lying, faces, R = shown(prism(40), 3)
    found = canonical_up(lying, faces, symmetry_of(lying, faces), UP)
    assert abs(found @ R @ UP) > 0.98
