# SPDX-License-Identifier: Apache-2.0
"""An episode as a recording (MCAP) with the truth beside it; the same episode, the same bytes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sam3d_ros.bags.writer import RecordingWriter
from sam3d_ros.core.errors import ConfigurationError, RecordingError
from sam3d_ros.core.types import Float32Array, FloatArray
from sam3d_ros.geometry.transforms import inverse
from sam3d_ros.messages.headers import header_message
from sam3d_ros.messages.sensors.cameras import encode_camera
from sam3d_ros.messages.sensors.images import encode_image
from sam3d_ros.messages.topics import TF, TF_STATIC, Quality, Topic
from sam3d_ros.messages.transforms import StampedTransform, transforms_message
from sam3d_ros.messages.types import StoreTypes
from sam3d_ros.messages.typestore import typestore
from sam3d_ros.world.episode import FIXED_FRAME, Episode
from sam3d_ros.world.rendering.lidar import Sweep
from sam3d_ros.world.samples import (
    LIDAR_FRAME,
    LINK_FRAME,
    OPTICAL_FRAME,
    T_LINK_LIDAR,
    T_LINK_OPTICAL,
    Sample,
    samples,
    sweep_start_ns,
    truth_of,
)
from sam3d_ros.world.truth import FrameTruth, Truth, write_truth

COLOR = Topic('/camera/color/image_raw', 'sensor_msgs/msg/Image', Quality.SENSOR_DATA)
COLOR_INFO = Topic('/camera/color/camera_info', 'sensor_msgs/msg/CameraInfo', Quality.SENSOR_DATA)
DEPTH = Topic(
    '/camera/aligned_depth_to_color/image_raw', 'sensor_msgs/msg/Image', Quality.SENSOR_DATA
)
DEPTH_INFO = Topic(
    '/camera/aligned_depth_to_color/camera_info', 'sensor_msgs/msg/CameraInfo', Quality.SENSOR_DATA
)
LIDAR_POINTS = Topic('/lidar/points', 'sensor_msgs/msg/PointCloud2', Quality.SENSOR_DATA)
POINT_FIELDS = (
    ('x', 0, 7),
    ('y', 4, 7),
    ('z', 8, 7),
    ('intensity', 12, 7),
    ('ring', 16, 4),
    ('time', 18, 7),
)
"""Name, offset and PointField datatype (7 = float32, 4 = uint16); time in s after the stamp."""
DEPTH_ENCODINGS = ('16UC1', '32FC1')
RECORDING = 'recording'
"""Name of the recording inside an episode's folder; the truth lies beside it."""

Progress = Callable[[int, int], None]


def write_episode(
    episode: Episode,
    folder: Path,
    depth_encoding: str = '16UC1',
    progress: Progress = lambda done, total: None,
) -> Truth:
    """Draw an episode into ``folder``: ``recording/``, ``truth.json``, ``truth.npz``, ``meshes/``.

    :param depth_encoding: ``16UC1`` (millimetres) or ``32FC1`` (metres).
    :param progress: called with the frames done and all frames.
    :raises RecordingError: when the folder holds something already.
    """
    if depth_encoding not in DEPTH_ENCODINGS:
        raise ConfigurationError(
            f'depth encoding {depth_encoding}', wanted=f'one of {", ".join(DEPTH_ENCODINGS)}'
        )
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise RecordingError(f'{folder} is not empty', wanted='a new or empty folder')
    frames: list[FrameTruth] = []
    with RecordingWriter(folder / RECORDING) as writer:
        recorder = _Recorder(writer, episode, depth_encoding)
        recorder.write_static_transforms()
        for index, sample in enumerate(samples(episode)):
            recorder.write(index, sample)
            frames.append(sample.truth)
            progress(index + 1, len(episode.stamps_ns))
        recorder.write_end()
    truth = truth_of(episode, frames)
    write_truth(truth, folder)
    return truth


