# SPDX-License-Identifier: Apache-2.0
"""Stamps and poses keep every bit that their messages can hold."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up_scenes import pose

from sam3d_ros.messages.headers import (
    covariance_matrix,
    header_message,
    nanoseconds,
    pose_matrix,
    pose_message,
    pose_with_covariance,
    vector,
    vector_message,
)
from sam3d_ros.messages.types import StoreTypes

TYPES = StoreTypes()


@given(st.integers(0, (2**31 - 1) * 10**9 + 999_999_999))
def test_stamps_are_exact(stamp_ns):
    header = header_message(TYPES, stamp_ns, 'frame')
    assert nanoseconds(header.stamp) == stamp_ns
    assert 0 <= header.stamp.nanosec < 10**9 and header.frame_id == 'frame'


@settings(max_examples=50)
@given(st.integers(0, 10**6))
def test_poses_come_back(seed):
    T = pose(seed)
    message = pose_message(TYPES, T)
    q = message.orientation
    assert abs(q.x**2 + q.y**2 + q.z**2 + q.w**2 - 1) < 1e-12
    assert np.allclose(pose_matrix(message), T, rtol=0, atol=1e-12)


def test_covariance_and_vectors_are_exact():
    covariance = np.arange(36.0).reshape(6, 6)
    message = pose_with_covariance(TYPES, np.eye(4), covariance)
    assert np.array_equal(covariance_matrix(message), covariance)
    assert np.array_equal(
        vector(vector_message(TYPES, np.array([1.5, -2.0, 3.25]))), [1.5, -2, 3.25]
    )
