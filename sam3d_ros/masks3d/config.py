# SPDX-License-Identifier: Apache-2.0
"""Options of masks in 3D; the defaults are those of SA3D (Cen et al., NeurIPS 2023)."""

from __future__ import annotations

from dataclasses import dataclass

from sam3d_ros.core.config import option


@dataclass(frozen=True, slots=True)
class Masks3DConfig:
    """How the masks of several views become one mask on surface points."""

    negative: float = option(
        0.15,
        'what a view in which a point is outside the mask counts, against one in which it is '
        'inside (lambda)',
        minimum=0.0,
        maximum=10.0,
    )
    points: int = option(
        3, 'points that a view is prompted with, beside the mask itself', minimum=0, maximum=20
    )
    min_agreement: float = option(
        0.5,
        'least IoU of an answer with the mask as it was known before; others do not count (tau)',
        minimum=0.0,
        maximum=1.0,
    )
