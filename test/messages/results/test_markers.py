# SPDX-License-Identifier: Apache-2.0
"""Marker arrays are complete, valid for RViz, and made only when something changed."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_up_scenes import STAMP_NS, ball, points_of, scene, scene_object
from scipy.spatial.transform import Rotation

from sam3d_ros.core.errors import ConfigurationError
from sam3d_ros.core.types import ObjectState
from sam3d_ros.messages.cdr import encode
from sam3d_ros.messages.config import OutputConfig
from sam3d_ros.messages.results.markers import (
    ADD,
    DELETE,
    DELETEALL,
    LAYERS,
    MESH_RESOURCE,
    TRIANGLE_LIST,
    MarkerState,
)
from sam3d_ros.messages.results.products import MeshLibrary
from sam3d_ros.messages.types import ClassTypes, StoreTypes


class Viewer:
    """What RViz would show: applies each array to what it knows."""

    def __init__(self, config=None, types=None, **arguments) -> None:
        self.state = MarkerState(types or StoreTypes(), config or OutputConfig(), **arguments)
        self.library = MeshLibrary(1000)
        self.shown = {}
        self.arrays = 0

    def update(self, value, files=None):
        array = self.state.update(value, self.library.update(value), files)
        if array is None:
            return None
        self.arrays += 1
        keys = [(marker.ns, marker.id, marker.action) for marker in array.markers]
        assert len(set(keys)) == len(keys), 'RViz reports duplicates as errors'
        for marker in array.markers:
            if marker.action == DELETEALL:
                self.shown.clear()
            elif marker.action == DELETE:
                self.shown.pop((marker.ns, marker.id), None)
            else:
                assert marker.action == ADD
                self.shown[marker.ns, marker.id] = marker
        return array


def test_every_layer_in_the_objects_frame():
    viewer = Viewer()
    viewer.update(scene(scene_object(3), scene_object(4)))
    assert set(viewer.shown) == {(layer, number) for layer in LAYERS for number in (3, 4)}
    for (_, number), marker in viewer.shown.items():
        assert marker.header.frame_id == f'object_{number}'
        assert marker.frame_locked
        assert marker.pose.orientation.w == 1.0 or marker.ns == 'covariance'
        assert marker.lifetime.sec == marker.lifetime.nanosec == 0
        stamp = marker.header.stamp
        assert stamp.sec * 10**9 + stamp.nanosec == STAMP_NS
        assert marker.scale.x > 0 and marker.scale.y > 0 and marker.scale.z > 0


def test_triangles_are_what_rviz_takes():
    viewer = Viewer()
    item = scene_object(3)
    viewer.update(scene(item))
    mesh = viewer.shown['mesh', 3]
    assert mesh.type == TRIANGLE_LIST
    assert len(mesh.points) == 3 * len(item.mesh.faces) == len(mesh.colors)
    assert np.isfinite(mesh.points).all()
    layers = [viewer.shown[layer, 3] for layer in ('observed', 'hallucinated')]
    assert sum(len(layer.points) for layer in layers) == len(mesh.points)
    low, high = mesh.points.min(axis=0), mesh.points.max(axis=0)
    box = viewer.shown['bbox', 3].points
    assert np.allclose(box.min(axis=0), low, atol=1e-6)
    assert np.allclose(box.max(axis=0), high, atol=1e-6)
    assert len(box) == 24
    encode(viewer.update(scene()), 'visualization_msgs/msg/MarkerArray')


def test_the_ellipsoid_is_two_sigma_in_the_objects_axes():
    viewer = Viewer()
    item = scene_object(3)
    viewer.update(scene(item))
    marker = viewer.shown['covariance', 3]
    q, s = marker.pose.orientation, marker.scale
    axes = Rotation.from_quat([q.x, q.y, q.z, q.w]).as_matrix()
    half_m = np.diag([s.x, s.y, s.z]) / 2
    rotation = item.T_fixed_obj[:3, :3] @ axes
    drawn = rotation @ (half_m / 2) ** 2 @ rotation.T
    assert np.allclose(drawn, item.covariance[:3, :3], rtol=1e-6, atol=1e-12)


def test_a_growing_uncertainty_is_drawn_in_few_steps():
    viewer = Viewer()
    item = scene_object(3)
    for grown in np.linspace(1.0, 4.0, 30):
        viewer.update(scene(replace(item, covariance=item.covariance * grown)))
    assert 2 <= viewer.arrays <= 1 + 3 * 3


def test_large_meshes_are_decimated():
    viewer = Viewer(OutputConfig(marker_faces=100))
    viewer.library = MeshLibrary(100)
    viewer.update(scene(scene_object(3, mesh=ball(3, corners=2000))))
    assert len(viewer.shown['mesh', 3].points) <= 300


def test_a_new_pose_or_stamp_makes_no_new_array():
    viewer = Viewer()
    item = scene_object(3)
    viewer.update(scene(item))
    T_fixed_obj = item.T_fixed_obj.copy()
    T_fixed_obj[:3, 3] += 0.3
    moved = replace(item, T_fixed_obj=T_fixed_obj, score=item.score + 0.001)
    assert viewer.update(scene(moved, stamp_ns=STAMP_NS + 1)) is None
    hidden = replace(item, state=ObjectState.OCCLUDED)
    assert viewer.update(scene(hidden)) is not None
    assert '(occluded)' in viewer.shown['label', 3].text
    assert viewer.update(scene(replace(hidden, mesh=ball(7)))) is not None


def test_what_went_is_deleted_and_stays_deleted():
    viewer = Viewer()
    viewer.update(scene(scene_object(3), scene_object(4)))
    array = viewer.update(scene(scene_object(4)))
    gone = {(marker.ns, marker.id) for marker in array.markers if marker.action == DELETE}
    assert gone == {(layer, 3) for layer in LAYERS}
    assert {number for _, number in viewer.shown} == {4}
    late = Viewer()
    for _ in range(5):
        array = viewer.update(scene(scene_object(4)))
        if array is not None:
            late.shown = {(m.ns, m.id) for m in array.markers if m.action == ADD}
    assert array is None, 'deletions are not repeated for ever'
    assert late.shown == {(layer, 4) for layer in LAYERS}, 'each array is the complete state'


def test_an_empty_scene_is_an_empty_array():
    viewer = Viewer()
    assert viewer.update(scene()).markers == []
    assert viewer.update(scene()) is None


def test_tentative_objects_have_no_frame_and_so_no_markers():
    viewer = Viewer()
    assert viewer.update(scene(scene_object(3, ObjectState.TENTATIVE))).markers == []


def test_leftovers_of_a_run_before_are_cleared_with_the_first_object():
    state = MarkerState(StoreTypes(), OutputConfig())
    library = MeshLibrary(1000)
    actions = []
    for value in (scene(), scene(scene_object(3)), scene(scene_object(3), scene_object(4))):
        actions.append([m.action for m in state.update(value, library.update(value)).markers])
    assert actions[0] == []
    assert actions[1][0] == DELETEALL and DELETEALL not in actions[1][1:]
    assert DELETEALL not in actions[2]


@pytest.mark.parametrize(
    ('mode', 'same_host', 'kind'),
    [
        ('auto', True, MESH_RESOURCE),
        ('auto', False, TRIANGLE_LIST),
        ('mesh_resource', False, MESH_RESOURCE),
        ('triangle_list', True, TRIANGLE_LIST),
    ],
)
def test_marker_modes(mode, same_host, kind):
    viewer = Viewer(OutputConfig(marker_mode=mode, mesh_folder='/data'), same_host=same_host)
    viewer.update(scene(scene_object(3)), {3: Path('/data/3_ab.ply')})
    marker = viewer.shown['mesh', 3]
    assert marker.type == kind
    if kind == MESH_RESOURCE:
        assert marker.mesh_resource == 'file:///data/3_ab.ply'
        assert marker.color.a == 0.0 and marker.mesh_use_embedded_materials


def test_files_without_a_folder_are_refused():
    with pytest.raises(ConfigurationError, match=r'Set outputs\.mesh_folder'):
        MarkerState(StoreTypes(), OutputConfig(marker_mode='mesh_resource'))


def test_a_marker_that_changes_its_type_is_deleted_first():
    viewer = Viewer(OutputConfig(marker_mode='mesh_resource', mesh_folder='/data'))
    viewer.update(scene(scene_object(3)))
    array = viewer.update(scene(scene_object(3)), {3: Path('/data/3_ab.ply')})
    actions = [m.action for m in array.markers if (m.ns, m.id) == ('mesh', 3)]
    assert actions == [DELETE, ADD]
    assert viewer.shown['mesh', 3].type == MESH_RESOURCE


def test_generated_classes_serve_as_well():
    pytest.importorskip('visualization_msgs')
    value = scene(scene_object(3))
    library = MeshLibrary(1000)
    arrays = [
        MarkerState(types, OutputConfig()).update(value, library.update(value))
        for types in (StoreTypes(), ClassTypes())
    ]
    typename = 'visualization_msgs/msg/MarkerArray'
    points = [array.markers[1].points for array in arrays]
    assert points[1][5].y == points[0][5, 1]
    assert len(encode(arrays[0], typename)) == len(encode(arrays[1], typename))


def test_before_its_surface_an_object_is_a_box_with_a_name():
    viewer = Viewer()
    viewer.update(scene(scene_object(3, mesh=points_of(ball(3)))))
    assert {layer for layer, _ in viewer.shown} == {'bbox', 'label', 'axes', 'covariance'}
    viewer.update(scene(scene_object(3)))
    assert {layer for layer, _ in viewer.shown} == set(LAYERS)
