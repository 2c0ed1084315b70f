# SPDX-License-Identifier: Apache-2.0
"""Labelled views of made-up worlds on the working grid of segmentation, for every training of it.

``python -m sam3d_ros.training.views --out DIR --objects SCANS --seeds 0:1500`` writes one file per
view; worlds already drawn are kept, so that it resumes and may run beside a training.
"""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from sam3d_ros.core.errors import ConfigurationError
from sam3d_ros.core.sensors import SensorModel
from sam3d_ros.core.types import ByteArray, Camera, Frame
from sam3d_ros.geometry.cameras import pointmap_from_depth
from sam3d_ros.segmentation.partition.grid import WORKING_WIDTH
from sam3d_ros.training.cameras import jittered
from sam3d_ros.training.sensors import draw_sensor
from sam3d_ros.training.sources import Mixture, Scans, part_of
from sam3d_ros.world.meshes import LARGEST_M, list_scans
from sam3d_ros.world.samples import Sample, samples
from sam3d_ros.world.sources import ObjectSource, ProceduralSource, Resized
from sam3d_ros.world.suites import make_episode

LOG = logging.getLogger(__name__)

SUITES = (
    'clutter', 'plates', 'bin', 'low_table', 'stacked', 'flat', 'shelf', 'clutter',
    'ground', 'covered', 'piled', 'plates', 'spaced', 'levels', 'overhead', 'bin',
    'clutter', 'flat', 'stacked', 'low_table', 'empty_table', 'shelf', 'covered', 'empty_floor',
    'ground', 'plates', 'clutter', 'empty_bin', 'levels', 'spaced', 'empty_shelf', 'overhead',
)  # fmt: skip
"""Suites in turn: most views show things that touch, some show none."""
BOXY = ('box', 'box', 'can', 'box', 'can', 'bowl', 'cup', 'flat', 'mug', 'bottle')
PACKAGES = ('box', 'box', 'box', 'can', 'flat', 'bottle')
PACKED = ('spaced', 'stacked')
ENLARGED, PACKAGE_M = (0.9, 2.2), (0.0, 0.34)
"""Families and suites of views of packages, how much larger they are made, their longest side."""
HELD_BACK_SCANS = 7
"""Every seventh scan of the split is kept from the network, the first one too."""
GRAVITY_KNOWN = 0.5
CLEAR_CHANCE = 0.35
DEPTH_STEP_M = 1e-4


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """A frame on the working grid and what is true of it.

    :param instances: (h, w) uint8, 0 = no object.
    """

    frame: Frame
    instances: ByteArray


def on_grid(sample: Sample, sensor: SensorModel, gravity: bool) -> View:
    """Return a sample on the working grid of segmentation: every so many pixels, mean colours.

    :param gravity: whether the frame knows where up is.
    """
    frame = sample.frame()
    step = max(1, round(frame.camera.width / WORKING_WIDTH))
    pointmap = np.ascontiguousarray(frame.pointmap[::step, ::step])
    rows, columns = pointmap.shape[:2]
    rgb = cv2.resize(frame.rgb, (columns, rows), interpolation=cv2.INTER_AREA)
    K = frame.camera.K / [[step], [step], [1]]
    coarse = replace(
        frame,
        camera=Camera(columns, rows, K),
        rgb=np.asarray(rgb, np.uint8),
        pointmap=pointmap,
        up_cam=frame.up_cam if gravity else None,
        sensor=sensor.on_grid(step),
    )
    return View(coarse, np.ascontiguousarray(sample.truth.instances[::step, ::step]))


def store(path: Path, view: View) -> None:
    """Write a view; the file appears whole or not at all."""
    frame = view.frame
    depth = np.nan_to_num(frame.depth_m, nan=0.0) / DEPTH_STEP_M
    part = path.with_suffix('.part')
    with part.open('wb') as stream:
        np.savez(
            stream,
            rgb=frame.rgb,
            depth=np.clip(np.rint(depth), 0, 65535).astype(np.uint16),
            instances=view.instances,
            K=frame.camera.K,
            up=np.zeros(3) if frame.up_cam is None else frame.up_cam,
            sensor=json.dumps(asdict(frame.sensor)),
        )
    part.rename(path)


