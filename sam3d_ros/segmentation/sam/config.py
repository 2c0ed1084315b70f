# SPDX-License-Identifier: Apache-2.0
"""Options of the SAM backends; automatic-mask defaults are those of the SAM paper, appendix B."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from sam3d_ros.core.config import group, option


@dataclass(frozen=True, slots=True)
class AutomaticMaskConfig:
    """How masks of everything are made from a grid of points."""

    points_per_side: int = option(32, 'grid points along each side', minimum=1, maximum=256)
    points_per_batch: int = option(64, 'points decoded at once', minimum=1, maximum=1024)
    min_predicted_iou: float = option(
        0.88, "least IoU a mask's own head predicts for it", minimum=0.0, maximum=1.0
    )
    min_stability: float = option(
        0.95, 'least IoU of a mask cut at both sides of its threshold', minimum=0.0, maximum=1.0
    )
    stability_offset: float = option(
        1.0, 'distance of these cuts from the threshold, logits', minimum=0.0, maximum=10.0
    )
    max_box_iou: float = option(
        0.7, 'masks whose boxes overlap more are duplicates', minimum=0.0, maximum=1.0
    )
    crop_layers: int = option(0, 'layers of 4^k crops, each segmented anew', minimum=0, maximum=4)
    crop_overlap: float = option(
        0.3413, 'overlap of crops, share of the shorter side', minimum=0.0, maximum=0.9
    )
    crop_point_divisor: int = option(
        1, 'grid points a side are divided by this in each layer', minimum=1, maximum=8
    )
    min_region_px: int = option(
        100, 'holes and islands smaller than this are cleaned', minimum=0, maximum=100000
    )


@dataclass(frozen=True, slots=True)
class SamConfig:
    """Which checkpoint runs, and how."""

    REMOVED: ClassVar[Mapping[str, str]] = {
        'device': 'segmentation.device says where all networks of the stage run.'
    }

    checkpoint: str = option(
        '', 'folder, .pth file or cached hub id; empty = the registry default', read_only=True
    )
    half_precision: bool = option(
        True,
        'on a GPU, see images in bfloat16 (prompts stay exact); the CPU computes in float32',
        read_only=True,
    )
    min_score: float = option(
        0.5, 'least score of a concept found by text or exemplar', minimum=0.0, maximum=1.0
    )
    automatic: AutomaticMaskConfig = group(AutomaticMaskConfig)
