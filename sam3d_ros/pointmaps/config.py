# SPDX-License-Identifier: Apache-2.0
"""Options of the pointmap stage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from sam3d_ros.core.config import group, option
from sam3d_ros.core.sensors import MODELS


@dataclass(frozen=True)
class LidarConfig:
    """How a sparse cloud becomes a pointmap."""

    REMOVED: ClassVar[Mapping[str, str]] = {
        'noise_m': 'pointmaps.sensor names the model of the sensor, which says how far it is off.'
    }

    radius_px: int = option(
        8,
        'reach of the local plane fit that closes gaps between LiDAR returns, px',
        minimum=0,
        maximum=64,
    )
    occlusion_margin: float = option(
        0.08,
        'a return this much farther (relative) than a near neighbour is taken as hidden by it',
        minimum=0.0,
        maximum=1.0,
    )


@dataclass(frozen=True)
class PointmapConfig:
    """How images, depth and clouds become frames."""

    min_depth_m: float = option(
        0.1, 'nearer returns are dropped, metres along the optical axis', minimum=0.0, maximum=10.0
    )
    max_depth_m: float = option(
        10.0,
        'farther returns are dropped, metres along the optical axis',
        minimum=0.1,
        maximum=500.0,
    )
    fixed_frame: str = option(
        '',
        'frame that objects are kept in; empty = the root of the TF tree above the camera, or '
        'the optical frame when there is no TF',
        read_only=True,
    )
    up: str = option(
        'auto',
        'where up is: auto = +z of the fixed frame unless that is the camera itself or its '
        'housing; fixed = always +z of the fixed frame; unknown = never from TF',
        choices=('auto', 'fixed', 'unknown'),
    )
    rectified: str = option(
        'auto',
        'whether input images are rectified; auto = yes when their topic says rect',
        choices=('auto', 'yes', 'no'),
        read_only=True,
    )
    sensor: str = option(
        'auto',
        'range camera whose errors are assumed at first: auto = structured_light for depth '
        'images, lidar for clouds; or one of the known ones; it then measures itself',
        choices=('auto', *MODELS),
        read_only=True,
    )
    measure_noise: bool = option(
        True,
        'measure spread and grain of the depth camera on the smooth surfaces that it sees',
        read_only=True,
    )
    lidar: LidarConfig = group(LidarConfig)
