# SPDX-License-Identifier: Apache-2.0
"""Options of the scene memory."""

from dataclasses import dataclass

from sam3d_ros.core.config import option


@dataclass(frozen=True, slots=True)
class SceneConfig:
    """Options of what is remembered about objects out of sight."""

    drift_m_per_s: float = option(
        0.002,
        'Growth of the position sigma of an object that is not seen, metres per root second.',
        minimum=0.0,
        maximum=1.0,
    )
    drift_rad_per_s: float = option(
        0.01,
        'Growth of the rotation sigma of an object that is not seen, radians per root second.',
        minimum=0.0,
        maximum=1.0,
    )
    tolerance_m: float = option(
        0.02,
        'Distance within which a return confirms a remembered surface at zero range, metres.',
        minimum=0.001,
        maximum=0.2,
    )
    tolerance_per_z2: float = option(
        0.008,
        'Growth of that distance with the square of the range, 1/metres.',
        minimum=0.0,
        maximum=0.1,
    )
    out_of_view_share: float = option(
        0.5,
        'An unseen object is out of view when less than this share of it projects into the image.',
        minimum=0.0,
        maximum=1.0,
    )
