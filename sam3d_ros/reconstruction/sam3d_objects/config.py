# SPDX-License-Identifier: Apache-2.0
"""Options of the adapter to an official SAM 3D Objects installation."""

from __future__ import annotations

from dataclasses import dataclass

from sam3d_ros.core.config import option


@dataclass(frozen=True, slots=True)
class Sam3dObjectsConfig:
    """Where the installation is and how it may use the machine."""

    python: str = option('', 'interpreter of the installation', read_only=True)
    notebook: str = option('', "the installation's notebook folder", read_only=True)
    pipeline: str = option('', 'its pipeline.yaml', read_only=True)
    timeout_s: float = option(
        120.0, 'longest time for one object, loading included, s', minimum=1.0, maximum=3600.0
    )
    memory: str = option(
        'resident',
        'resident keeps the models loaded, on_demand frees the GPU after each batch',
        choices=('resident', 'on_demand'),
        read_only=True,
    )
    seed: int = option(0, 'seed of the generation', minimum=0, maximum=2**31 - 1)