class _Recorder:
    """Turns samples into messages on their topics."""

    def __init__(self, writer: RecordingWriter, episode: Episode, depth_encoding: str) -> None:
        self._writer = writer
        self._episode = episode
        self._depth_encoding = depth_encoding
        self._types = StoreTypes()

    def write_static_transforms(self) -> None:
        """Write how the sensors are mounted, and, for sweeps that begin early, a first pose."""
        stamp_ns = sweep_start_ns(self._episode, 0)
        mounts = [StampedTransform(stamp_ns, LINK_FRAME, OPTICAL_FRAME, T_LINK_OPTICAL)]
        if self._episode.lidar:
            mounts.append(StampedTransform(stamp_ns, LINK_FRAME, LIDAR_FRAME, T_LINK_LIDAR))
        self._put(TF_STATIC, stamp_ns, transforms_message(self._types, mounts))
        if self._episode.lidar:
            self._write_pose(stamp_ns, self._episode.T_fixed_cam[0])

    def write_end(self) -> None:
        """Write the last pose once more where the last sweep goes on after the last frame."""
        if self._episode.lidar:
            last = len(self._episode.stamps_ns) - 1
            stamp_ns = 2 * int(self._episode.stamps_ns[last]) - sweep_start_ns(self._episode, last)
            self._write_pose(stamp_ns, self._episode.T_fixed_cam[-1])

    def write(self, index: int, sample: Sample) -> None:
        """Write the messages of one frame: pose, sweep, calibrations, images."""
        stamp_ns = sample.truth.stamp_ns
        if sample.sweep is not None:
            start_ns = sweep_start_ns(self._episode, index)
            self._put(LIDAR_POINTS, start_ns, self._cloud(sample.sweep, start_ns))
        self._write_pose(stamp_ns, sample.truth.T_fixed_cam)
        header = header_message(self._types, stamp_ns, OPTICAL_FRAME)
        info = encode_camera(
            sample.camera, self._class('CameraInfo'), self._class('RegionOfInterest'), header
        )
        self._put(COLOR_INFO, stamp_ns, info)
        if sample.depth_m is not None:
            self._put(DEPTH_INFO, stamp_ns, info)
        self._put(COLOR, stamp_ns, encode_image(sample.rgb, 'rgb8', self._class('Image'), header))
        if sample.depth_m is not None:
            pixels = depth_pixels(sample.depth_m, self._depth_encoding)
            image = encode_image(pixels, self._depth_encoding, self._class('Image'), header)
            self._put(DEPTH, stamp_ns, image)

    def _write_pose(self, stamp_ns: int, T_fixed_cam: FloatArray) -> None:
        T_fixed_link = T_fixed_cam @ inverse(T_LINK_OPTICAL)
        edge = StampedTransform(stamp_ns, FIXED_FRAME, LINK_FRAME, T_fixed_link)
        self._put(TF, stamp_ns, transforms_message(self._types, [edge]))

    def _cloud(self, sweep: Sweep, stamp_ns: int) -> Any:
        packed = packed_sweep(sweep)
        fields = [
            self._types.new(
                'sensor_msgs/msg/PointField', name=name, offset=offset, datatype=kind, count=1
            )
            for name, offset, kind in POINT_FIELDS
        ]
        return self._types.new(
            'sensor_msgs/msg/PointCloud2',
            header=header_message(self._types, stamp_ns, LIDAR_FRAME),
            height=1,
            width=len(packed),
            fields=fields,
            is_bigendian=False,
            point_step=packed.dtype.itemsize,
            row_step=packed.nbytes,
            data=packed.view(np.uint8),
            is_dense=True,
        )

    def _class(self, name: str) -> Any:
        return typestore().types[f'sensor_msgs/msg/{name}']

    def _put(self, topic: Topic, stamp_ns: int, message: Any) -> None:
        self._writer.write(topic.name, topic.type, stamp_ns, message, topic.quality)


def depth_pixels(depth_m: Float32Array, encoding: str) -> npt.NDArray[Any]:
    """Return (H, W) pixels of a depth image in metres, NaN = no return, in an encoding.

    :param depth_m: (H, W) float32 z-depth.
    """
    if encoding == '32FC1':
        return depth_m
    millimetres = np.rint(np.nan_to_num(depth_m, nan=0.0) * 1000.0)
    return np.clip(millimetres, 0, 65535).astype(np.uint16)


def packed_sweep(sweep: Sweep) -> npt.NDArray[Any]:
    """Return (N,) structured points as LiDAR drivers publish them: see :data:`POINT_FIELDS`."""
    names, _, kinds = zip(*POINT_FIELDS, strict=True)
    packed = np.zeros(
        len(sweep.points_m),
        np.dtype(list(zip(names, [{7: '<f4', 4: '<u2'}[kind] for kind in kinds], strict=True))),
    )
    for axis, name in enumerate('xyz'):
        packed[name] = sweep.points_m[:, axis]
    packed['intensity'], packed['ring'] = sweep.intensity, sweep.ring
    packed['time'] = sweep.time_s
    return packed
