# SPDX-License-Identifier: Apache-2.0
"""People as messages: PersonArray, TF, markers, collision objects and a cloud to keep out of.

This is perception, not a safety function.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from sam3d_ros.core.people import (
    BONES,
    HAND_JOINTS,
    JOINTS,
    Body,
    Capsule,
    Hand,
    People,
    Person,
    Skeleton,
)
from sam3d_ros.core.types import FaceLabel, FloatArray
from sam3d_ros.geometry.transforms import transform
from sam3d_ros.messages.headers import (
    covariance_matrix,
    header_message,
    nanoseconds,
    point_message,
    pose_matrix,
    pose_message,
    pose_with_covariance,
    time_message,
    vector,
    vector_message,
)
from sam3d_ros.messages.results.colors import OBSERVED_RGB, OCCLUDED_RGB, id_color
from sam3d_ros.messages.results.meshes import mesh_message
from sam3d_ros.messages.transforms import StampedTransform
from sam3d_ros.messages.types import MessageTypes

PREFIX = 'person_'
"""What TF frames, markers and collision objects of people begin with."""
SIGMAS = 2.0
"""Collision objects grow by so many sigmas of where a person is."""
LONGEST_REACH_S = 1.0
"""People are never taken to go on unseen for longer between two frames."""
ADD, REMOVE = 0, 1
CYLINDER, SPHERE = 3, 2
LINE_LIST, MARKER_SPHERE, MARKER_CYLINDER, TEXT, TRIANGLES = 5, 2, 3, 9, 11
CLOUD_STEP_M = 0.05


def people_message(types: MessageTypes, people: People) -> Any:
    """Return the PersonArray of a frame."""
    return types.new(
        'sam3d_msgs/msg/PersonArray',
        header=header_message(types, people.stamp_ns, people.fixed_frame),
        people=[_person(types, item) for item in people.items],
    )


def person_transforms(people: People) -> list[StampedTransform]:
    """Return a frame for everybody: the middle of the trunk, axes of the fixed frame."""
    return [
        StampedTransform(
            people.stamp_ns,
            people.fixed_frame,
            f'{PREFIX}{item.id}',
            transform(np.eye(3), item.position_m),
        )
        for item in people.items
    ]


def reach_m(person: Person, period_s: float, speed_m_s: float) -> float:
    """Return how far a person's capsules grow: errors, and what can be reached meanwhile, metres.

    :param period_s: time to the next frame; 0 = not known.
    :param speed_m_s: how fast people are taken to be.
    """
    sigma = float(np.sqrt(np.linalg.eigvalsh(person.covariance[:3, :3])[-1]))
    return SIGMAS * sigma + speed_m_s * min(period_s or LONGEST_REACH_S / 5, LONGEST_REACH_S)


def collision_messages(
    types: MessageTypes, people: People, gone: Sequence[int], speed_m_s: float
) -> list[Any]:
    """Return what a planner must be told of people: capsules that grew, and who left.

    :param people: everybody after a frame.
    :param gone: ids of those whom the planner knows and who have left.
    :param speed_m_s: how fast people are taken to be; see :func:`reach_m`.
    """
    made = [
        _collision(types, people, item.id, ADD, item.capsules, grown)
        for item in people.items
        if item.capsules
        for grown in (reach_m(item, people.period_s, speed_m_s),)
    ]
    return made + [_collision(types, people, id_, REMOVE, (), 0.0) for id_ in gone]


def keep_out_message(types: MessageTypes, people: People, speed_m_s: float) -> Any:
    """Return the PointCloud2 of points on everybody's grown capsules, for costmaps.

    :param speed_m_s: how fast people are taken to be; see :func:`reach_m`.
    """
    made = [np.zeros((0, 3))]
    for item in people.items:
        grown = reach_m(item, people.period_s, speed_m_s)
        made += [_surface(capsule, capsule.radius_m + grown) for capsule in item.capsules]
    points = np.concatenate(made).astype('<f4')
    return types.new(
        'sensor_msgs/msg/PointCloud2',
        header=header_message(types, people.stamp_ns, people.fixed_frame),
        height=1,
        width=len(points),
        fields=[
            types.new('sensor_msgs/msg/PointField', name=name, offset=4 * at, datatype=7, count=1)
            for at, name in enumerate('xyz')
        ],
        point_step=12,
        row_step=12 * len(points),
        data=points.reshape(-1).view(np.uint8),
        is_dense=True,
    )


LAYERS = (
    *('capsules', 'capsule_starts', 'capsule_ends', 'skeleton'),
    *('body_observed', 'body_hallucinated', 'label'),
)
"""Namespaces of people's markers, below ``people/``."""


