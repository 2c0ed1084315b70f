# SPDX-License-Identifier: Apache-2.0
"""The folder holds the meshes of the objects that are known, each under a name of its content."""

from dataclasses import replace

import numpy as np
from made_up_scenes import ball, scene, scene_object

from sam3d_ros.export.mesh_folder import MeshFolder
from sam3d_ros.export.ply import read_ply
from sam3d_ros.messages.results.products import MeshLibrary


def test_files_follow_the_scene(tmp_path):
    folder, library = MeshFolder(tmp_path / 'new'), MeshLibrary(100)
    (tmp_path / 'new' / 'kept.txt').write_text('not ours')

    def update(*items):
        value = scene(*items)
        return folder.update(value, library.update(value))

    one, two = scene_object(3), scene_object(4)
    first = update(one, two)
    assert all(file.is_absolute() and file.is_file() for file in first.values())
    assert np.array_equal(read_ply(first[3]).vertices_m, one.mesh.vertices_m)
    written_ns = first[3].stat().st_mtime_ns
    assert update(one, two) == first and first[3].stat().st_mtime_ns == written_ns
    second = update(replace(one, mesh=ball(9)))
    assert second[3] != first[3], 'viewers cache by name'
    names = {path.name for path in (tmp_path / 'new').iterdir()}
    assert names == {'kept.txt', second[3].name}
