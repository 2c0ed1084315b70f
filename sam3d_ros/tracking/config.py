# SPDX-License-Identifier: Apache-2.0
"""Options of tracking."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from sam3d_ros.core.config import option


@dataclass(frozen=True, slots=True)
class TrackingConfig:
    """Options of tracking by overlap in the fixed frame."""

    REMOVED: ClassVar[Mapping[str, str]] = dict.fromkeys(
        ('tolerance_m', 'tolerance_per_z2'),
        'pointmaps.sensor names the model of the sensor, which says how near a return must be.',
    )

    backend: str = option('overlap', 'Tracking backend by name.', read_only=True)
    confirm_hits: int = option(
        3, 'Frames in which a track must be seen to be confirmed.', minimum=1, maximum=30
    )
    min_overlap: float = option(
        0.3,
        'Least overlap (geometric mean of both coverages) for a mask to continue a track.',
        minimum=0.05,
        maximum=0.95,
    )
    tentative_misses: int = option(
        3, 'Missed frames after which an unconfirmed track is dropped.', minimum=1, maximum=100
    )
    absent_frames: int = option(
        3,
        'Frames in which free space or another track must disprove a track, net of those that '
        'confirm it, before it ends.',
        minimum=1,
        maximum=100,
    )
    absent_share: float = option(
        0.7,
        'Share of the points in view that must be seen through to disprove a track.',
        minimum=0.5,
        maximum=1.0,
    )
    reach_m: float = option(
        0.1,
        'Farthest a moving object may travel between two frames and still keep its id, metres.',
        minimum=0.0,
        maximum=1.0,
    )
