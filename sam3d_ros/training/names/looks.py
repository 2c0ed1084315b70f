# SPDX-License-Identifier: Apache-2.0
"""Labelled looks at things: what the pipeline makes of them, from made-up worlds.

``python -m sam3d_ros.training.names.looks --out DIR --objects SCANS --seeds 0:400`` writes one
file for each world; worlds already drawn are kept, so that it resumes.
"""

from __future__ import annotations

import argparse
import logging
from dataclasses import replace
from pathlib import Path

import numpy as np

from sam3d_ros.core.errors import Sam3dError
from sam3d_ros.geometry.crops import crop
from sam3d_ros.geometry.transforms import apply
from sam3d_ros.language.kinds import KINDS, UNKNOWN
from sam3d_ros.session.config import Config
from sam3d_ros.session.result import FrameResult
from sam3d_ros.session.session import Session
from sam3d_ros.training.names.kinds import KindSource
from sam3d_ros.world.meshes import list_scans
from sam3d_ros.world.samples import Sample, samples
from sam3d_ros.world.suites import make_episode

LOG = logging.getLogger(__name__)

FRAMES = 2
SWEEP_DEG = 25.0
UNKNOWN_WEIGHT = 4.0
"""How much oftener than any kind things without a name are drawn."""
CLUTTERED = 0.25
"""Share of worlds whose things hide each other."""


def looks_at(sample: Sample, result: FrameResult, names: list[str]) -> list[dict[str, object]]:
    """Return a record of each object that was found in a frame: its true name, crop and shape.

    :param sample: with the truth.
    :param result: what the session made of it.
    :param names: of the things of the episode.
    """
    records = []
    shapes = {item.id: item for item in result.scene.objects}
    for track in result.tracks.items:
        if track.instance < 0 or track.id not in shapes:
            continue
        seen, item = result.tracks.instances.items[track.instance], shapes[track.id]
        number = sample.truth.object_of(seen.mask)
        if number is None:
            continue
        vertices = apply(item.T_fixed_obj, item.mesh.vertices_m.astype(np.float64))
        records.append(
            {
                'name': names[number],
                'crop': crop(result.frame.rgb, seen.mask, seen.box_px),
                'vertices': (vertices - vertices.mean(axis=0)).astype(np.float32),
                'faces': item.mesh.faces,
                'pixels': np.count_nonzero(seen.mask),
            }
        )
    return records


def main() -> None:
    """Draw the worlds that are asked for and not there yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--out', type=Path, required=True)
    parser.add_argument('--objects', type=Path, required=True, help='scans, with an index')
    parser.add_argument('--seeds', required=True, metavar='FIRST:LAST')
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO)
    args.out.mkdir(parents=True, exist_ok=True)
    weights = [UNKNOWN_WEIGHT if kind == UNKNOWN else 1.0 for kind in KINDS]
    source = KindSource(list_scans(args.objects, 'train'), weights)
    config = Config()
    config = replace(config, people=replace(config.people, use='none'))
    first, last = map(int, args.seeds.split(':'))
    for seed in range(first, last):
        path = args.out / f'{seed:05d}.npz'
        if path.exists():
            continue
        suite = 'clutter' if np.random.default_rng(seed).random() < CLUTTERED else 'spaced'
        session = Session.from_config(config)
        try:
            episode = make_episode(suite, seed, source, frames=FRAMES, sweep_deg=SWEEP_DEG)
            names = [solid.name for solid in episode.objects]
            records = []
            for sample in samples(episode):
                records += looks_at(sample, session.step(sample.frame()), names)
        except Sam3dError as error:
            LOG.warning('world %d left out: %s', seed, error)
            continue
        finally:
            session.close()
        part = path.with_suffix('.part')
        with part.open('wb') as stream:
            arrays = {f'{key}_{k}': v for k, one in enumerate(records) for key, v in one.items()}
            np.savez_compressed(stream, count=len(records), **arrays)  # type: ignore[arg-type]
        part.rename(path)
        LOG.info('world %d: %d looks', seed, len(records))


if __name__ == '__main__':
    main()