def people_markers(types: MessageTypes, people: People) -> Any:
    """Return the MarkerArray of a frame: skeletons, capsules, names; complete every time."""
    everything = _marker(types, people, 0, '', action=3)
    markers = [marker for item in people.items for marker in _markers(types, people, item)]
    return types.new('visualization_msgs/msg/MarkerArray', markers=[everything, *markers])


def _person(types: MessageTypes, item: Person) -> Any:
    covariance = np.zeros((6, 6))
    covariance[:3, :3] = item.covariance[:3, :3]
    covariance[3:, 3:] = np.pi**2 * np.eye(3)  # which way somebody faces is not told by this
    joints: list[Any] = []
    if item.skeleton is not None:
        skeleton = item.skeleton
        joints = [
            _joint(
                types,
                name,
                skeleton.points_m[k],
                skeleton.covariance[k],
                float(skeleton.visibility[k]),
                bool(skeleton.measured[k]),
            )
            for k, name in enumerate(JOINTS)
        ]
    body: dict[str, Any] = {}
    if item.body is not None:
        body = {
            'body': mesh_message(types, item.body.vertices_m, item.body.faces),
            'body_face_labels': item.body.face_labels,
        }
    return types.new(
        'sam3d_msgs/msg/Person',
        id=str(item.id),
        label=item.label,
        by_depth=item.by_depth,
        by_image=item.by_image,
        in_view=item.in_view,
        score=float(item.score),
        pose=pose_with_covariance(types, transform(np.eye(3), item.position_m), covariance),
        velocity=vector_message(types, item.velocity_m_s),
        velocity_covariance=item.covariance[3:, 3:].reshape(-1),
        capsules=[
            types.new(
                'sam3d_msgs/msg/BodyCapsule',
                start=point_message(types, capsule.start_m),
                end=point_message(types, capsule.end_m),
                radius=float(capsule.radius_m),
            )
            for capsule in item.capsules
        ],
        joints=joints,
        left_hand=_hand(types, item.hands, is_right=False),
        right_hand=_hand(types, item.hands, is_right=True),
        held_object_ids=[str(id_) for id_ in item.held],
        first_seen=time_message(types, item.first_seen_ns),
        last_seen=time_message(types, item.last_seen_ns),
        **body,
    )


def _hand(types: MessageTypes, hands: tuple[Hand, ...], is_right: bool) -> list[Any]:
    chosen = [hand for hand in hands if hand.is_right == is_right][:1]
    return [
        _joint(types, name, hand.points_m[k], hand.covariance, 1.0, hand.measured)
        for hand in chosen
        for k, name in enumerate(HAND_JOINTS)
    ]


def _joint(
    types: MessageTypes,
    name: str,
    point_m: FloatArray,
    covariance: FloatArray,
    visibility: float,
    measured: bool,
) -> Any:
    return types.new(
        'sam3d_msgs/msg/BodyJoint',
        name=name,
        position=point_message(types, point_m),
        covariance=covariance.reshape(-1),
        visibility=visibility,
        measured=measured,
    )


