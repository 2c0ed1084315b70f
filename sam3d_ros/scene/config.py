# SPDX-License-Identifier: Apache-2.0
"""Options of the scene memory."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from sam3d_ros.core.config import option


@dataclass(frozen=True, slots=True)
class SceneConfig:
    """Options of what is remembered about objects out of sight."""

    REMOVED: ClassVar[Mapping[str, str]] = dict.fromkeys(
        ('tolerance_m', 'tolerance_per_z2'),
        'pointmaps.sensor names the model of the sensor, which says how near a return must be.',
    )

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
    out_of_view_share: float = option(
        0.5,
        'An unseen object is out of view when less than this share of it projects into the image.',
        minimum=0.0,
        maximum=1.0,
    )
    contacts: bool = option(
        True, 'Publish objects that stand on something and in nothing: moved and cut a little.'
    )
    contact_sigmas: float = option(
        2.5,
        'An object is put into contact over no more than so many sigmas of its position and of '
        'its bottom.',
        minimum=0.0,
        maximum=10.0,
    )
