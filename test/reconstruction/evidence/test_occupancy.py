# SPDX-License-Identifier: Apache-2.0
"""Which voxels lie in a mesh, against solids that are known."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from sam3d_ros.reconstruction.evidence.grid import Grid
from sam3d_ros.reconstruction.evidence.occupancy import grown, inside_mesh, used_box
from sam3d_ros.reconstruction.surface.surface import extract_surface

GRID = Grid(20, 0.01, np.eye(4))


@settings(max_examples=20, deadline=None)
@given(
    st.tuples(*[st.floats(-0.03, 0.03)] * 3),
    st.floats(0.02, 0.06),
)
def test_a_net_holds_the_voxels_it_was_made_from(centre, radius_m):
    field = (np.linalg.norm(GRID.centres_m() - centre, axis=-1) - radius_m).astype(np.float32)
    found = inside_mesh(*extract_surface(field, GRID), GRID)
    clear = np.abs(field) > 0.1 * GRID.voxel_m
    np.testing.assert_array_equal(found[clear], (field < 0)[clear])


def test_hollows_are_outside():
    distance = np.linalg.norm(GRID.centres_m(), axis=-1)
    field = np.maximum(distance - 0.08, 0.04 - distance).astype(np.float32)
    found = inside_mesh(*extract_surface(field, GRID), GRID)
    assert not found[distance < 0.03].any()
    assert found[(distance > 0.05) & (distance < 0.07)].all()


def test_what_sticks_out_of_the_grid_counts_as_far_as_it_is_in():
    corners = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], np.float32)
    quads = np.array(
        [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]]
    )
    faces = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]]).astype(np.int32)
    found = inside_mesh(corners, faces, GRID)
    np.testing.assert_array_equal(found, (GRID.centres_m() > 0).all(axis=-1))


def test_growing_takes_in_all_neighbours():
    inside = np.random.default_rng(0).random((9, 8, 7)) < 0.05
    expected = ndimage.binary_dilation(inside, np.ones((3, 3, 3)))
    np.testing.assert_array_equal(grown(inside), expected)
    expected = ndimage.binary_dilation(inside, np.ones((3, 3, 3)), iterations=3)
    np.testing.assert_array_equal(grown(inside, 3), expected)


def test_the_used_box_has_a_margin_of_one_where_there_is_room():
    inside = np.zeros((9, 9, 9), bool)
    inside[3:5, 0, 2:9] = True
    assert used_box(inside) == (slice(2, 6), slice(0, 2), slice(1, 10))
    assert inside[used_box(~inside & inside)].size == 1
