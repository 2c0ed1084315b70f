# SPDX-License-Identifier: Apache-2.0
"""Options of the stage language."""

from __future__ import annotations

from dataclasses import dataclass

from sam3d_ros.core.config import option
from sam3d_ros.core.pretrained.inference import device_option


@dataclass(frozen=True, slots=True)
class LanguageConfig:
    """What objects are called by."""

    names: bool = option(
        True,
        'name objects by look, shape and size: one of about 25 kinds, or unknown; a look takes '
        'about 10 ms on one core, and live there is one in a frame at most',
        read_only=True,
    )
    device: str = device_option()
    colors: bool = option(
        True,
        'learn the colours of objects from all frames, as under white light; without it phrases '
        'go by the colours of the mesh',
        read_only=True,
    )
