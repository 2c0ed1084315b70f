# SPDX-License-Identifier: Apache-2.0
"""``sam3d world``: make a recording of a made-up world, with exact truth beside it."""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

from sam3d_ros.core.sensors import MODELS

SUITES = (
    'demo', 'spaced', 'clutter', 'piled', 'lidar', 'single', 'pair', 'stacked', 'events', 'bin',
    'shelf', 'plates', 'produce', 'near', 'on_edge', 'ground', 'low_table', 'covered', 'flat',
    'levels', 'overhead', 'empty_table', 'empty_floor', 'empty_shelf', 'empty_bin',
)  # fmt: skip
"""Names of the suites, known without loading the world."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``sam3d world``."""
    parser.add_argument(
        'suite',
        choices=SUITES,
        metavar='suite',
        help=f'what the world looks like: {", ".join(SUITES)}',
    )
    parser.add_argument('--seed', type=int, default=0, help='the same seed, the same bytes')
    parser.add_argument('--out', type=Path, required=True, metavar='DIR', help='a new folder')
    parser.add_argument(
        '--objects',
        type=Path,
        metavar='DIR',
        help='folder of .glb, .obj or .ply meshes in metres; procedural solids without it',
    )
    parser.add_argument(
        '--split', default='test', choices=['train', 'test'], help="split of that folder's index"
    )
    parser.add_argument('--frames', type=int, metavar='N', help="other than the suite's number")
    parser.add_argument('--size', type=_size, default=(640, 480), metavar='WxH', help='image size')
    parser.add_argument('--depth-encoding', choices=['16UC1', '32FC1'], default='16UC1')
    parser.add_argument(
        '--sensor', choices=list(MODELS), default='structured_light', help='model of its errors'
    )
    parser.add_argument(
        '--rings', type=int, choices=[8, 16, 32, 64], default=64, help='LiDAR rings'
    )
    parser.add_argument(
        '--livox', action='store_true', help='a LiDAR that draws a rosette, instead of rings'
    )
    parser.add_argument(
        '--hand-held', action='store_true', help='a wandering, shaking camera, no exact orbit'
    )
    parser.add_argument(
        '--moving',
        action='store_true',
        help='slide the outermost object 12 cm outward in the middle third',
    )
    parser.add_argument(
        '--taken-away', action='store_true', help='take the last object away at half time'
    )


def run(args: argparse.Namespace) -> int:
    """Make the recording and say where it is and what it shows."""
    from sam3d_ros.cli.console import progress
    from sam3d_ros.core.errors import ConfigurationError
    from sam3d_ros.world.episode import outermost, with_moved, with_removed, with_rings
    from sam3d_ros.world.recording import RECORDING, write_episode
    from sam3d_ros.world.rendering.lidar import LIVOX
    from sam3d_ros.world.rendering.sensors import depth_sensor
    from sam3d_ros.world.sources import ScanSource
    from sam3d_ros.world.suites import make_episode

    begun = time.perf_counter()
    source = ScanSource(args.objects, args.split) if args.objects else None
    episode = make_episode(
        args.suite,
        args.seed,
        source,
        frames=args.frames,
        size_px=args.size,
        sensor=depth_sensor(args.sensor),
        is_hand_held=args.hand_held,
    )
    if episode.lidar:
        episode = with_rings(episode, args.rings)
        if args.livox:
            episode = replace(episode, lidar=LIVOX)
    if (args.moving or args.taken_away) and not episode.objects:
        raise ConfigurationError(f'{args.suite} has no objects', wanted='a suite that has some')
    if args.moving:
        episode = with_moved(episode, outermost(episode), 0.12)
    if args.taken_away:
        episode = with_removed(episode, len(episode.objects) - 1, len(episode.stamps_ns) // 2)
    with progress('frames drawn') as show:
        truth = write_episode(episode, args.out, args.depth_encoding, show)
    took_s = time.perf_counter() - begun
    print(f'{args.out / RECORDING}: {len(truth.frames)} frames in {took_s:.1f} s')
    print(f'objects from {truth.source}: {", ".join(solid.name for solid in truth.objects)}')
    return 0


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.partition('x')
    return int(width), int(height)
