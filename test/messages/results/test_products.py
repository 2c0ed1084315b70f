# SPDX-License-Identifier: Apache-2.0
"""What is derived from a mesh is made once and kept while the mesh stays."""

from dataclasses import replace

import numpy as np
from made_up_scenes import ball, scene, scene_object

from sam3d_ros.geometry.shapes.convex import convex_hull
from sam3d_ros.messages.results.meshes import mesh_hash
from sam3d_ros.messages.results.products import MeshLibrary


def test_an_unchanged_mesh_keeps_its_products():
    library = MeshLibrary(100)
    item = scene_object(3)
    first = library.update(scene(item))[3]
    assert library.update(scene(replace(item, score=0.1)))[3] is first
    other = library.update(scene(replace(item, mesh=ball(9))))[3]
    assert other is not first and other.hash != first.hash


def test_products_of_objects_that_went_are_forgotten():
    library = MeshLibrary(100)
    library.update(scene(scene_object(3)))
    assert set(library.update(scene(scene_object(4)))) == {4}


def test_convex_parts_are_kept_while_they_fit():
    library = MeshLibrary(100)
    item = scene_object(3)
    hulls = library.update(scene(item))[3].hulls
    touched = replace(item.mesh, vertices_m=item.mesh.vertices_m + np.float32(0.001))
    assert library.update(scene(replace(item, mesh=touched)))[3].hulls is hulls
    spike = item.mesh.vertices_m.copy()
    spike[0] *= 2.0
    grown = library.update(scene(replace(item, mesh=replace(item.mesh, vertices_m=spike))))[3]
    assert grown.hulls is not hulls


def test_small_changes_do_not_creep():
    """Each step is small, but hulls are compared with the mesh they were made for."""
    library = MeshLibrary(100)
    item = scene_object(3)
    first = library.update(scene(item))[3].hulls
    for step in range(1, 6):
        shifted = replace(item.mesh, vertices_m=item.mesh.vertices_m + np.float32(0.001 * step))
        last = library.update(scene(replace(item, mesh=shifted)))[3].hulls
    assert last is not first


def test_the_hash_is_of_the_content():
    mesh = ball(1)
    assert mesh_hash(mesh) == mesh_hash(replace(mesh, vertices_m=mesh.vertices_m.copy()))
    recolored = mesh.colors.copy()
    recolored[0, 0] ^= 1
    assert mesh_hash(mesh) != mesh_hash(replace(mesh, colors=recolored))


def test_convex_parts_that_came_with_the_mesh_are_not_made_again():
    item = scene_object(3)
    parts = (convex_hull(item.mesh.vertices_m.astype(np.float64)),)
    known = MeshLibrary(100).update(scene(replace(item, mesh=replace(item.mesh, parts=parts))))
    assert known[3].hulls.parts is parts
