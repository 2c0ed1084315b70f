# SPDX-License-Identifier: Apache-2.0
"""``core.Frame`` as one message (``sam3d_msgs/msg/Frame``), for stages in different processes.

The public cloud (``pointmap/points``) is best effort, and 4.9 MB of it between two processes are
lost more often than not; this message goes over a reliable link and loses no bit of the frame.
"""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np

from sam3d_ros.core.sensors import STRUCTURED_LIGHT, SensorModel, sensor_model
from sam3d_ros.core.types import Camera, Frame
from sam3d_ros.messages.cdr import encode
from sam3d_ros.messages.topics import Quality, Topic
from sam3d_ros.messages.typestore import typestore

FRAMES = Topic('pointmap/frames', 'sam3d_msgs/msg/Frame', Quality.RELIABLE)


def encode_frame(frame: Frame) -> bytes:
    """Return the CDR bytes of a frame."""
    seconds, nanoseconds = divmod(frame.stamp_ns, 1_000_000_000)
    message = SimpleNamespace(
        header=SimpleNamespace(
            stamp=SimpleNamespace(sec=seconds, nanosec=nanoseconds), frame_id=frame.frame_id
        ),
        fixed_frame=frame.fixed_frame,
        t_fixed_optical=frame.T_fixed_cam,
        up=np.zeros(3) if frame.up_cam is None else frame.up_cam,
        height=frame.camera.height,
        width=frame.camera.width,
        k=frame.camera.K,
        rgb=frame.rgb,
        points=frame.pointmap,
        sensor_model=frame.sensor.name,
        sensor_spread=np.array([frame.sensor.floor_m, frame.sensor.quadratic]),
        sensor_grain=np.array(frame.sensor.grain, np.float64).ravel(),
        camera_id=frame.camera_id,
        measured=np.zeros(0, bool) if frame.measured is None else frame.measured,
        sigma=np.zeros(0, np.float32) if frame.range_sigma_m is None else frame.range_sigma_m,
        pose_covariance=np.zeros(0) if frame.pose_covariance is None else frame.pose_covariance,
        gripper_frames=list(frame.grippers),
        t_fixed_gripper=np.array(list(frame.grippers.values()), np.float64).ravel(),
    )
    return encode(message, FRAMES.type)


def every(frame: Frame, step: int) -> Frame:
    """Return a frame of every ``step``-th pixel of every ``step``-th row; 1 = itself."""
    if step == 1:
        return frame
    rgb, measured, sigma_m = frame.rgb[::step, ::step], frame.measured, frame.range_sigma_m
    K = frame.camera.K.copy()
    K[:2] /= step
    return replace(
        frame,
        rgb=np.ascontiguousarray(rgb),
        pointmap=np.ascontiguousarray(frame.pointmap[::step, ::step]),
        measured=None if measured is None else np.ascontiguousarray(measured[::step, ::step]),
        range_sigma_m=None if sigma_m is None else np.ascontiguousarray(sigma_m[::step, ::step]),
        camera=Camera(rgb.shape[1], rgb.shape[0], K),
    )


def decode_frame(data: bytes) -> Frame:
    """Return the frame in CDR bytes; its arrays are read-only views of ``data``."""
    message: Any = typestore().deserialize_cdr(data, FRAMES.type)
    shape = (message.height, message.width, 3)
    up = np.asarray(message.up)
    return Frame(
        stamp_ns=message.header.stamp.sec * 1_000_000_000 + message.header.stamp.nanosec,
        frame_id=message.header.frame_id,
        camera=Camera(message.width, message.height, message.k.reshape(3, 3)),
        rgb=message.rgb.reshape(shape),
        pointmap=message.points.reshape(shape),
        fixed_frame=message.fixed_frame,
        T_fixed_cam=message.t_fixed_optical.reshape(4, 4),
        up_cam=up if up.any() else None,
        sensor=_sensor(message),
        camera_id=message.camera_id,
        measured=message.measured.view(bool).reshape(shape[:2]) if len(message.measured) else None,
        range_sigma_m=message.sigma.reshape(shape[:2]) if len(message.sigma) else None,
        pose_covariance=message.pose_covariance.reshape(6, 6)
        if len(message.pose_covariance)
        else None,
        grippers=dict(
            zip(
                map(str, message.gripper_frames),
                message.t_fixed_gripper.reshape(-1, 4, 4),
                strict=True,
            )
        ),
    )


def _sensor(message: Any) -> SensorModel:
    """The model of that name with the spread and the grain that were measured."""
    if not message.sensor_model:
        return STRUCTURED_LIGHT
    floor_m, quadratic = (float(value) for value in message.sensor_spread)
    scales, shares = message.sensor_grain.reshape(-1, 2).T.tolist()
    grain = tuple(zip(scales, shares, strict=True))
    named = sensor_model(message.sensor_model)
    return replace(named, floor_m=floor_m, quadratic=quadratic, grain=grain)
