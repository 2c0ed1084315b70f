# SPDX-License-Identifier: Apache-2.0
"""Boxes that hover, sink in and stand in each other are put right within their covariance, and
told; nothing else of them changes.
"""

from dataclasses import replace

import numpy as np
import pytest

trimesh = pytest.importorskip('trimesh')

from sam3d_ros.core.types import FaceLabel, Mesh, ObjectState, Provenance, SceneObject
from sam3d_ros.geometry.shapes.convex import convex_parts
from sam3d_ros.geometry.transforms import apply, inverse, transform
from sam3d_ros.scene.config import SceneConfig
from sam3d_ros.scene.contacts import Contacts
from sam3d_ros.scene.separation import separation

UP = np.array([0.0, 0.0, 1.0])
FLOOR = np.array([0.0, 0.0, 1.0, 0.0])
SIGMA_M = 0.002


def box(number, middle, size=(0.1, 0.1, 0.1), seen_from=(0.0, -1.0, 0.3), grown=0.0):
    """A box whose faces towards a side were observed; the others may lie too far out."""
    solid = trimesh.creation.box(size)
    while solid.edges_unique_length.max() > 0.02:
        solid = solid.subdivide()
    is_seen = solid.face_normals @ np.asarray(seen_from) > 0.1
    vertices = np.array(solid.vertices)
    guessed = np.ones(len(vertices), bool)
    guessed[solid.faces[is_seen]] = False
    vertices[guessed] *= 1.0 + grown
    mesh = Mesh(
        vertices.astype(np.float32),
        np.asarray(solid.faces, np.int32),
        np.zeros((len(vertices), 3), np.uint8),
        np.where(is_seen, FaceLabel.OBSERVED, FaceLabel.OCCLUDED).astype(np.uint8),
        np.ones(len(solid.faces), np.float32),
    )
    return SceneObject(
        number, ObjectState.VISIBLE, '', 1.0, transform(np.eye(3), np.array(middle)),
        np.diag([SIGMA_M**2] * 3 + [1e-4] * 3), np.ptp(vertices, axis=0), np.zeros(3), 0.1, mesh,
        0.5, Provenance('test'), 0, 0, 3, 0,
    )  # fmt: skip


def settled(*objects, standing=(), contacts=None):
    contacts = contacts or Contacts(SceneConfig())
    for number in standing:
        contacts.stood_on(number, FLOOR)
    return contacts.settled(objects, UP)


def points(item):
    return apply(item.T_fixed_obj, item.mesh.vertices_m.astype(np.float64))


def test_convex_parts_that_came_with_a_mesh_are_cut_with_it():
    lower, upper = box(1, (0.0, 0.0, 0.05)), box(2, (0.0, 0.098, 0.05), grown=0.1)
    came = [
        replace(
            item,
            mesh=replace(item.mesh, parts=convex_parts(item.mesh.vertices_m, item.mesh.faces)),
        )
        for item in (lower, upper)
    ]
    out = settled(*came, standing=(1, 2))
    for item, whole in zip(out, came, strict=True):
        assert item.contact
        assert len(item.mesh.parts) == len(whole.mesh.parts)
        corners = np.concatenate([part.corners_m for part in item.mesh.parts])
        low, high = item.mesh.vertices_m.min(axis=0), item.mesh.vertices_m.max(axis=0)
        assert corners.min(axis=0) == pytest.approx(low, abs=0.001)
        assert corners.max(axis=0) == pytest.approx(high, abs=0.001)


@pytest.mark.parametrize('off_m', [0.003, -0.003])
def test_what_hovers_or_sinks_in_is_put_onto_its_support(off_m):
    item = box(1, (0.0, 0.0, 0.05 + off_m))
    (put,) = settled(item, standing=[1])
    assert points(put)[:, 2].min() == pytest.approx(0.0, abs=1e-6)
    # The pose, of 2 mm, takes less of it than the bottom, of 3 mm: 4 parts of 4 + 1 + 9.
    moved = put.T_fixed_obj[2, 3] - item.T_fixed_obj[2, 3]
    assert moved == pytest.approx(-off_m * 4 / 14, abs=1e-9)
    assert 'moved 0.9 mm onto its support' in put.contact
    assert ('lowered by 2.1 mm' if off_m > 0 else 'cut by up to 2.1 mm') in put.contact
    assert points(put)[:, 2].max() - points(item)[:, 2].max() == pytest.approx(moved, abs=1e-6)
    assert np.array_equal(put.covariance, item.covariance)


def test_what_hovers_by_many_sigmas_stays_where_it_is():
    item = box(1, (0.0, 0.0, 0.08))
    (put,) = settled(item, standing=[1])
    assert np.array_equal(put.T_fixed_obj, item.T_fixed_obj)
    assert put.mesh is item.mesh and put.contact == ''


def test_what_is_deep_in_its_support_is_cut_there():
    (put,) = settled(box(1, (0.0, 0.0, 0.03)), standing=[1])
    assert points(put)[:, 2].min() == pytest.approx(0.0, abs=1e-6)
    assert put.contact == 'cut by up to 20.0 mm at its support'
    assert put.size_m == pytest.approx([0.1, 0.1, 0.08], abs=1e-6)


