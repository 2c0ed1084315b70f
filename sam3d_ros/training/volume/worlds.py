# SPDX-License-Identifier: Apache-2.0
"""The worlds that training samples are seen in: a suite, things, a sensor and cameras by seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import open3d as o3d

from sam3d_ros.core.errors import InputError
from sam3d_ros.core.sensors import IDEAL
from sam3d_ros.core.types import FloatArray
from sam3d_ros.training.cameras import jittered
from sam3d_ros.training.sensors import draw_sensor
from sam3d_ros.training.sources import Mixture, Scans, part_of
from sam3d_ros.world.episode import Episode
from sam3d_ros.world.meshes import ScanEntry, indexed_scans
from sam3d_ros.world.rendering.sensors import RangeCamera
from sam3d_ros.world.sources import ObjectSource, ProceduralSource, Resized
from sam3d_ros.world.suites import make_episode

SUITES = (
    'spaced', 'clutter', 'piled', 'stacked', 'single', 'bin', 'shelf', 'plates', 'covered',
    'flat', 'levels', 'ground', 'low_table',
)  # fmt: skip
"""Suites in turn."""
VIEWS, VIEW_SHARES = (1, 2, 4), (0.5, 0.25, 0.25)
"""How many views a world has, and how often."""
SCAN_SHARE = 0.4
"""Share of scans among the things drawn."""
HELD_BACK_SCANS = 8
"""Every eighth scan of the split is kept for validation, the first one too."""
HALF_SIZE_SHARE = 0.25
"""Share of the worlds whose pictures are 320x240 instead of 640x480."""
FACTORS, LONGEST_M = (0.75, 1.35), (0.025, 0.32)
"""Factor on the size of things, and the sizes that it keeps to."""


@dataclass(frozen=True)
class WorldOptions:
    """What worlds contain.

    :param noise: depth, mask, plane and pose errors; without them the sensor is ideal.
    :param vary: things come in other sizes than their own.
    :param suites: names, in turn.
    :param without_depth: share of the objects that come a second time, without their returns.
    """

    noise: bool = True
    vary: bool = True
    suites: Sequence[str] = SUITES
    without_depth: float = 0.0


def draw_world(seed: int, source: ObjectSource, options: WorldOptions) -> Episode:
    """Return the world of a seed.

    :raises ConfigurationError: when the suite's things cannot be placed.
    """
    rng = np.random.default_rng([seed, 48])
    suite = options.suites[seed % len(options.suites)]
    things = Resized(source, FACTORS, LONGEST_M) if options.vary else source
    count, step = int(rng.choice(VIEWS, p=VIEW_SHARES)), 1 + int(rng.random() < HALF_SIZE_SHARE)
    model = draw_sensor(rng).model if options.noise else IDEAL
    episode = make_episode(
        suite,
        seed,
        things,
        frames=count,
        size_px=(640 // step, 480 // step),
        sensor=RangeCamera(model.on_grid(step)),
    )
    return jittered(episode, rng)


def training_source(
    folder: Path | None, held_back: bool, families: Sequence[str] = ()
) -> ObjectSource:
    """Return procedural solids, mixed with scans of the split ``train`` where there is a folder.

    :param held_back: use the scans that no training sees, or all others.
    :param families: of the solids; all when empty.
    """
    solids = ProceduralSource(families)
    if folder is None:
        return solids
    entries = part_of(scans(folder, 'train'), HELD_BACK_SCANS, held_back)
    return Mixture((Scans(entries), solids), (SCAN_SHARE, 1 - SCAN_SHARE))


def scans(folder: Path, split: str) -> list[ScanEntry]:
    """Return the scans of one split, in the order of ``folder``/index.json.

    :raises InputError: without an index, since nothing then keeps test scans out.
    """
    index = folder / 'index.json'
    if not index.is_file():
        raise InputError(f'no {index}', wanted='the index of a folder of scanned objects')
    return [entry for entry in indexed_scans(index) if entry.split == split]


def support_heights(episode: Episode) -> FloatArray:
    """Return (N,) heights in the fixed frame of what is under each object, NaN = nothing.

    It is the first of the surroundings below the object's middle: a table, a board of a shelf;
    what carries a thing that stands on another one is what that other one stands on.
    """
    scene = o3d.t.geometry.RaycastingScene(nthreads=1)
    for solid in episode.surroundings:
        scene.add_triangles(solid.vertices_m, solid.faces.astype(np.uint32))
    middles = episode.T_fixed_obj[0, :, :3, 3]
    down = np.broadcast_to([0.0, 0.0, -1.0], middles.shape)
    rays = np.concatenate([middles, down], axis=1).astype(np.float32)
    fall = scene.cast_rays(rays)['t_hit'].numpy().astype(np.float64)
    return np.where(np.isfinite(fall), middles[:, 2] - fall, np.nan)
