# SPDX-License-Identifier: Apache-2.0
"""Real frames with boxes of their objects: a ``.npz`` and a ``.json`` of the same name each."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sam3d_ros.bench.masks.scenes_segmentation import depth_of, frame_of
from sam3d_ros.bench.metrics.metrics_boxes import Box, BoxLabels, BoxObject
from sam3d_ros.core.errors import InputError
from sam3d_ros.core.types import Camera, Float32Array, Frame


@dataclass(frozen=True, slots=True, eq=False)
class BoxFrame:
    """A real frame, the camera that took it, and boxes of what it shows."""

    name: str
    sensor: str
    frame: Frame
    labels: BoxLabels


UNNAMED = 'Kinect v1'
"""The camera of frames that name none: those of the Object Segmentation Database."""


def sensor_key(sensor: str) -> str:
    """Return the name of a camera as it stands in keys of figures."""
    return re.sub(r'[^a-z0-9]+', '_', sensor.lower()).strip('_')


def read_depth(path: Path) -> tuple[str, Float32Array, Camera]:
    """Return the camera's name, (H, W) float32 depth in metres (NaN = none), and intrinsics."""
    with np.load(path) as stored:
        sensor = str(stored['sensor']) if 'sensor' in stored else UNNAMED
        depth_m, camera = depth_of(stored)
    return sensor, depth_m, camera


def labels_file(path: Path) -> Path:
    """Return where the boxes of a frame are, if it has any."""
    return path.with_suffix('.json')


def read_box_frame(path: Path) -> BoxFrame:
    """Read a frame and its boxes (keys as in the data's description).

    :raises InputError: when the labels are not as described, or lie outside the image.
    """
    with np.load(path) as stored:
        sensor, frame = str(stored['sensor']), frame_of(stored, path.name)
    try:
        labels = _labels(json.loads(labels_file(path).read_text()))
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f'{labels_file(path).name}: {type(error).__name__}: {error}',
            wanted='objects with name, box, point, transparent and occluded; ignore',
        ) from error
    for item in labels.objects:
        u, v = item.point_px
        if not (0 <= u < frame.camera.width and 0 <= v < frame.camera.height):
            raise InputError(
                f'{labels_file(path).name}: {item.name} at {u}, {v}',
                wanted=f'a point within {frame.camera.width} x {frame.camera.height}',
            )
    return BoxFrame(path.stem, sensor, frame, labels)


def _labels(stored: Mapping[str, Any]) -> BoxLabels:
    objects = tuple(
        BoxObject(
            name=str(item['name']),
            box_px=_box(item['box']),
            point_px=(int(item['point'][0]), int(item['point'][1])),
            transparent=bool(item['transparent']),
            occluded=str(item['occluded']),
        )
        for item in stored['objects']
    )
    return BoxLabels(objects, tuple(_box(item) for item in stored['ignore']))


def _box(sides: list[Any]) -> Box:
    left, top, right, bottom = (int(side) for side in sides)
    if left >= right or top >= bottom:
        raise ValueError(f'empty box {sides}')
    return left, top, right, bottom
