# SPDX-License-Identifier: Apache-2.0
"""What the peers make of the visible sides of a box on a table."""

import numpy as np
import pytest

from sam3d_ros.bench.metrics.scoring import PosedMesh, Reference, solid_overlap
from sam3d_ros.bench.peers.peers_reconstruction import (
    PEERS,
    bounding_box,
    convex_hull,
    extruded_hull,
    main_cluster,
)

open3d = pytest.importorskip('open3d', reason='solids are tested through Open3D (extra: bench)')

SIZE = np.array([0.1, 0.12, 0.08])
TABLE_Z_M = 0.7
EYE = np.array([-0.6, -0.6, 1.3])


def visible_sides():
    """Top and the two sides towards EYE, but for their lowest two centimetres."""
    u, v = np.meshgrid(np.linspace(0, 1, 30), np.linspace(0, 1, 30))
    u, v, zero = u.ravel(), v.ravel(), np.zeros(u.size)
    upper = 0.25 + 0.75 * v
    sides = [np.stack(p, 1) for p in ((u, v, zero + 1), (u, zero, upper), (zero, u, upper))]
    return np.concatenate(sides) * SIZE + [0, 0, TABLE_Z_M]


def volume(mesh):
    corners = mesh.vertices_m[mesh.faces]
    return float(
        np.einsum('ij,ij->i', corners[:, 0], np.cross(corners[:, 1], corners[:, 2])).sum()
    )


def test_hull_lies_in_the_extruded_hull_and_that_in_the_box_on_the_table():
    points = visible_sides()
    hull, extruded = (make(points, TABLE_Z_M, EYE) for make in (convex_hull, extruded_hull))
    for mesh in (hull, extruded):
        assert volume(mesh) > 0  # faces look outward
    assert volume(hull) < volume(extruded)
    assert volume(extruded) / 6 == pytest.approx(SIZE.prod(), rel=1e-6)
    assert extruded.vertices_m[:, 2].min() == pytest.approx(TABLE_Z_M)


def test_box_is_that_of_the_points():
    points = visible_sides()
    box = bounding_box(points, TABLE_Z_M, EYE)
    np.testing.assert_allclose(box.bounds(), [points.min(axis=0), points.max(axis=0)])
    assert volume(box) / 6 == pytest.approx(SIZE.prod() * 0.75)


def test_poisson_follows_the_points():
    points = visible_sides()
    mesh = PEERS['poisson'](points, TABLE_Z_M, EYE)
    distance = Reference(mesh).surface.distance(points)
    assert np.median(distance) < 0.003


def test_extruded_hull_of_a_box_is_the_box():
    whole = open3d.geometry.TriangleMesh.create_box(*SIZE)
    truth = PosedMesh(
        np.asarray(whole.vertices) + [0, 0, TABLE_Z_M], np.asarray(whole.triangles, np.int32)
    )
    extruded = extruded_hull(visible_sides(), TABLE_Z_M, EYE)
    assert solid_overlap(extruded, Reference(truth)) > 0.95


def test_flat_points_have_no_solid():
    flat = visible_sides()[:900]
    assert convex_hull(flat, TABLE_Z_M, EYE) is None
    assert extruded_hull(flat, TABLE_Z_M, EYE) is not None


def test_stray_points_are_no_part_of_the_main_cluster():
    points = visible_sides()
    strays = np.random.default_rng(1).uniform(-1, 1, (30, 3)) + [0, 0, 2.5]
    kept = main_cluster(np.concatenate([strays, points]))
    assert kept[:, 2].max() <= points[:, 2].max() + 1e-9
    assert np.all(np.abs(np.ptp(kept, axis=0) - SIZE * [1, 1, 0.75]) < 0.01)
    assert len(main_cluster(np.zeros((0, 3)))) == len(main_cluster(strays[:5])) == 0
