# SPDX-License-Identifier: Apache-2.0
"""What the tests of field inputs compare with."""

import numpy as np

from sam3d_ros.pipeline.frames import BadFrame


def assert_same(got, expected, stamps=True, depth_m=1e-6, rgb=True, poses=True):
    assert [str(item) for item in got if isinstance(item, BadFrame)] == []
    assert len(got) == len(expected)
    for one, other in zip(got, expected, strict=True):
        assert (one.frame_id, one.fixed_frame) == (other.frame_id, other.fixed_frame)
        assert not stamps or one.stamp_ns == other.stamp_ns
        assert np.array_equal(np.isnan(one.depth_m), np.isnan(other.depth_m))
        assert np.nanmax(np.abs(one.pointmap - other.pointmap)) <= depth_m
        assert not rgb or np.array_equal(one.rgb, other.rgb)
        assert np.allclose(one.camera.K, other.camera.K)
        if poses:
            assert np.allclose(one.T_fixed_cam, other.T_fixed_cam, atol=1e-6)
            assert np.allclose(one.up_cam, other.up_cam, atol=1e-6)


def levels(found, level):
    return [item.text for item in found if item.level == level]
