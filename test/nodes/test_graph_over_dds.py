# SPDX-License-Identifier: Apache-2.0
"""The live graph over DDS: what goes in as images comes out as objects, and nothing is lost."""

from dataclasses import replace

import numpy as np
import pytest

from sam3d_ros.core.types import ObjectState
from sam3d_ros.geometry.cameras import pointmap_from_depth
from sam3d_ros.geometry.transforms import apply, inverse, rotation_angle
from sam3d_ros.messages import topics
from sam3d_ros.messages.results.scene import scene_from
from sam3d_ros.session.config import Config
from sam3d_ros.session.session import Session

pytestmark = pytest.mark.dds

CENTERS = ((0.0, 0.15, 0.06), (0.05, -0.15, 0.05))
"""Where the boxes of the fixture ``frames`` stand, fixed frame, metres."""

ONE_BOX = ((CENTERS[0], (0.10, 0.08, 0.12), (200, 40, 40)),)


@pytest.fixture(scope='module')
def graph(ros):
    return ros.graph('/live')


def stamp_ns(message) -> int:
    """Return the header stamp of a decoded message."""
    return message.header.stamp.sec * 1_000_000_000 + message.header.stamp.nanosec


def found_at(message, center):
    """Return the object whose box is nearest to a place, and the box's centre."""
    scene = scene_from(message)
    placed = [(item, apply(item.T_fixed_obj, item.box_center_m)) for item in scene.objects]
    return min(placed, key=lambda pair: np.linalg.norm(pair[1] - center))


def assert_found(message, tolerance_m):
    for center in CENTERS:
        item, place = found_at(message, center)
        assert item.state == ObjectState.VISIBLE
        assert np.linalg.norm(place - center) < tolerance_m


@pytest.mark.parametrize('quality', [topics.Quality.SENSOR_DATA, topics.Quality.RELIABLE])
def test_boxes_are_found_where_they_are_whatever_the_reliability(
    graph, objects, frames, play, quality
):
    camera = graph.camera(quality=quality)
    message = play(camera, objects, frames(3, size=(240, 180)))
    camera.close()
    assert_found(message, 0.015)


def test_millimetres_and_metres_give_the_same_pose(graph, objects, frames, play):
    poses = []
    for encoding in ('16UC1', '32FC1'):
        camera = graph.camera(encoding=encoding)
        # In whole millimetres both encodings say the same.
        shown = [
            replace(frame, pointmap=pointmap_from_depth(np.round(frame.depth_m, 3), frame.camera))
            for frame in frames(3)
        ]
        message = play(camera, objects, shown)
        poses.append([found_at(message, center)[0].T_fixed_obj[:3, 3] for center in CENTERS])
        camera.close()
        clear(graph, objects)
    np.testing.assert_allclose(poses[0], poses[1], atol=1e-3)


def test_live_and_offline_agree(graph, objects, frames, play):
    shown = [*frames(3), *frames(2, eye=(0.85, 0.2, 0.7))]
    camera = graph.camera(encoding='32FC1')
    live = scene_from(play(camera, objects, shown))
    camera.close()
    session = Session.from_config(Config())
    offline = [session.step(frame).scene for frame in shown][-1]
    assert [item.id for item in live.objects] == [item.id for item in offline.objects]
    for a, b in zip(live.objects, offline.objects, strict=True):
        assert a.state == b.state
        T_a_b = inverse(a.T_fixed_obj) @ b.T_fixed_obj
        assert np.linalg.norm(T_a_b[:3, 3]) < 1e-3
        assert rotation_angle(T_a_b) < np.radians(0.1)


def test_every_output_has_the_stamp_of_its_image(graph, objects, frames, play):
    listeners = {
        topic.name: graph.listen(topic)
        for topic in (
            topics.POINTS,
            topics.CAMERA_INFO,
            topics.INSTANCES,
            topics.OVERLAY,
            topics.RECONSTRUCTIONS,
            topics.DETECTIONS,
        )
    }
    tf = graph.listen(topics.TF)
    shown = frames(4)
    camera = graph.camera()
    play(camera, objects, shown)
    stamps = {frame.stamp_ns for frame in shown}
    for name, listener in listeners.items():
        listener.wait()
        assert {stamp_ns(message) for message in listener.messages} <= stamps, name
    placed = tf.wait(lambda m: [t for t in m.transforms if t.child_frame_id.startswith('object_')])
    assert {stamp_ns(edge) for edge in placed.transforms} <= stamps
    assert {edge.header.frame_id for edge in placed.transforms} == {'world'}
    for listener in (*listeners.values(), tf):
        listener.close()
    camera.close()


