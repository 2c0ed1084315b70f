# SPDX-License-Identifier: Apache-2.0
"""The scene to sam3d_msgs/SceneObjectArray, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sam3d_ros.core.types import Answers, ObjectState, Provenance, Scene, SceneObject
from sam3d_ros.geometry.relations import Relation, relations
from sam3d_ros.messages.headers import (
    covariance_matrix,
    header_message,
    nanoseconds,
    point_message,
    pose_matrix,
    pose_with_covariance,
    time_message,
    vector,
    vector_message,
)
from sam3d_ros.messages.results.meshes import canonical_fields, mesh_from, mesh_message
from sam3d_ros.messages.results.products import MeshProducts
from sam3d_ros.messages.types import MessageTypes


def scene_message(
    types: MessageTypes,
    scene: Scene,
    products: Mapping[int, MeshProducts],
    files: Mapping[int, Path] | None = None,
    related: Sequence[Relation] | None = None,
) -> Any:
    """Return the SceneObjectArray of a scene: every known object, complete.

    :param types: makes the messages.
    :param products: of every object, by id.
    :param files: where an object's mesh was written, by id; absolute paths.
    :param related: how the objects stand to each other; None = it is found out here.
    """
    files = files or {}
    return types.new(
        'sam3d_msgs/msg/SceneObjectArray',
        header=header_message(types, scene.stamp_ns, scene.fixed_frame),
        objects=[
            object_message(types, scene, item, products[item.id], files.get(item.id))
            for item in scene.objects
        ],
        relations=[
            types.new(
                'sam3d_msgs/msg/Relation',
                kind=int(item.kind),
                subject=str(item.subject),
                other=str(item.other),
            )
            for item in (relations(scene) if related is None else related)
        ],
    )


def object_message(
    types: MessageTypes,
    scene: Scene,
    item: SceneObject,
    products: MeshProducts,
    file: Path | None = None,
) -> Any:
    """Return the SceneObject of one object of a scene.

    :param types: makes the messages.
    :param item: the object.
    :param products: what is derived from its mesh.
    :param file: where its mesh was written; None = nowhere.
    """
    return types.new(
        'sam3d_msgs/msg/SceneObject',
        header=header_message(types, scene.stamp_ns, scene.fixed_frame),
        id=str(item.id),
        state=int(item.state),
        label=item.label,
        score=float(item.score),
        pose=pose_with_covariance(types, item.T_fixed_obj, item.covariance),
        size=vector_message(types, item.size_m),
        box_center=point_message(types, item.box_center_m),
        scale_sigma=float(item.scale_sigma),
        mesh=mesh_message(types, item.mesh.vertices_m, item.mesh.faces),
        vertex_colors=item.mesh.colors.reshape(-1),
        face_labels=item.mesh.face_labels,
        face_confidence=item.mesh.face_confidence,
        convex_parts=[
            mesh_message(types, part.corners_m, part.faces) for part in products.hulls.parts
        ],
        mesh_uri=file.as_uri() if file else '',
        mesh_path=str(file) if file else '',
        mesh_hash=products.hash,
        observed_fraction=float(item.observed_fraction),
        backend=item.provenance.backend,
        weights_hash=item.provenance.weights_hash,
        seed=int(item.provenance.seed),
        first_seen=time_message(types, item.first_seen_ns),
        last_seen=time_message(types, item.last_seen_ns),
        hits=int(item.hits),
        missed=int(item.missed),
        state_reason=item.state_reason,
        moved=time_message(types, item.moved_ns),
        held=item.held,
        contact=item.contact,
        locked=bool(item.locked),
        label_score=float(item.label_score),
        label_names=[name for name, _ in item.labels],
        label_probabilities=np.array([share for _, share in item.labels], np.float32),
        color_names=[name for name, _ in item.colors],
        color_shares=np.array([share for _, share in item.colors], np.float32),
        **canonical_fields(types, item.mesh),
        **_answers(types, item.mesh.answers),
    )


def _answers(types: MessageTypes, answers: Answers | None) -> dict[str, Any]:
    """Return the fields of a SceneObject that tell what else it may look like."""
    if answers is None:
        return {}
    hulls = {'inner_hull': answers.inner, 'outer_hull': answers.outer}
    return {
        'answers': [mesh_message(types, one.vertices_m, one.faces) for one in answers.others],
        'answer_scores': np.array([one.score for one in answers.others], np.float32),
        **{name: mesh_message(types, one.vertices_m, one.faces) for name, one in hulls.items()},
    }


def scene_from(message: Any) -> Scene:
    """Return the scene of a SceneObjectArray.

    :raises InputError: when a mesh's arrays do not fit together.
    """
    return Scene(
        stamp_ns=nanoseconds(message.header.stamp),
        fixed_frame=str(message.header.frame_id),
        objects=tuple(object_from(item) for item in message.objects),
    )


def _pairs(names: Sequence[str], shares: Sequence[float]) -> tuple[tuple[str, float], ...]:
    return tuple((str(name), float(share)) for name, share in zip(names, shares, strict=True))


def object_from(item: Any) -> SceneObject:
    """Return the scene object of a SceneObject message.

    :raises InputError: when its mesh's arrays do not fit together.
    """
    return SceneObject(
        id=int(item.id),
        state=ObjectState(item.state),
        label=str(item.label),
        score=float(item.score),
        T_fixed_obj=pose_matrix(item.pose.pose),
        covariance=covariance_matrix(item.pose),
        size_m=vector(item.size),
        box_center_m=vector(item.box_center),
        scale_sigma=float(item.scale_sigma),
        mesh=mesh_from(item),
        observed_fraction=float(item.observed_fraction),
        provenance=Provenance(str(item.backend), str(item.weights_hash), int(item.seed)),
        first_seen_ns=nanoseconds(item.first_seen),
        last_seen_ns=nanoseconds(item.last_seen),
        hits=int(item.hits),
        missed=int(item.missed),
        state_reason=str(item.state_reason),
        moved_ns=nanoseconds(item.moved),
        held=str(item.held),
        contact=str(item.contact),
        locked=bool(item.locked),
        label_score=float(item.label_score),
        labels=_pairs(item.label_names, item.label_probabilities),
        colors=_pairs(item.color_names, item.color_shares),
    )
