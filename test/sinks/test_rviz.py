# SPDX-License-Identifier: Apache-2.0
"""A strict RViz reads our file and our messages: what RViz would complain about fails here.

RViz itself cannot run in this environment. This one subscribes as the shipped file says, and
takes what the sinks tell: types, qualities of service, frames, lifetimes, files of meshes.
"""

import os
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote, urlparse

import numpy as np
import pytest
import yaml
from made_up_scenes import STAMP_NS, ball, pose, scene, scene_object
from test_people import people, person

from sam3d_ros.core.types import ObjectState
from sam3d_ros.export.mesh_folder import MeshFolder
from sam3d_ros.export.ply import read_ply
from sam3d_ros.export.rviz import rviz_file
from sam3d_ros.messages.config import OutputConfig, TfConfig
from sam3d_ros.messages.results.markers import ADD, DELETE, DELETEALL, MESH_RESOURCE, TRIANGLE_LIST
from sam3d_ros.messages.results.people import people_markers
from sam3d_ros.messages.topics import MARKERS, OVERLAY, PEOPLE_MARKERS, POINTS, TF
from sam3d_ros.messages.types import StoreTypes
from sam3d_ros.sinks.messages import ResultMessages

TAKES = {
    'MarkerArray': 'visualization_msgs/msg/MarkerArray',
    'PointCloud2': 'sensor_msgs/msg/PointCloud2',
    'Image': 'sensor_msgs/msg/Image',
}
PUBLISHED = {topic.resolve(): topic for topic in (MARKERS, OVERLAY, PEOPLE_MARKERS, POINTS)}
LINE_LIST = 5


class StrictRviz:
    """Applies messages to what it shows, and fails where RViz would warn or blink."""

    def __init__(self, text: str) -> None:
        manager = yaml.safe_load(text)['Visualization Manager']
        self.parents = {manager['Global Options']['Fixed Frame']: ''}
        self.shown = {}
        self.displays = {
            display['Topic']['Value']: display
            for display in manager['Displays']
            if 'Topic' in display
        }

    def takes(self, topic) -> bool:
        """Return whether a subscription to a topic is matched by its publisher."""
        display = self.displays[topic.resolve()]
        offer, wanted = topic.quality.value, display['Topic']
        return (
            TAKES[display['Class'].rpartition('/')[2]] == topic.type
            and (offer.is_reliable or wanted['Reliability Policy'] == 'Best Effort')
            and (offer.is_latched or wanted['Durability Policy'] == 'Volatile')
        )

    def take(self, topic, message) -> None:
        if topic is TF:
            for edge in message.transforms:
                self.parents[edge.child_frame_id] = edge.header.frame_id
        elif topic in (MARKERS, PEOPLE_MARKERS):
            namespaces = self.displays[topic.resolve()]['Namespaces']
            keys = [(marker.ns, marker.id, marker.action) for marker in message.markers]
            assert len(set(keys)) == len(keys)
            for marker in message.markers:
                self.apply(marker, namespaces)

    def apply(self, marker, namespaces) -> None:
        key = marker.ns, marker.id
        if marker.action == DELETEALL:
            self.shown = {key: m for key, m in self.shown.items() if not belongs(key, namespaces)}
            return
        if marker.action == DELETE:
            self.shown.pop(key, None)
            return
        assert marker.action == ADD
        assert marker.ns in namespaces
        frame = marker.header.frame_id
        assert frame in self.parents, f'no transform from {frame}'
        while self.parents[frame]:
            frame = self.parents[frame]
        assert marker.lifetime.sec == marker.lifetime.nanosec == 0
        q, s = marker.pose.orientation, marker.scale
        assert abs(np.linalg.norm([q.x, q.y, q.z, q.w]) - 1.0) < 1e-6
        assert min(s.x, s.y, s.z) > 0
        assert key not in self.shown or self.shown[key].type == marker.type
        if marker.type in (TRIANGLE_LIST, LINE_LIST):
            assert len(marker.points) % (3 if marker.type == TRIANGLE_LIST else 2) == 0
            assert np.isfinite(marker.points).all()
            assert len(marker.colors) in (0, len(marker.points))
        if marker.type == MESH_RESOURCE:
            assert len(read_ply(resolved(marker.mesh_resource)).faces)
        self.shown[key] = marker


