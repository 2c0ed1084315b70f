# SPDX-License-Identifier: Apache-2.0
"""Results to messages, for the wire and for recordings alike: what is told, when, in which order.

TF and detections go out with every frame. Meshes are large: the list of objects goes out when a
confirmed object comes, goes, or has another state, name or shape, else once in
``outputs.list_period_s`` at most. Markers, which are larger, are not drawn again for every shape
that is made anew: only an object's first one is shown at once. Collision objects go out when they
change.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from sam3d_ros.core.people import People
from sam3d_ros.core.types import Frame, ObjectState, Scene
from sam3d_ros.export.mesh_folder import MeshFolder
from sam3d_ros.geometry.relations import KnownRelations
from sam3d_ros.geometry.transform_tree import TransformTree
from sam3d_ros.messages.config import OutputConfig, TfConfig
from sam3d_ros.messages.headers import NS_PER_S, header_message, pose_with_covariance
from sam3d_ros.messages.results.collision import CollisionState
from sam3d_ros.messages.results.detections import detections_message
from sam3d_ros.messages.results.instances import tracks_message
from sam3d_ros.messages.results.markers import MarkerState
from sam3d_ros.messages.results.people import (
    collision_messages,
    keep_out_message,
    people_markers,
    people_message,
    person_transforms,
)
from sam3d_ros.messages.results.products import MeshLibrary, MeshProducts
from sam3d_ros.messages.results.reconstructions import reconstructions_message
from sam3d_ros.messages.results.scene import scene_message
from sam3d_ros.messages.sensors.cameras import encode_camera
from sam3d_ros.messages.sensors.clouds import encode_pointmap
from sam3d_ros.messages.topics import (
    CAMERA_INFO,
    CAMERA_POSE,
    COLLISION_OBJECTS,
    DETECTIONS,
    INSTANCES,
    KEEP_OUT,
    MARKERS,
    OBJECTS,
    PEOPLE,
    PEOPLE_MARKERS,
    POINTS,
    RECONSTRUCTIONS,
    TF,
    Topic,
)
from sam3d_ros.messages.transforms import (
    StampedTransform,
    object_transforms,
    transforms_message,
)
from sam3d_ros.messages.types import StoreTypes
from sam3d_ros.messages.typestore import typestore
from sam3d_ros.pointmaps.odometry.own_places import transform_to_send
from sam3d_ros.session.result import NOBODY, FrameResult

TOPICS = (
    *(INSTANCES, RECONSTRUCTIONS, OBJECTS, MARKERS, DETECTIONS, COLLISION_OBJECTS, TF),
    *(PEOPLE, PEOPLE_MARKERS, KEEP_OUT),
)
"""What results are told on."""

Message = tuple[Topic, Any]


class _Due:
    """When a message of all objects is told: at once where what counts has changed, else once in
    a period.
    """

    def __init__(self, period_ns: int) -> None:
        self._period_ns = period_ns
        self._told: Sequence[Any] | None = None
        self._told_ns = 0
        self._is_behind = False

    def is_due(self, content: Sequence[Any], stamp_ns: int) -> bool:
        """Return whether to tell it now, and take note of that."""
        self._is_behind = content == self._told and 0 <= stamp_ns - self._told_ns < self._period_ns
        if not self._is_behind:
            self._told, self._told_ns = content, stamp_ns
        return not self._is_behind

    def catches_up(self, stamp_ns: int) -> bool:
        """Return whether the last content was not told, and take note that it is now."""
        if self._is_behind:
            self._told_ns = stamp_ns
        was_behind, self._is_behind = self._is_behind, False
        return was_behind


class ResultMessages:
    """Makes the messages of one receiver; remembers what it was told.

    :param outputs: names of frames, how meshes are drawn, what counts as moved.
    :param tf: which objects get a frame.
    :param files: keeps a mesh file of every object; None = no files.
    :param same_host: whether every viewer can open this machine's files.
    """

    def __init__(
        self,
        outputs: OutputConfig,
        tf: TfConfig,
        files: MeshFolder | None = None,
        *,
        same_host: bool = False,
    ) -> None:
        self._types = StoreTypes()
        self._prefix = outputs.frame_prefix
        self._speed_m_s = outputs.people_speed_m_s
        self._kept_clear: set[int] = set()
        self._tf = tf
        self._files = files
        self._library = MeshLibrary(outputs.marker_faces)
        self._markers = MarkerState(self._types, outputs, same_host=same_host)
        self._collisions = CollisionState(self._types, outputs)
        self._relations = KnownRelations()
        period_ns = round(outputs.list_period_s * NS_PER_S)
        self._list, self._drawing = _Due(period_ns), _Due(period_ns)
        self._last: Scene | None = None

    def of_frame(
        self, result: FrameResult, wanted: Callable[[Topic], bool] = lambda topic: True
    ) -> Iterator[Message]:
        """Yield the messages about a frame.

        :param result: what the session made of it.
        :param wanted: whether anybody reads a topic of instances or reconstructions.
        """
        yield from self.poses(result.scene, result.people)
        yield from self.sightings(result, wanted)
        yield from self.of_changes(result.scene)

    def poses(
        self, scene: Scene, people: People = NOBODY, told: Collection[str] = ()
    ) -> Iterator[Message]:
        """Yield where objects and people are; safe from any thread.

        :param scene: all objects known.
        :param people: everybody in front of the cameras.
        :param told: frames of objects that :meth:`early` has told of already.
        """
        if self._tf.publish:
            rest = [it for it in self._transforms(scene) if it.child not in told]
            transforms = rest[: self._tf.max_frames - len(told)]
            transforms += person_transforms(people)
            if transforms or not told:
                yield TF, transforms_message(self._types, transforms)
        yield DETECTIONS, detections_message(self._types, scene)

    def early(self, scene: Scene, newest: Scene | None) -> tuple[Any, set[str]] | None:
        """Return the message of TF on objects whose places are known before all else of a frame,
        and the names of their frames; None = no TF is published, or there are none.

        :param scene: those objects.
        :param newest: what was told last, which says whose ids are low enough; None = nothing was.
        """
        transforms = self._transforms(scene) if self._tf.publish else []
        if newest is not None:
            names = {item.child for item in self._transforms(newest)}
            transforms = [item for item in transforms if item.child in names]
        if not transforms:
            return None
        message = transforms_message(self._types, transforms)
        return message, {item.child for item in transforms}

    def _transforms(self, scene: Scene) -> list[StampedTransform]:
        return object_transforms(scene, self._prefix)[: self._tf.max_frames]

    def sightings(self, result: FrameResult, wanted: Callable[[Topic], bool]) -> Iterator[Message]:
        """Yield what one frame shows: masks, reconstructions, people; from one thread.

        :param result: what the session made of the frame.
        :param wanted: whether anybody reads a topic.
        """
        frame, types = result.frame, self._types
        if wanted(INSTANCES):
            size_px = (frame.camera.width, frame.camera.height)
            yield INSTANCES, tracks_message(types, result.tracks, frame.frame_id, size_px)
        if wanted(RECONSTRUCTIONS):
            made = result.reconstructions
            yield RECONSTRUCTIONS, reconstructions_message(types, made, frame.frame_id)
        yield from self._of_people(result.people, wanted)

    def _of_people(self, people: People, wanted: Callable[[Topic], bool]) -> Iterator[Message]:
        """Yield who is there, always; all that is drawn or kept clear of, while somebody is."""
        yield PEOPLE, people_message(self._types, people)
        # Of a receiver that is slow, frames are left out, and with them who left in them.
        gone = self._kept_clear - {item.id for item in people.items}
        if not people.items and not gone:
            return
        self._kept_clear = {item.id for item in people.items}
        for message in collision_messages(self._types, people, sorted(gone), self._speed_m_s):
            yield COLLISION_OBJECTS, message
        if wanted(PEOPLE_MARKERS):
            yield PEOPLE_MARKERS, people_markers(self._types, people)
        if wanted(KEEP_OUT):
            yield KEEP_OUT, keep_out_message(self._types, people, self._speed_m_s)

    def of_changes(self, scene: Scene) -> Iterator[Message]:
        """Yield what is large, where it has changed: list of objects, markers, for planners."""
        products, files = self._products(scene)
        confirmed = [item for item in scene.objects if item.state != ObjectState.TENTATIVE]
        seen = [(item.id, item.state, item.label, len(item.mesh.faces) > 0) for item in confirmed]
        shapes = [(item.locked, products[item.id].hash) for item in confirmed]
        if self._list.is_due((seen, shapes), scene.stamp_ns):
            yield OBJECTS, self._listing(scene, products, files)
        if self._drawing.is_due(seen, scene.stamp_ns):
            yield from self._drawn(scene, products, files)
        for message in self._collisions.update(scene, products):
            yield COLLISION_OBJECTS, message
        self._last = scene

    def held_back(self) -> Iterator[Message]:
        """Yield what shows all objects and was not due, for when nothing follows."""
        if (scene := self._last) is None:
            return
        products, files = self._products(scene)
        if self._list.catches_up(scene.stamp_ns):
            yield OBJECTS, self._listing(scene, products, files)
        if self._drawing.catches_up(scene.stamp_ns):
            yield from self._drawn(scene, products, files)

    def _listing(
        self, scene: Scene, products: Mapping[int, MeshProducts], files: Mapping[int, Path]
    ) -> Any:
        return scene_message(self._types, scene, products, files, self._relations.of(scene))

    def _drawn(
        self, scene: Scene, products: Mapping[int, MeshProducts], files: Mapping[int, Path]
    ) -> Iterator[Message]:
        markers = self._markers.update(scene, products, files)
        if markers is not None:
            yield MARKERS, markers

    def all_collision_objects(self, scene: Scene) -> Iterator[Message]:
        """Yield every object for a planner that was not listening before."""
        for message in self._collisions.all_known(scene, self._library.update(scene)):
            yield COLLISION_OBJECTS, message

    def _products(self, scene: Scene) -> tuple[Mapping[int, MeshProducts], dict[int, Path]]:
        """Return by id what is derived from the meshes, and where they were written."""
        products = self._library.update(scene)
        return products, self._files.update(scene, products) if self._files else {}


def pointmap_messages(frame: Frame) -> Iterator[Message]:
    """Yield the public cloud of a frame and its CameraInfo."""
    classes = typestore().types
    header = header_message(StoreTypes(), frame.stamp_ns, frame.frame_id)
    field, roi = classes['sensor_msgs/msg/PointField'], classes['sensor_msgs/msg/RegionOfInterest']
    cloud = classes[POINTS.type]
    yield POINTS, encode_pointmap(frame.pointmap, frame.rgb, cloud, field, header)
    yield CAMERA_INFO, encode_camera(frame.camera, classes[CAMERA_INFO.type], roi, header)


def odometry_messages(frame: Frame, tree: TransformTree) -> Iterator[Message]:
    """Yield where own odometry says that a camera is, and TF, where nobody else sends that.

    :param frame: placed by odometry; of another one there is nothing to say.
    :param tree: all of TF that is known.
    """
    if frame.pose_covariance is None:
        return
    types = StoreTypes()
    yield (
        CAMERA_POSE.of(frame.camera_id),
        types.new(
            CAMERA_POSE.type,
            header=header_message(types, frame.stamp_ns, frame.fixed_frame),
            pose=pose_with_covariance(types, frame.T_fixed_cam, frame.pose_covariance),
        ),
    )
    if (edge := transform_to_send(frame, tree)) is not None:
        yield TF, transforms_message(types, [edge])
