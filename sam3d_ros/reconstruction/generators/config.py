# SPDX-License-Identifier: Apache-2.0
"""Options of the adapters to generators that their users installed."""

from __future__ import annotations

from dataclasses import dataclass

from sam3d_ros.core.config import option

GENERATORS = ('sam3d_objects', 'triposr')
"""Backends that see whole images and take seconds: ``volume`` goes before them."""


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
    seeds: int = option(
        1,
        'objects are generated from so many seeds, from seed on; the one that the evidence speaks '
        'for is kept',
        minimum=1,
        maximum=64,
    )


@dataclass(frozen=True, slots=True)
class TripoSRConfig:
    """Where an installation of TripoSR is and how it may use the machine."""

    python: str = option('', 'interpreter of the installation', read_only=True)
    home: str = option('', 'folder of the installation, the one that holds tsr/', read_only=True)
    weights: str = option(
        'stabilityai/TripoSR',
        'folder with config.yaml and model.ckpt, or their name on the hub',
        read_only=True,
    )
    timeout_s: float = option(
        120.0, 'longest time for one object, loading included, s', minimum=1.0, maximum=3600.0
    )
    memory: str = option(
        'resident',
        'resident keeps the model loaded, on_demand frees the GPU after each batch',
        choices=('resident', 'on_demand'),
        read_only=True,
    )
    resolution: int = option(
        128, 'cells of marching cubes along each side', minimum=16, maximum=512
    )
