# SPDX-License-Identifier: Apache-2.0
"""Meshes from outside are checked before they are believed."""

from dataclasses import replace

import numpy as np
import pytest
from made_up_scenes import ball

from sam3d_ros.core.errors import InputError
from sam3d_ros.messages.cdr import encode
from sam3d_ros.messages.results.meshes import checked, mesh_message
from sam3d_ros.messages.types import StoreTypes
from sam3d_ros.messages.typestore import typestore


def test_a_mesh_message_holds_the_mesh():
    mesh = ball(1)
    message = mesh_message(StoreTypes(), mesh.vertices_m, mesh.faces)
    typename = 'shape_msgs/msg/Mesh'
    sent = typestore().deserialize_cdr(encode(message, typename), typename)
    assert np.array_equal([[p.x, p.y, p.z] for p in sent.vertices], mesh.vertices_m)
    assert np.array_equal([t.vertex_indices for t in sent.triangles], mesh.faces)


@pytest.mark.parametrize(
    ('changes', 'reason'),
    [
        ({'colors': np.zeros((3, 3), np.uint8)}, '3 colours'),
        ({'face_labels': np.zeros(2, np.uint8)}, '2 labels'),
        ({'face_confidence': np.zeros(5, np.float32)}, '5 confidences'),
        ({'vertices_m': np.zeros((2, 3), np.float32)}, '2 vertices'),
    ],
)
def test_arrays_that_do_not_fit(changes, reason):
    with pytest.raises(InputError, match=reason):
        checked(replace(ball(1), **changes), 'a mesh')


@pytest.mark.parametrize('index', [-1, 60])
def test_faces_of_vertices_that_are_not_there(index):
    mesh = ball(1)
    faces = mesh.faces.copy()
    faces[0, 0] = index
    with pytest.raises(InputError, match='not there'):
        checked(replace(mesh, faces=faces), 'a mesh')
    assert checked(mesh, 'a mesh') is mesh
