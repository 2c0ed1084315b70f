# SPDX-License-Identifier: Apache-2.0
"""Mesh files for viewers and planners that open them."""

import pytest

from sam3d_ros.export.ply import read_ply
from sam3d_ros.messages import topics

pytestmark = pytest.mark.dds


def test_every_object_names_the_file_of_its_mesh(ros, frames, play, tmp_path):
    from pathlib import Path

    options = {'outputs.mesh_folder': str(tmp_path), 'outputs.marker_mode': 'mesh_resource'}
    graph = ros.graph('/filed', options)
    camera, objects = graph.camera(), graph.listen(topics.OBJECTS)
    markers = graph.listen(topics.MARKERS)
    message = play(camera, objects, frames(3))
    for item in message.objects:
        assert item.mesh_uri == Path(item.mesh_path).as_uri()
        assert item.mesh_hash[:8] in item.mesh_path
        assert len(read_ply(Path(item.mesh_path)).faces) == len(item.mesh.triangles)
    paths = {item.mesh_uri for item in message.objects}
    markers.wait(lambda m: paths <= {marker.mesh_resource for marker in m.markers})
    graph.close()


def test_file_markers_without_a_folder_are_refused(ros):
    from sam3d_ros.nodes.objects.objects_node import ObjectsNode

    arguments = ['--ros-args', '-p', 'outputs.marker_mode:=mesh_resource']
    node = ObjectsNode(namespace='/unfiled', cli_args=arguments)
    assert not node.start()
    node.destroy_node()
