# SPDX-License-Identifier: Apache-2.0
"""Frames for programs: of a recording, or of arrays that somebody else has read."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from sam3d_ros.bags.recording import Recording
from sam3d_ros.bags.selection import select
from sam3d_ros.core.errors import InputError
from sam3d_ros.core.types import ByteArray, Camera, Float32Array, FloatArray, Frame
from sam3d_ros.geometry.cameras import pointmap_from_depth
from sam3d_ros.pipeline.frames import BadFrame, FrameReader, overrides_of
from sam3d_ros.pointmaps.config import PointmapConfig

LOG = logging.getLogger(__name__)


def read_recording(
    path: Path | str, config: PointmapConfig | None = None, **topics: str
) -> Iterator[Frame]:
    """Yield the frames of a recording in stamp order; one that cannot be made is warned about.

    :param path: rosbag2 folder, .mcap, .db3 or ROS 1 .bag.
    :param config: options of the stage; None = the defaults.
    :param topics: ``rgb``, ``depth``, ``info``, ``points``, where they are not to be chosen.
    :raises RecordingError: when it cannot be read, or its topics do not make an RGB-D stream.
    """
    config = config or PointmapConfig()
    with Recording(Path(path)) as recording:
        selection = select(recording, overrides_of(recording, config, **topics))
        for frame in FrameReader(recording, selection, config):
            if isinstance(frame, BadFrame):
                LOG.warning('the frame at %d ns is left out: %s', frame.stamp_ns, frame.reason)
            else:
                yield frame


def frame_from_arrays(
    rgb: ByteArray,
    depth_m: Float32Array,
    K: FloatArray,
    stamp_ns: int = 0,
    T_fixed_cam: FloatArray | None = None,
    fixed_frame: str = 'world',
) -> Frame:
    """Return the frame of a rectified colour image and a depth image of the same size.

    :param rgb: (H, W, 3) uint8.
    :param depth_m: (H, W) z-depth, metres; 0 or NaN = no return.
    :param K: (3, 3) intrinsics of both, px.
    :param stamp_ns: nanoseconds; each frame of a camera needs another one.
    :param T_fixed_cam: (4, 4) optical frame to fixed frame, whose z points up; None = the camera
        stands still, and nobody knows where up is.
    :param fixed_frame: its name.
    :raises InputError: when the arrays do not fit together.
    """
    if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8:
        raise InputError(f'colour of shape {rgb.shape}, {rgb.dtype}', wanted='(H, W, 3) uint8')
    if depth_m.shape != rgb.shape[:2]:
        raise InputError(f'depth of shape {depth_m.shape}', wanted=f'{rgb.shape[:2]}, as colour')
    if np.shape(K) != (3, 3):
        raise InputError(f'intrinsics of shape {np.shape(K)}', wanted='(3, 3)')
    height, width = depth_m.shape
    camera = Camera(width, height, np.asarray(K, np.float64))
    depth = np.where(depth_m > 0, depth_m, np.nan).astype(np.float32)
    pose = np.eye(4) if T_fixed_cam is None else np.asarray(T_fixed_cam, np.float64)
    return Frame(
        stamp_ns,
        'camera',
        camera,
        np.ascontiguousarray(rgb),
        pointmap_from_depth(depth, camera),
        'camera' if T_fixed_cam is None else fixed_frame,
        pose,
        None if T_fixed_cam is None else pose[2, :3].copy(),
    )
