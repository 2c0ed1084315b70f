# SPDX-License-Identifier: Apache-2.0
"""Reconstructions to sam3d_msgs/ReconstructionArray, and back."""

from __future__ import annotations

from typing import Any

import numpy as np

from sam3d_ros.core.errors import InputError
from sam3d_ros.core.types import (
    EvidenceScore,
    Mesh,
    Provenance,
    Reconstruction,
    Reconstructions,
)
from sam3d_ros.messages.headers import (
    covariance_matrix,
    header_message,
    nanoseconds,
    pose_matrix,
    pose_with_covariance,
)
from sam3d_ros.messages.meshes import checked
from sam3d_ros.messages.types import MessageTypes


def reconstructions_message(
    types: MessageTypes, reconstructions: Reconstructions, frame_id: str
) -> Any:
    """Return the ReconstructionArray of one frame.

    :param frame_id: the optical frame that the layouts are in.
    """
    return types.new(
        'sam3d_msgs/msg/ReconstructionArray',
        header=header_message(types, reconstructions.stamp_ns, frame_id),
        reconstructions=[_reconstruction(types, item) for item in reconstructions.items],
    )


def _reconstruction(types: MessageTypes, item: Reconstruction) -> Any:
    mesh = item.mesh
    return types.new(
        'sam3d_msgs/msg/Reconstruction',
        track_id=str(item.track_id),
        pose=pose_with_covariance(types, item.T_cam_obj, item.covariance),
        vertices=mesh.vertices_m.reshape(-1),
        triangles=mesh.faces.reshape(-1),
        vertex_colors=mesh.colors.reshape(-1),
        face_labels=mesh.face_labels,
        face_confidence=mesh.face_confidence,
        scale_sigma=float(item.scale_sigma),
        observed_fraction=float(item.observed_fraction),
        confidence=float(item.confidence),
        observed_inliers=float(item.score.observed_inliers),
        free_volume=float(item.score.free_volume),
        silhouette_iou=float(item.score.silhouette_iou),
        refined=bool(item.refined),
        backends=list(item.backends),
        backend=item.provenance.backend,
        weights_hash=item.provenance.weights_hash,
        seed=int(item.provenance.seed),
    )


def reconstructions_from(message: Any) -> Reconstructions:
    """Return the reconstructions of a ReconstructionArray.

    :raises InputError: when a mesh's arrays do not fit together.
    """
    items = tuple(_reconstruction_from(item) for item in message.reconstructions)
    return Reconstructions(nanoseconds(message.header.stamp), items)


def _reconstruction_from(item: Any) -> Reconstruction:
    return Reconstruction(
        track_id=int(item.track_id),
        mesh=_mesh_from(item),
        T_cam_obj=pose_matrix(item.pose.pose),
        covariance=covariance_matrix(item.pose),
        scale_sigma=float(item.scale_sigma),
        observed_fraction=float(item.observed_fraction),
        confidence=float(item.confidence),
        score=EvidenceScore(
            float(item.observed_inliers), float(item.free_volume), float(item.silhouette_iou)
        ),
        provenance=Provenance(str(item.backend), str(item.weights_hash), int(item.seed)),
        refined=bool(item.refined),
        backends=tuple(item.backends),
    )


def _mesh_from(item: Any) -> Mesh:
    try:
        mesh = Mesh(
            vertices_m=np.array(item.vertices, np.float32).reshape(-1, 3),
            faces=np.array(item.triangles, np.int32).reshape(-1, 3),
            colors=np.array(item.vertex_colors, np.uint8).reshape(-1, 3),
            face_labels=np.array(item.face_labels, np.uint8),
            face_confidence=np.array(item.face_confidence, np.float32),
        )
    except ValueError as error:
        raise InputError(f'the mesh of track {item.track_id}: {error}') from error
    return checked(mesh, f'the mesh of track {item.track_id}')