def load(path: Path) -> View:
    """Read a view."""
    with np.load(path) as stored:
        rgb, K, up, instances = (stored[name] for name in ('rgb', 'K', 'up', 'instances'))
        depth = stored['depth'] * np.float32(DEPTH_STEP_M)
        sensor = SensorModel.read(json.loads(str(stored['sensor'])))
    camera = Camera(rgb.shape[1], rgb.shape[0], K)
    depth_m = np.where(depth > 0, depth, np.float32(np.nan))
    pointmap = pointmap_from_depth(depth_m, camera)
    up_cam = up if up.any() else None
    frame = Frame(0, 'camera', camera, rgb, pointmap, 'camera', np.eye(4), up_cam, sensor)
    return View(frame, instances)


def source_of(seed: int, scans: Scans) -> ObjectSource:
    """Return where a seed's things come from: mostly scans, mostly boxes, or anything."""
    shares = ((0.7, 0.1, 0.2), (0.1, 0.6, 0.3), (0.3, 0.1, 0.6))[seed // len(SUITES) % 3]
    return Mixture((scans, ProceduralSource(BOXY), ProceduralSource()), shares)


def packages() -> ObjectSource:
    """Return boxes as tall as those of cereals, and what else stands beside them."""
    return Resized(ProceduralSource(PACKAGES), ENLARGED, PACKAGE_M)


def draw(
    seed: int, count: int, source: ObjectSource, suites: Sequence[str] = SUITES, bare: bool = False
) -> Iterator[View]:
    """Yield ``count`` views of one world, each by a camera of its own.

    :param suites: suites in turn.
    :param bare: nothing but floor, wall and table around the things.
    :raises ConfigurationError: when the suite's things cannot be placed.
    """
    rng = np.random.default_rng([seed, 4711])
    suite = suites[seed % len(suites)]
    episode = make_episode(
        suite,
        seed,
        source,
        frames=count,
        sensor=draw_sensor(rng),
        is_scattered=True,
        clear_chance=CLEAR_CHANCE,
    )
    episode = jittered(episode, rng)
    if bare:
        slabs = tuple(item for item in episode.surroundings if item.family == 'surroundings')
        episode = replace(episode, surroundings=slabs)
    for sample in samples(episode):
        yield on_grid(sample, episode.sensor.model, bool(rng.random() < GRAVITY_KNOWN))


def main() -> None:
    """Write the views of a range of seeds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--out', type=Path, required=True, help='folder of the views')
    parser.add_argument('--objects', type=Path, required=True, help='scans with an index.json')
    parser.add_argument('--seeds', default='0:1500', help='first:last, last exclusive')
    parser.add_argument('--views', type=int, default=3, help='views of one world')
    parser.add_argument('--suites', nargs='*', default=SUITES, help='of the worlds, in turn')
    parser.add_argument('--held-back', action='store_true', help='use the held-back scans')
    parser.add_argument(
        '--packages', action='store_true', help='large boxes on bare tables, nothing else around'
    )
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format='%(message)s')
    arguments.out.mkdir(parents=True, exist_ok=True)
    small = [e for e in list_scans(arguments.objects, 'train') if (e.longest_m or 0) <= LARGEST_M]
    scans = Scans(part_of(small, HELD_BACK_SCANS, arguments.held_back))
    for seed in range(*(int(part) for part in arguments.seeds.split(':'))):
        done = arguments.out / f'{seed:06d}.done'
        if done.exists():
            continue
        try:
            if arguments.packages:
                views = draw(seed, arguments.views, packages(), PACKED, bare=True)
            else:
                views = draw(seed, arguments.views, source_of(seed, scans), arguments.suites)
            for number, view in enumerate(views):
                store(arguments.out / f'{seed:06d}_{number}.npz', view)
        except ConfigurationError as error:
            LOG.warning('seed %d left out: %s', seed, error)
        done.touch()


if __name__ == '__main__':
    main()