def _collision(
    types: MessageTypes,
    people: People,
    person_id: int,
    operation: int,
    capsules: tuple[Capsule, ...],
    grown_m: float,
) -> Any:
    """Return a CollisionObject whose capsules are a cylinder and two spheres each."""
    primitives, poses = [], []
    for capsule in capsules:
        radius = capsule.radius_m + grown_m
        length = float(np.linalg.norm(capsule.end_m - capsule.start_m))
        parts = [(SPHERE, [radius], transform(np.eye(3), capsule.end_m))]
        if length > 1e-3:
            parts += [
                (CYLINDER, [length, radius], along(capsule)),
                (SPHERE, [radius], transform(np.eye(3), capsule.start_m)),
            ]
        for kind, dimensions, T in parts:
            primitives.append(
                types.new(
                    'shape_msgs/msg/SolidPrimitive',
                    type=kind,
                    dimensions=np.array(dimensions, np.float64),
                )
            )
            poses.append(pose_message(types, T))
    return types.new(
        'moveit_msgs/msg/CollisionObject',
        header=header_message(types, people.stamp_ns, people.fixed_frame),
        id=f'{PREFIX}{person_id}',
        pose=pose_message(types, np.eye(4)),
        operation=operation,
        primitives=primitives,
        primitive_poses=poses,
    )


def along(capsule: Capsule) -> FloatArray:
    """Return the pose of a capsule's middle, z along its line, (4, 4)."""
    line = capsule.end_m - capsule.start_m
    length = float(np.linalg.norm(line))
    z = line / length if length > 1e-9 else np.array([0.0, 0.0, 1.0])
    rotation = Rotation.align_vectors([z], [[0.0, 0.0, 1.0]])[0].as_matrix()
    return transform(rotation, (capsule.start_m + capsule.end_m) / 2)


def _surface(capsule: Capsule, radius_m: float) -> FloatArray:
    """Return points over a capsule, about :data:`CLOUD_STEP_M` apart."""
    T = along(capsule)
    half = float(np.linalg.norm(capsule.end_m - capsule.start_m)) / 2
    angle = np.linspace(0, 2 * np.pi, max(8, round(2 * np.pi * radius_m / CLOUD_STEP_M)), False)
    ring = np.column_stack([np.cos(angle), np.sin(angle)])
    rows = [
        np.column_stack([radius_m * ring, np.full(len(ring), z)])
        for z in np.linspace(-half, half, max(2, round(2 * half / CLOUD_STEP_M)))
    ]
    for end in (-1, 1):
        for tilt in np.linspace(0.3, np.pi / 2, 4):
            z = end * (half + radius_m * np.sin(tilt))
            rows.append(np.column_stack([radius_m * np.cos(tilt) * ring, np.full(len(ring), z)]))
    return np.concatenate(rows) @ T[:3, :3].T + T[:3, 3]


