# SPDX-License-Identifier: Apache-2.0
"""Open3D's RGB-D odometry, frame to frame at its defaults, as another way to follow a camera."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from sam3d_ros.core.types import FloatArray, Frame

PEER = 'Open3D'


def open3d_odometry(frames: Iterable[Frame]) -> list[FloatArray]:
    """Return the (4, 4) pose of each frame in the first; where it fails, the camera stands still.

    Hybrid of intensity and depth (Park, Zhou, Koltun, 2017), three scales.

    :param frames: of one camera, in order.
    """
    import open3d as o3d

    poses: list[FloatArray] = []
    before = None
    for frame in frames:
        depth_m = np.nan_to_num(frame.depth_m)[..., None]
        now = o3d.t.geometry.RGBDImage(
            o3d.t.geometry.Image(o3d.core.Tensor(np.ascontiguousarray(frame.rgb))),
            o3d.t.geometry.Image(o3d.core.Tensor(depth_m)),
        )
        step = np.eye(4)
        if before is not None:
            try:
                step = o3d.t.pipelines.odometry.rgbd_odometry_multi_scale(
                    now, before, o3d.core.Tensor(frame.camera.K), depth_scale=1.0
                ).transformation.numpy()
            except RuntimeError:
                step = np.eye(4)
        poses.append(poses[-1] @ step if poses else step)
        before = now
    return poses
