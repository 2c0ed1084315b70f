# SPDX-License-Identifier: Apache-2.0
"""TF: the frames of confirmed objects, and transforms read from recordings."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from sys import intern
from typing import Any

from sam3d_ros.core.errors import TransformError
from sam3d_ros.core.types import FloatArray, ObjectState, Scene
from sam3d_ros.geometry.transforms import from_quaternion
from sam3d_ros.messages.headers import (
    frame_name,
    header_message,
    nanoseconds,
    quaternion_message,
    vector_message,
)
from sam3d_ros.messages.types import MessageTypes

# Squared length of a quaternion that is not zero.
_SHORTEST = 1e-12
# Beyond it numbers are no places, and products of them overflow.
_FARTHEST_M = 1e12


@dataclass(frozen=True, slots=True, eq=False)
class StampedTransform:
    """One edge of the TF tree at one time: ``T_parent_child`` is (4, 4) float64."""

    stamp_ns: int
    parent: str
    child: str
    T_parent_child: FloatArray


def object_transforms(scene: Scene, prefix: str) -> list[StampedTransform]:
    """Return the frames of a scene's confirmed objects in its fixed frame.

    :param prefix: of the objects' frame names, before their ids.
    """
    return [
        StampedTransform(scene.stamp_ns, scene.fixed_frame, f'{prefix}{item.id}', item.T_fixed_obj)
        for item in scene.objects
        if item.state != ObjectState.TENTATIVE
    ]


def transforms_message(types: MessageTypes, transforms: Iterable[StampedTransform]) -> Any:
    """Return a tf2_msgs/TFMessage.

    :param types: makes the messages.
    :param transforms: edges of TF.
    """
    return types.new(
        'tf2_msgs/msg/TFMessage',
        transforms=[transform_message(types, item) for item in transforms],
    )


def transform_message(types: MessageTypes, item: StampedTransform) -> Any:
    """Return a geometry_msgs/TransformStamped.

    :param types: makes the messages.
    :param item: an edge of TF.
    """
    T = item.T_parent_child
    return types.new(
        'geometry_msgs/msg/TransformStamped',
        header=header_message(types, item.stamp_ns, item.parent),
        child_frame_id=item.child,
        transform=types.new(
            'geometry_msgs/msg/Transform',
            translation=vector_message(types, T[:3, 3]),
            rotation=quaternion_message(types, T),
        ),
    )


def transforms_from(message: Any) -> tuple[list[StampedTransform], dict[str, str]]:
    """Return the transforms of a TFMessage, and by child frame why others cannot be used."""
    good: list[StampedTransform] = []
    refused: dict[str, str] = {}
    for item in message.transforms:
        try:
            good.append(transform_from(item))
        except TransformError as error:
            refused[frame_name(item.child_frame_id)] = str(error)
    return good, refused


def transform_from(item: Any) -> StampedTransform:
    """Return the transform of a TransformStamped; frames lose the leading slash of tf1.

    :raises TransformError: when a number is no distance, its quaternion is zero, or it does not
        connect two frames.
    """
    # Long recordings have millions of transforms between a few frames.
    parent, child = (
        intern(frame_name(name)) for name in (item.header.frame_id, item.child_frame_id)
    )
    if not parent or not child or parent == child:
        raise TransformError(
            f'a transform from "{child}" to "{parent}"', wanted='two different frame names'
        )
    q, t = item.transform.rotation, item.transform.translation
    if not _SHORTEST < q.x * q.x + q.y * q.y + q.z * q.z + q.w * q.w < math.inf:
        raise TransformError(
            f'transform of "{child}" in "{parent}" with the '
            f'quaternion {q.x:g}, {q.y:g}, {q.z:g}, {q.w:g}',
            wanted='a unit quaternion',
        )
    if not max(abs(t.x), abs(t.y), abs(t.z)) < _FARTHEST_M or math.isnan(t.x + t.y + t.z):
        raise TransformError(
            f'transform of "{child}" in "{parent}" with the translation {t.x:g}, {t.y:g}, {t.z:g}',
            wanted=f'numbers below {_FARTHEST_M:g} m',
        )
    T = from_quaternion((q.x, q.y, q.z, q.w), (t.x, t.y, t.z))
    return StampedTransform(nanoseconds(item.header.stamp), parent, child, T)


def namespace_of(topic: str) -> str | None:
    """Return the namespace of a topic of TF: empty for /tf, /robot1 for /robot1/tf_static.

    None for topics that are called otherwise.
    """
    namespace, _, name = topic.rpartition('/')
    return namespace if name in ('tf', 'tf_static') else None


def choose_namespaces(
    edges: Mapping[str, Collection[tuple[str, str]]], camera: str, wanted: str | None = None
) -> tuple[list[str], str]:
    """Return the namespaces whose TF together is the one tree, and what is to be said about it.

    That of the root where it names the camera, with the only other one that goes on from it; else
    the only other one that names the camera, or the only one there is.

    :param edges: (parent, child) of TF of each namespace that says anything.
    :param camera: the frame of the colour images.
    :param wanted: a namespace that the user named; None = choose.
    :raises TransformError: when several would do, or the wanted one is not there.
    """
    frames = {name: {end for edge in some for end in edge} for name, some in edges.items()}
    root: list[str] = [''] if '' in edges else []
    others = sorted(name for name in edges if name)
    listed = ', '.join(f'{name}/tf' for name in others)
    if wanted is not None:
        namespace = wanted.strip('/') and f'/{wanted.strip("/")}'
        if namespace not in edges:
            raise TransformError(f'no TF on {namespace}/tf', wanted=f'one of {listed or "/tf"}')
        return [namespace], ''
    if camera in frames.get('', ()):
        children = {child for _, child in edges['']}
        fitting = [
            name
            for name in others
            if frames[name] & frames[''] and not children & {child for _, child in edges[name]}
        ]
        fitting = fitting if len(fitting) == 1 else []
    else:
        fitting = [name for name in others if camera in frames[name]]
        if not fitting and root:
            return root, f'TF on {listed} is left out; see --tf-namespace' if others else ''
        fitting = fitting or others
    if len(fitting) > 1:
        raise TransformError(
            f'TF on {listed} and none for "{camera}" on /tf',
            wanted='one tree',
            remedy=f'Type --tf-namespace {fitting[0]} or the other (pointmaps.tf_namespace).',
        )
    note = f'TF is taken from {fitting[0]}/tf; see --tf-namespace' if fitting else ''
    return [*root, *fitting], note
