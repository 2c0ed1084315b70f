# SPDX-License-Identifier: Apache-2.0
"""Options of the reconstruction stage: evidence, completion, surface, layout, memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from sam3d_ros.core.config import group, option
from sam3d_ros.core.pretrained.inference import device_option
from sam3d_ros.reconstruction.generators.config import (
    GENERATORS,
    Sam3dObjectsConfig,
    TripoSRConfig,
)


@dataclass(frozen=True)
class EvidenceConfig:
    """How rays become an object's volume; how far they may be off is the frame's sensor's."""

    REMOVED: ClassVar[Mapping[str, str]] = dict.fromkeys(
        ('sigma_floor_m', 'sigma_quadratic', 'sigma_lateral_px', 'depth_step'),
        'pointmaps.sensor names the model of the sensor, which says how far its returns are off.',
    )
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
    free_sigmas: float = option(
        2.0, 'sigmas before a surface from which a ray proves free space', minimum=0.0, maximum=10
    )
    max_points: int = option(
        4096, 'observed points kept for one object', minimum=64, maximum=100000
    )


@dataclass(frozen=True)
class LayoutConfig:
    """How the pose of a known shape follows what each frame shows."""

    iterations: int = option(6, 'Gauss-Newton steps per frame', minimum=0, maximum=50)
    gate_m: float = option(
        0.02,
        'points farther than this from the surface, and farther than noise, do not pull, m',
        minimum=0.001,
        maximum=1,
    )
    floor_m: float = option(
        0.00015,
        'position error that no residual shows, one sigma, m; add what the calibration of camera '
        'and transforms leaves',
        minimum=0.0,
        maximum=0.1,
    )
    floor_rad: float = option(
        0.002, 'rotation error that no residual shows, one sigma, rad', minimum=0.0, maximum=1.0
    )
    moved_sigmas: float = option(
        5.0, 'an object has moved when its pose is off by this many sigmas', minimum=1, maximum=100
    )
    lost_s: float = option(
        0.5,
        'an object that fits no view for so long is lost, s: it is looked for from all sides, and '
        'its shape is made anew if it fits nowhere',
        minimum=0.0,
        maximum=60.0,
    )


@dataclass(frozen=True)
class ReconstructionConfig:
    """The reconstruction stage."""

    backend: str = option(
        'volume',
        'entry point in the group sam3d_ros.reconstruction that completes the hidden side: '
        'volume (learned), geometric (no weights), sam3d_objects, triposr (live, volume goes '
        'before these two); or auto (geometric at once, volume when next seen); geometric takes '
        'over when a result fails the evidence',
        read_only=True,
    )
    without_depth: str = option(
        '',
        'backend for things hardly a pixel of which has a return, as glass and chrome; empty = '
        'the same as for others',
        read_only=True,
    )
    bodies: bool = option(
        True,
        'things that return hardly any range, as glass, get a body from their silhouette and what '
        'they stand on; it is inferred',
    )
    device: str = device_option()
    max_keyframes: int = option(5, 'views kept per object', minimum=1, maximum=50)
    keyframe_angle_rad: float = option(
        0.03, 'a view this much to the side of all kept ones is kept too', minimum=0.0, maximum=3.2
    )
    keyframe_growth: float = option(
        1.3, 'a view with this many times the pixels is kept too', minimum=1.0, maximum=100.0
    )
    max_faces: int = option(10_000, 'faces of a published mesh', minimum=100, maximum=1_000_000)
    answers: int = option(
        1,
        'completions of each object: the best one is its mesh, the others and hulls of what it '
        'may be and surely is are published beside it; each costs about 30 ms',
        minimum=1,
        maximum=8,
    )
    refine: bool = option(
        False,
        'things with thin walls, blades or handles that volume completed are decoded again at '
        'twice the resolution where their surface is',
    )
    texture_px: int = option(
        1024,
        'most columns and rows of a texture in GLB files; smaller ones have 1.5 texels a pixel',
        minimum=256,
        maximum=8192,
    )
    min_inliers: float = option(
        0.5,
        'share of observed points that a completion and its mesh must pass through',
        minimum=0,
        maximum=1,
    )
    max_free_volume: float = option(
        0.05,
        'share of its volume in seen-through space that a result may have',
        minimum=0,
        maximum=1,
    )
    evidence: EvidenceConfig = group(EvidenceConfig)
    layout: LayoutConfig = group(LayoutConfig)
    sam3d_objects: Sam3dObjectsConfig = group(Sam3dObjectsConfig)
    triposr: TripoSRConfig = group(TripoSRConfig)

    @property
    def generator(self) -> str:
        """The backend in use that wants whole frames, and seconds; empty = none."""
        return next((name for name in self.completers if name in GENERATORS), '')

    @property
    def generation_s(self) -> float:
        """Longest time that a generator may take for one object, s; 0 without one."""
        own = self.sam3d_objects
        limits = {'sam3d_objects': own.timeout_s * own.seeds, 'triposr': self.triposr.timeout_s}
        return max(limits.get(name, 0.0) for name in self.completers)

    @property
    def completer(self) -> str:
        """The backend that shapes are made by in the end."""
        return 'volume' if self.backend == 'auto' else self.backend

    @property
    def completers(self) -> tuple[str, ...]:
        """All backends in use, that of most things first."""
        return (self.completer, *filter(None, [self.without_depth]))