def test_an_empty_scene_publishes_empty_arrays(graph, objects, frames, play):
    detections, markers = graph.listen(topics.DETECTIONS), graph.listen(topics.MARKERS)
    camera = graph.camera()
    (frame,) = frames(1, boxes=())
    assert not play(camera, objects, [frame]).objects
    assert not detections.wait(lambda m: stamp_ns(m) == frame.stamp_ns).detections
    assert not [marker for marker in markers.wait().markers if marker.action == 0]
    camera.close()


def test_who_joins_late_sees_markers_and_objects(graph, objects, frames, play):
    camera = graph.camera()
    play(camera, objects, frames(3))
    camera.close()
    late = graph.listen(topics.MARKERS), graph.listen(topics.OBJECTS)
    # Markers follow the list that `play` waits for: the first to come may be those before.
    late[0].wait(lambda m: {marker.id for marker in m.markers if marker.ns == 'mesh'} == {1, 2})
    assert len(late[1].wait().objects) == 2
    for listener in late:
        listener.close()


def test_a_late_planner_hears_of_every_object(graph, objects, frames, play):
    camera = graph.camera()
    play(camera, objects, frames(3))
    camera.close()
    planner = graph.listen(topics.COLLISION_OBJECTS)
    for name in ('object_1', 'object_2'):
        added = planner.wait(lambda m, name=name: m.id == name)
        assert added.operation == 0
        assert added.meshes
    planner.close()


def test_a_recording_played_three_times_leaves_no_ghosts(graph, objects, frames, play):
    camera = graph.camera()
    shown = frames(4)
    for _ in range(3):
        objects.clear()
        message = play(camera, objects, shown)
        assert_found(message, 0.03)
        assert len(message.objects) == 2
    camera.close()


def test_an_off_centre_principal_point_does_not_bias_the_position(graph, objects, frames, play):
    """The same camera, cropped on the left and at the top, sees the same objects."""
    camera = graph.camera()
    cropped = []
    for frame in frames(3, size=(240, 180)):
        K = frame.camera.K.copy()
        K[0, 2] -= 40
        K[1, 2] -= 20
        cropped.append(
            replace(
                frame,
                camera=replace(frame.camera, width=200, height=160, K=K),
                rgb=frame.rgb[20:, 40:],
                pointmap=frame.pointmap[20:, 40:],
            )
        )
    message = play(camera, objects, cropped)
    camera.close()
    assert_found(message, 0.015)


def test_detections_stand_at_the_centre_of_the_box_not_at_the_mesh_origin(
    graph, objects, frames, play
):
    detections = graph.listen(topics.DETECTIONS)
    camera = graph.camera()
    play(camera, objects, frames(3))
    shown = frames(1)
    scene = scene_from(play(camera, objects, shown))
    centers = [apply(item.T_fixed_obj, item.box_center_m) for item in scene.objects]

    def stand_there(message):
        places = [detection.bbox.center.position for detection in message.detections]
        found = [[place.x, place.y, place.z] for place in places]
        return len(found) == 2 and np.allclose(found, centers, rtol=0, atol=1e-9)

    detections.wait(lambda m: stamp_ns(m) == shown[-1].stamp_ns and stand_there(m))
    detections.close()
    camera.close()


def test_two_namespaces_do_not_collide(ros, graph, objects, frames, play):
    other = ros.graph('/other', {'outputs.frame_prefix': 'other_'})
    elsewhere = other.listen(topics.OBJECTS)
    cameras = graph.camera(), other.camera()
    play(cameras[0], objects, frames(3))
    only = play(cameras[1], elsewhere, frames(3, boxes=ONE_BOX, frame_id='other_camera'))
    assert len(only.objects) == 1
    assert len(objects.messages[-1].objects) == 2
    for camera in cameras:
        camera.close()
    other.close()


def clear(graph, objects):
    from sam3d_msgs.srv import ClearScene

    assert graph.call(ClearScene, 'scene/clear').success
    objects.clear()
