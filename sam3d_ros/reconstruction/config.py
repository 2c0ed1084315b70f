# SPDX-License-Identifier: Apache-2.0
"""Options of the reconstruction stage: evidence, completion, surface, layout, memory."""

from __future__ import annotations

from dataclasses import dataclass

from sam3d_ros.core.config import option


@dataclass(frozen=True)
class EvidenceConfig:
    """What the sensor is believed to be, and how its rays become an object's volume."""

    grid: int = option(48, 'voxels along each side of an object volume', minimum=16, maximum=128)
    margin: float = option(
        1.25, 'side of the volume over the largest extent seen', minimum=1.05, maximum=3.0
    )
    hidden_depth: float = option(
        0.8,
        'least depth allowed for, as a share of the smaller of width and height',
        minimum=0.0,
        maximum=3.0,
    )
    truncation_voxels: float = option(
        4.0, 'truncation of the signed distance, voxels', minimum=1.0, maximum=16.0
    )
    sigma_floor_m: float = option(
        0.0012, 'depth noise at 0.4 m, one sigma, m', minimum=0.0, maximum=0.1
    )
    sigma_quadratic: float = option(
        0.0019, 'growth of depth noise with (z - 0.4 m)^2, 1/m', minimum=0.0, maximum=0.1
    )
    free_sigmas: float = option(
        2.0, 'sigmas before a surface from which a ray proves free space', minimum=0.0, maximum=10
    )
    max_points: int = option(
        4096, 'observed points kept for one object', minimum=64, maximum=100000
    )