def test_a_rough_bottom_is_levelled():
    item = box(1, (0.0, 0.0, 0.05))
    vertices = item.mesh.vertices_m.copy()
    is_low = vertices[:, 2] < -0.049
    vertices[is_low, 2] += np.random.default_rng(0).uniform(0.0, 0.004, is_low.sum())
    vertices[np.argmin(vertices[:, 2]), 2] = -0.05
    rough = replace(item, mesh=replace(item.mesh, vertices_m=vertices))
    (put,) = settled(rough, standing=[1])
    guessed = is_low & (vertices[:, 1] > -0.049)
    assert np.abs(points(put)[guessed, 2]).max() < 1e-6


def test_what_overlaps_is_parted_where_it_was_not_seen():
    # Both are seen from opposite sides; what was made up of them overlaps by 12 mm.
    front = box(1, (0.0, -0.053, 0.05), seen_from=(0.0, -1.0, 0.3), grown=0.24)
    back = box(2, (0.0, 0.053, 0.05), seen_from=(0.0, 1.0, 0.3), grown=0.24)
    assert points(front)[:, 1].max() - points(back)[:, 1].min() > 0.01
    a, b = settled(front, back)
    found = separation(*(points(item) for item in (a, b, a, b)))
    assert found.overlap_m <= 0.0
    assert 'mm at 2' in a.contact and 'mm at 1' in b.contact
    for before, after in ((front, a), (back, b)):
        seen = np.unique(before.mesh.faces[before.mesh.face_labels == FaceLabel.OBSERVED])
        assert np.abs(points(after)[seen] - points(before)[seen]).max() < 0.003


def test_what_was_seen_inside_another_is_left_and_told():
    shell = box(1, (0.0, 0.0, 0.05), (0.3, 0.3, 0.1))
    ball = box(2, (0.0, 0.0, 0.06), (0.06, 0.06, 0.06))
    a, b = settled(shell, ball)
    assert a.mesh is shell.mesh and b.mesh is ball.mesh
    assert a.contact == 'not parted from 2, which was seen in it or around it'


def test_a_box_on_a_box_is_laid_down():
    low, top = box(1, (0.0, 0.0, 0.05)), box(2, (0.0, 0.0, 0.134), (0.06, 0.06, 0.06))
    _, put = settled(low, top, standing=[1, 2])
    assert points(put)[:, 2].min() == pytest.approx(0.1, abs=1e-3)
    assert put.contact.startswith('moved ') and put.contact.endswith(' mm onto 1')


def test_what_rests_is_published_unchanged_and_what_moves_is_cut_anew():
    contacts = Contacts(SceneConfig())
    front = box(1, (0.0, -0.053, 0.05), grown=0.24)
    back = box(2, (0.0, 0.053, 0.05), seen_from=(0.0, 1.0, 0.3), grown=0.24)
    first = settled(front, back, contacts=contacts)
    shaken = replace(front, T_fixed_obj=front.T_fixed_obj + 0.0001 * np.eye(4, k=3))
    second = settled(shaken, back, contacts=contacts)
    assert [item.mesh for item in first] == [item.mesh for item in second]
    gone = transform(np.eye(3), np.array([0.0, -0.3, 0.05]))
    moved, stayed = settled(replace(front, T_fixed_obj=gone), back, contacts=contacts)
    assert moved.mesh is front.mesh and stayed.mesh is back.mesh and stayed.contact == ''


def test_supports_are_averaged_move_with_the_map_and_are_remembered():
    contacts = Contacts(SceneConfig())
    for d in (0.002, -0.002, 0.001, -0.001):
        contacts.stood_on(1, np.array([0.0, 0.0, 1.0, d]))
    T = transform(np.eye(3), np.array([0.0, 0.0, 1.0]))
    contacts.move(1, T)
    again = Contacts(SceneConfig())
    again.restore(contacts.state({}), {})
    item = box(1, (0.0, 0.0, 1.052))
    (put,) = settled(item, contacts=again)
    assert apply(inverse(T), points(put))[:, 2].min() == pytest.approx(0.0, abs=1e-5)


def test_what_was_saved_is_cut_and_parted_as_before_to_the_last_bit():
    front = box(1, (0.0, -0.053, 0.0501), grown=0.24)
    back = box(2, (0.0, 0.053, 0.0501), seen_from=(0.0, 1.0, 0.3), grown=0.24)
    contacts = Contacts(SceneConfig())
    settled(front, back, standing=(1, 2), contacts=contacts)
    copies = [replace(item, mesh=replace(item.mesh)) for item in (front, back)]
    again = Contacts(SceneConfig())
    state = contacts.state({1: front.mesh, 2: back.mesh})
    again.restore(state, {item.id: item.mesh for item in copies})
    # One moves, by so little that what was found before holds.
    shaken = [replace(front, T_fixed_obj=front.T_fixed_obj + np.diag([0.0003, 0.0003], 2)), back]
    went_on = contacts.settled(shaken, UP)
    resumed = again.settled(
        [replace(item, mesh=copy.mesh) for item, copy in zip(shaken, copies, strict=True)], UP
    )
    anew = Contacts(SceneConfig())
    anew.restore(contacts.state({}), {})
    for a, b, c in zip(went_on, resumed, anew.settled(shaken, UP), strict=True):
        np.testing.assert_array_equal(a.mesh.vertices_m, b.mesh.vertices_m)
        np.testing.assert_array_equal(a.T_fixed_obj, b.T_fixed_obj)
        assert a.contact == b.contact
        assert not np.array_equal(a.mesh.vertices_m, c.mesh.vertices_m)
