# SPDX-License-Identifier: Apache-2.0
"""Reconstructions survive the way through a message, its bytes and back."""

import numpy as np
import pytest
from made_up_scenes import reconstructions

from sam3d_ros.core.types import Reconstructions
from sam3d_ros.messages.cdr import encode
from sam3d_ros.messages.headers import covariance_matrix, nanoseconds, pose_matrix
from sam3d_ros.messages.results.reconstructions import reconstructions_message
from sam3d_ros.messages.types import StoreTypes
from sam3d_ros.messages.typestore import typestore

TYPE = 'sam3d_msgs/msg/ReconstructionArray'


def sent(value):
    """Return the message as its receiver sees it."""
    data = encode(reconstructions_message(StoreTypes(), value, 'optical'), TYPE)
    return typestore().deserialize_cdr(data, TYPE)


def test_nothing_is_lost():
    before = reconstructions()
    message = sent(before)
    assert message.header.frame_id == 'optical'
    assert nanoseconds(message.header.stamp) == before.stamp_ns
    for one, other in zip(before.items, message.reconstructions, strict=True):
        assert other.track_id == str(one.track_id)
        for name, wanted in (
            ('vertices', one.mesh.vertices_m),
            ('triangles', one.mesh.faces),
            ('vertex_colors', one.mesh.colors),
            ('face_labels', one.mesh.face_labels),
            ('face_confidence', one.mesh.face_confidence),
        ):
            assert np.array_equal(getattr(other, name), wanted.reshape(-1)), name
        assert np.allclose(pose_matrix(other.pose.pose), one.T_cam_obj, rtol=0, atol=1e-12)
        assert np.array_equal(covariance_matrix(other.pose), one.covariance)
        assert (other.observed_inliers, other.free_volume, other.silhouette_iou) == pytest.approx(
            (one.score.observed_inliers, one.score.free_volume, one.score.silhouette_iou)
        )
        assert tuple(other.backends) == one.backends
        assert (other.backend, other.weights_hash, other.seed) == (
            one.provenance.backend,
            one.provenance.weights_hash,
            one.provenance.seed,
        )


def test_empty_is_a_message_too():
    assert len(sent(Reconstructions(5)).reconstructions) == 0
