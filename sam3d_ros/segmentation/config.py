# SPDX-License-Identifier: Apache-2.0
"""Options of the segmentation stage; lengths in metres, sizes in pixels of the full image."""

from __future__ import annotations

from dataclasses import dataclass

from sam3d_ros.core.config import group, option
from sam3d_ros.core.pretrained.inference import device_option
from sam3d_ros.segmentation.sam.config import SamConfig


@dataclass(frozen=True, slots=True)
class SupportConfig:
    """Which planes objects may stand on."""

    max_count: int = option(4, 'most support planes in one frame', minimum=1, maximum=16)
    max_tilt_rad: float = option(
        0.26, 'largest angle between a support and the horizontal', minimum=0.0, maximum=1.0
    )
    min_area_m2: float = option(
        0.12,
        'visible area from which a further level plane is a support, not the top of a thing',
        minimum=0.005,
        maximum=10.0,
    )
    min_wall_area_m2: float = option(
        0.3,
        'visible area from which a plane that is not level is a wall',
        minimum=0.05,
        maximum=100.0,
    )
    margin_m: float = option(
        0.05, 'how far a thing may reach over the edge of its support', minimum=0.0, maximum=1.0
    )


@dataclass(frozen=True, slots=True)
class GeometricConfig:
    """How the geometric backend separates things."""

    min_height_m: float = option(
        0.004, 'lowest thing on a support that is found', minimum=0.001, maximum=0.2
    )
    max_size_m: float = option(
        0.8, 'largest extent of a thing; larger ones are background', minimum=0.05, maximum=5.0
    )
    min_area_px: int = option(
        120, 'smallest mask, pixels of a 640x480 image', minimum=10, maximum=100000
    )
    join_bias: float = option(
        -0.3,
        'log-odds added to each pair of patches: larger = fewer, larger things',
        minimum=-5.0,
        maximum=5.0,
    )


@dataclass(frozen=True, slots=True)
class SegmentationConfig:
    """Options of the segmentation stage."""

    backend: str = option(
        'mini',
        'entry point in the group sam3d_ros.segmentation: mini (geometry and a small network), '
        'geometric (no weights), sam, sam2, sam3',
        read_only=True,
    )
    device: str = device_option()
    reach_m: float = option(
        0.0,
        'farthest thing that is listed, metres along the optical axis; 0 = what the sensor can '
        'resolve: 2 m for depth cameras, 8 m for LiDAR',
        minimum=0.0,
        maximum=100.0,
    )
    supports: SupportConfig = group(SupportConfig)
    geometric: GeometricConfig = group(GeometricConfig)
    sam: SamConfig = group(SamConfig)
