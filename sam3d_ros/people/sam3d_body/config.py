# SPDX-License-Identifier: Apache-2.0
"""Options of the adapter to an official SAM 3D Body installation."""

from __future__ import annotations

from dataclasses import dataclass

from sam3d_ros.core.config import option


@dataclass(frozen=True, slots=True)
class Sam3dBodyConfig:
    """Where the installation is, and how often it is asked."""

    python: str = option(
        '', 'interpreter of an official SAM 3D Body; empty = it is not used', read_only=True
    )
    repository: str = option('', "the installation's folder with sam_3d_body", read_only=True)
    checkpoint: str = option('', 'its checkpoint', read_only=True)
    mhr: str = option('', 'its model of MHR', read_only=True)
    device: str = option('cuda', 'where it runs, as torch calls it', read_only=True)
    every_s: float = option(
        2.0, 'shortest time between two bodies of one person, seconds', minimum=0.0, maximum=3600.0
    )
    timeout_s: float = option(
        120.0, 'longest time for one body, loading included, s', minimum=1.0, maximum=3600.0
    )
