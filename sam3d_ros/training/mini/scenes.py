# SPDX-License-Identifier: Apache-2.0
"""Labelled views of made-up worlds, on the grid that the network sees.

``python -m sam3d_ros.training.mini.scenes --out DIR --objects SCANS --seeds 0:1500`` writes one
file per view; views already there are kept, so that it resumes and may run beside the training.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from sam3d_ros.core.errors import ConfigurationError
from sam3d_ros.core.types import Frame
from sam3d_ros.geometry.cameras import pointmap_from_depth
from sam3d_ros.segmentation.config import SegmentationConfig
from sam3d_ros.segmentation.grid import make_grid
from sam3d_ros.segmentation.mini.inputs import observe
from sam3d_ros.segmentation.normals import local_planes
from sam3d_ros.segmentation.supports import find_structure
from sam3d_ros.training.mini.stored import View, store
from sam3d_ros.world import cameras
from sam3d_ros.world.episode import Episode
from sam3d_ros.world.meshes import LARGEST_M, list_scans, load_scan
from sam3d_ros.world.photograph import photograph
from sam3d_ros.world.placing import Body
from sam3d_ros.world.render import Renderer
from sam3d_ros.world.samples import noisy
from sam3d_ros.world.sources import ObjectSource, ProceduralSource
from sam3d_ros.world.suites import make_episode

LOG = logging.getLogger(__name__)

SUITES = ('clutter', 'stacked', 'clutter', 'piled', 'clutter', 'stacked', 'spaced')
"""Suites in turn: most views show things that touch."""
BOXY = ('box', 'box', 'can', 'box', 'can', 'bowl', 'cup', 'flat', 'mug', 'bottle')
HELD_BACK_SCANS = 7
"""Every seventh scan of the split is kept from the network, the first one too."""
DISTANCE_M = (0.55, 1.15)
ELEVATION_RAD = (0.42, 1.15)
AIM_SIGMA_M = 0.07
"""How far the camera looks past the middle of the things: some are cut by the border."""


class Scans:
    """Scans of the training split; of the two disjoint parts, one draws from one."""

    def __init__(self, folder: Path, held_back: bool) -> None:
        entries = [e for e in list_scans(folder, 'train') if (e.longest_m or 0.0) <= LARGEST_M]
        self._entries = [
            entry for k, entry in enumerate(entries) if (k % HELD_BACK_SCANS == 0) == held_back
        ]
        self._bodies: dict[str, Body] = {}
        self.description = f'{len(self._entries)} scans'

    def draw(self, count: int, rng: np.random.Generator) -> list[Body]:
        """Return up to ``count`` different bodies."""
        chosen = rng.permutation(len(self._entries))[:count]
        return [self._load(int(k)) for k in chosen]

    def _load(self, index: int) -> Body:
        entry = self._entries[index]
        if entry.name not in self._bodies:
            self._bodies[entry.name] = Body(load_scan(entry))
        return self._bodies[entry.name]


@dataclass(slots=True)
class Mixture:
    """Things of several sources in one world.

    :param shares: chance of each source to give a thing.
    """

    sources: Sequence[ObjectSource]
    shares: Sequence[float]
    description: str = 'a mixture'

    def draw(self, count: int, rng: np.random.Generator) -> list[Body]:
        """Return ``count`` bodies; what a small source cannot give, the last one does."""
        wanted = rng.multinomial(count, self.shares)
        drawn = [
            source.draw(int(number), rng)
            for source, number in zip(self.sources[:-1], wanted[:-1], strict=True)
        ]
        drawn.append(self.sources[-1].draw(count - sum(map(len, drawn)), rng))
        return [body for part in drawn for body in part]


def source_of(seed: int, scans: Scans) -> ObjectSource:
    """Return where a seed's things come from: mostly scans, mostly boxes, or anything."""
    shares = ((0.7, 0.1, 0.2), (0.1, 0.7, 0.2), (0.3, 0.1, 0.6))[seed // len(SUITES) % 3]
    return Mixture((scans, ProceduralSource(BOXY), ProceduralSource()), shares)


def views(seed: int, count: int, source: ObjectSource) -> Iterator[View]:
    """Yield ``count`` views of one world from all around."""
    suite = SUITES[seed % len(SUITES)]
    rng = np.random.default_rng([seed, 4711])
    episode = make_episode(suite, seed, source, frames=1)
    renderer = Renderer(episode.objects, episode.surroundings, episode.light)
    for _ in range(count):
        yield _view(_looked_at(episode, rng), renderer, rng)


def _looked_at(episode: Episode, rng: np.random.Generator) -> Episode:
    target = episode.T_fixed_obj[0, :, :3, 3].mean(axis=0) + rng.normal(0, AIM_SIGMA_M, 3)
    eye = cameras.spherical(
        rng.uniform(*DISTANCE_M), rng.uniform(0, 2 * np.pi), rng.uniform(*ELEVATION_RAD)
    )
    T_fixed_cam = cameras.looking_at(target + eye, target, rng.normal(0, 0.03))
    return replace(episode, T_fixed_cam=T_fixed_cam[None])


def _view(episode: Episode, renderer: Renderer, rng: np.random.Generator) -> View:
    """Draw one view as the sensor sees it and take it to the grid, with its geometry."""
    camera, T_fixed_cam = episode.camera, episode.T_fixed_cam[0]
    drawn = renderer.render(camera, T_fixed_cam, episode.T_fixed_obj[0])
    depth_m = episode.sensor.measure(drawn, camera, rng)
    take = noisy if episode.looks == 'plain' else photograph
    rgb = take(drawn.rgb, rng)
    up = T_fixed_cam[2, :3].copy() if rng.random() < 0.5 else None
    pointmap = pointmap_from_depth(depth_m, camera)
    frame = Frame(0, 'camera', camera, rgb, pointmap, 'world', T_fixed_cam, up)
    grid = make_grid(frame)
    local = local_planes(grid)
    structure = find_structure(grid, local, up, SegmentationConfig().supports)
    seen = observe(frame, grid, local, structure)
    return View(seen, drawn.instances[:: grid.step, :: grid.step])


def main() -> None:
    """Write the views of a range of seeds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--out', type=Path, required=True, help='folder of the views')
    parser.add_argument('--objects', type=Path, required=True, help='scans with an index.json')
    parser.add_argument('--seeds', default='0:1500', help='first:last, last exclusive')
    parser.add_argument('--views', type=int, default=3, help='views of one world')
    parser.add_argument('--held-back', action='store_true', help='use the held-back scans')
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format='%(message)s')
    arguments.out.mkdir(parents=True, exist_ok=True)
    scans = Scans(arguments.objects, arguments.held_back)
    for seed in range(*(int(part) for part in arguments.seeds.split(':'))):
        done = arguments.out / f'{seed:06d}.done'
        if done.exists():
            continue
        try:
            for number, view in enumerate(views(seed, arguments.views, source_of(seed, scans))):
                store(arguments.out / f'{seed:06d}_{number}.npz', view)
        except ConfigurationError as error:
            LOG.warning('world %d left out: %s', seed, error)
        done.touch()


if __name__ == '__main__':
    main()