def _markers(types: MessageTypes, people: People, item: Person) -> Iterator[Any]:
    color = id_color(item.id)
    for number, capsule in enumerate(item.capsules):
        length = float(np.linalg.norm(capsule.end_m - capsule.start_m))
        number = 100 * item.id + number
        size = np.array([2 * capsule.radius_m, 2 * capsule.radius_m, max(length, 1e-3)])
        yield _marker(
            types, people, number, 'capsules', type=MARKER_CYLINDER,
            pose=pose_message(types, along(capsule)), scale=vector_message(types, size),
            color=_color(types, color, 0.35),
        )  # fmt: skip
        for name, end in (('starts', capsule.start_m), ('ends', capsule.end_m)):
            yield _marker(
                types, people, number, f'capsule_{name}', type=MARKER_SPHERE,
                pose=pose_message(types, transform(np.eye(3), end)),
                scale=vector_message(types, np.full(3, 2 * capsule.radius_m)),
                color=_color(types, color, 0.35),
            )  # fmt: skip
    if item.skeleton is not None:
        points = item.skeleton.points_m[np.array(BONES)].reshape(-1, 3)
        yield _marker(
            types, people, item.id, 'skeleton', type=LINE_LIST, points=points,
            scale=vector_message(types, np.full(3, 0.015)), color=_color(types, color, 1.0),
        )  # fmt: skip
    if item.body is not None:
        observed = item.body.face_labels == FaceLabel.OBSERVED
        for layer, chosen, rgb in (
            ('observed', observed, OBSERVED_RGB),
            ('hallucinated', ~observed, OCCLUDED_RGB),
        ):
            corners = item.body.vertices_m[item.body.faces[chosen]].reshape(-1, 3)
            yield _marker(
                types, people, item.id, f'body_{layer}', type=TRIANGLES, points=corners,
                color=_color(types, np.array(rgb), 1.0),
            )  # fmt: skip
    held = f' holds {", ".join(map(str, item.held))}' if item.held else ''
    above = transform(np.eye(3), item.position_m)
    yield _marker(
        types, people, item.id, 'label', type=TEXT, text=f'{item.label} {item.id}{held}',
        pose=pose_message(types, above), scale=vector_message(types, np.full(3, 0.1)),
        color=_color(types, np.ones(3), 1.0),
    )  # fmt: skip


def _marker(
    types: MessageTypes, people: People, number: int, layer: str, action: int = ADD, **fields: Any
) -> Any:
    known = {
        'pose': pose_message(types, np.eye(4)),
        'scale': vector_message(types, np.ones(3)),
    }
    return types.new(
        'visualization_msgs/msg/Marker',
        header=header_message(types, people.stamp_ns, people.fixed_frame),
        ns=f'people/{layer}' if layer else '',
        id=number,
        action=action,
        **(known | fields),
    )


def _color(types: MessageTypes, rgb: FloatArray, alpha: float) -> Any:
    r, g, b = (float(value) for value in rgb)
    return types.new('std_msgs/msg/ColorRGBA', r=r, g=g, b=b, a=alpha)


def people_from(message: Any) -> People:
    """Return the people of a PersonArray; hands and parameters of body models stay behind."""
    return People(
        nanoseconds(message.header.stamp),
        str(message.header.frame_id),
        tuple(_person_from(item) for item in message.people),
    )


def _person_from(item: Any) -> Person:
    covariance = np.zeros((6, 6))
    covariance[:3, :3] = covariance_matrix(item.pose)[:3, :3]
    covariance[3:, 3:] = np.asarray(item.velocity_covariance, np.float64).reshape(3, 3)
    skeleton = body = None
    if len(item.joints):
        skeleton = Skeleton(
            np.array([vector(joint.position) for joint in item.joints]),
            np.array([joint.covariance for joint in item.joints], np.float64).reshape(-1, 3, 3),
            np.array([joint.visibility for joint in item.joints], np.float64),
            np.array([joint.measured for joint in item.joints], bool),
        )
    if len(item.body.triangles):
        body = Body(
            np.array([(it.x, it.y, it.z) for it in item.body.vertices], np.float32),
            np.array([it.vertex_indices for it in item.body.triangles], np.int32),
            np.array(item.body_face_labels, np.uint8),
        )
    return Person(
        id=int(item.id),
        by_depth=bool(item.by_depth),
        by_image=bool(item.by_image),
        in_view=bool(item.in_view),
        score=float(item.score),
        position_m=pose_matrix(item.pose.pose)[:3, 3],
        velocity_m_s=vector(item.velocity),
        covariance=covariance,
        capsules=tuple(
            Capsule(vector(it.start), vector(it.end), float(it.radius)) for it in item.capsules
        ),
        first_seen_ns=nanoseconds(item.first_seen),
        last_seen_ns=nanoseconds(item.last_seen),
        skeleton=skeleton,
        held=tuple(int(it) for it in item.held_object_ids),
        body=body,
    )
