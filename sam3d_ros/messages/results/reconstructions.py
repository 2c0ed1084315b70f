# SPDX-License-Identifier: Apache-2.0
"""Reconstructions to sam3d_msgs/ReconstructionArray."""

from __future__ import annotations

from typing import Any

from sam3d_ros.core.types import (
    Reconstruction,
    Reconstructions,
)
from sam3d_ros.messages.headers import (
    header_message,
    pose_with_covariance,
)
from sam3d_ros.messages.types import MessageTypes


def reconstructions_message(
    types: MessageTypes, reconstructions: Reconstructions, frame_id: str
) -> Any:
    """Return the ReconstructionArray of one frame.

    :param types: makes the messages.
    :param reconstructions: of the tracks seen in the frame.
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