def belongs(key, namespaces) -> bool:
    """Return whether a marker is of the display with these namespaces."""
    return key[0] in namespaces


def resolved(url: str) -> Path:
    """Return the file of a file:// or package:// URL, as resource_retriever finds it."""
    parts = urlparse(url)
    if parts.scheme == 'file':
        assert parts.netloc == '' and parts.path.startswith('/')
        return Path(unquote(parts.path))
    assert parts.scheme == 'package', url
    for prefix in os.environ['AMENT_PREFIX_PATH'].split(':'):
        share = Path(prefix) / 'share' / parts.netloc
        if share.is_dir():
            return share / unquote(parts.path).lstrip('/')
    raise AssertionError(f'no package {parts.netloc}')


def story():
    """Return scenes a second apart: two objects, one hides, is lost sight of, one goes."""
    first, second = scene_object(3), scene_object(4)
    hidden = replace(second, state=ObjectState.OCCLUDED, covariance=4 * second.covariance)
    grown = replace(first, mesh=ball(9), T_fixed_obj=pose(9))
    steps = [(), (first,), (first, second), (first, hidden), (grown, hidden), (grown,), ()]
    return [
        scene(*items, stamp_ns=STAMP_NS + at * 1_000_000_000) for at, items in enumerate(steps)
    ]


@pytest.fixture(params=['triangle_list', 'mesh_resource'])
def messages(request, tmp_path):
    """What results become, with meshes in the message or as files."""
    folder = tmp_path / 'with a space'
    outputs = OutputConfig(marker_mode=request.param, mesh_folder=str(folder))
    return ResultMessages(outputs, TfConfig(), MeshFolder(folder))


def test_each_display_is_fed_and_each_subscription_is_matched():
    viewer = StrictRviz(rviz_file())
    assert set(viewer.displays) == set(PUBLISHED)
    assert all(viewer.takes(topic) for topic in PUBLISHED.values())


def test_namespace_and_fixed_frame_are_those_asked_for():
    viewer = StrictRviz(rviz_file('/robot1', 'map'))
    assert set(viewer.displays) == {topic.resolve('/robot1') for topic in PUBLISHED.values()}
    assert viewer.parents == {'map': ''}


def test_a_strict_viewer_shows_what_is_there_and_nothing_else(messages):
    viewer = StrictRviz(rviz_file(fixed_frame='world'))
    for value in story():
        for topic, message in (*messages.poses(value), *messages.of_changes(value)):
            viewer.take(topic, message)
        shown = {number for layer, number in viewer.shown if layer == 'mesh'}
        assert shown == {item.id for item in value.objects}
    assert viewer.shown == {}


def test_who_comes_late_sees_the_same(messages):
    early = StrictRviz(rviz_file())
    for value in story()[:-1]:
        latched = None
        for topic, message in (*messages.poses(value), *messages.of_changes(value)):
            early.take(topic, message)
            latched = message if topic is MARKERS else latched
            if topic is TF:
                tf = message
        late = StrictRviz(rviz_file())
        late.take(TF, tf)
        if latched is not None:
            late.take(MARKERS, latched)
            assert set(late.shown) == set(early.shown)


def test_while_poses_move_no_array_is_sent(messages):
    first = scene_object(3)
    sent = 0
    for tenths in range(50):
        T_fixed_obj = first.T_fixed_obj.copy()
        T_fixed_obj[:3, 3] += 0.01 * tenths
        value = scene(replace(first, T_fixed_obj=T_fixed_obj), stamp_ns=STAMP_NS + tenths * 10**8)
        told = (*messages.poses(value), *messages.of_changes(value))
        sent += sum(topic is MARKERS for topic, _ in told)
    assert sent == 1


def test_people_are_shown_and_go():
    viewer = StrictRviz(rviz_file(fixed_frame=people().fixed_frame))
    for somebody in ([person()], []):
        viewer.take(PEOPLE_MARKERS, people_markers(StoreTypes(), people(*somebody)))
        assert bool(viewer.shown) == bool(somebody)


def test_package_urls_are_found(tmp_path, monkeypatch):
    (tmp_path / 'share' / 'some_robot').mkdir(parents=True)
    monkeypatch.setenv('AMENT_PREFIX_PATH', f'/nowhere:{tmp_path}')
    found = resolved('package://some_robot/a%20mesh.ply')
    assert found == tmp_path / 'share' / 'some_robot' / 'a mesh.ply'
