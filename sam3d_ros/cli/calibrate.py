# SPDX-License-Identifier: Apache-2.0
"""Refine how cameras and LiDARs of a rig are mounted, from what they both see.

Starts from TF, which may be wrong by about 5 cm and 3 degrees. The first camera stays.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import yaml

from sam3d_ros.cli.console import working
from sam3d_ros.cli.inputs import (
    add_place_arguments,
    named_topics,
    opened,
    reading_config,
)
from sam3d_ros.core.errors import ConfigurationError, RecordingError
from sam3d_ros.pipeline.calibration.rig import (
    Refined,
    clouds_beside,
    refine_cameras,
    refine_clouds,
)
from sam3d_ros.pipeline.cameras import read_cameras
from sam3d_ros.session.config import load_config

NOTHING_REFINED = 1
DIRECTIONS = 6


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``sam3d calibrate``."""
    add_place_arguments(parser)
    parser.add_argument(
        '--lidar',
        action='append',
        default=[],
        metavar='TOPIC',
        help='a cloud whose sensor is refined; repeatable; without, every cloud that is not in '
        'the frame of the camera',
    )
    parser.add_argument(
        '--frames',
        type=int,
        default=12,
        metavar='N',
        help='times that are compared, spread over the recording (%(default)s)',
    )
    parser.add_argument(
        '--out', type=Path, metavar='YAML', help='write the refined transforms, with covariance'
    )


def run(args: argparse.Namespace) -> int:
    """Print what was refined; return 1 when nothing was."""
    if args.frames < 1:
        raise ConfigurationError(f'--frames {args.frames}', wanted='1 or more')
    # Where the rig is has no say: odometry would follow each camera by itself.
    config = replace(reading_config(args, load_config(args.config).pointmaps), odometry='off')
    with opened(args) as recording:
        overrides = named_topics(args, recording, config)
        cameras = list(dict.fromkeys(args.camera)) or ['']
        clouds = args.lidar or clouds_beside(recording, cameras[0], overrides)
        if len(cameras) < 2 and not clouds:
            raise RecordingError(
                'one camera and no cloud in another frame',
                wanted='two sensors',
                remedy='Name cameras with --camera left --camera right, or a LiDAR with --lidar.',
            )
        found: list[Refined] = []
        with working('comparing'):
            if len(cameras) > 1:
                readers = read_cameras(recording, cameras, config, args.slop, overrides=overrides)
                found += refine_cameras(readers, args.frames)
            found += refine_clouds(
                recording, clouds, cameras[0], config, overrides, args.frames, args.slop
            )
    for item in found:
        _print(item)
    mounts = [item.mount for item in found if item.mount is not None]
    if args.out is not None and mounts:
        tree = {'transforms': [mount.tree() for mount in mounts]}
        args.out.write_text(yaml.safe_dump(tree, sort_keys=False, default_flow_style=None))
        print(f'wrote {args.out}')
    return 0 if mounts else NOTHING_REFINED


def _print(item: Refined) -> None:
    for reason in dict.fromkeys(item.reasons):
        print(f'sam3d calibrate: {item.name}: {reason}', file=sys.stderr)
    offset, mount = item.offset, item.mount
    if offset is None or mount is None:
        print(f'{item.name}: not refined')
        return
    sigma_mm, sigma_deg = (
        scale * float(np.sqrt(np.trace(part)))
        for scale, part in (
            (1e3, offset.covariance[:3, :3]),
            (np.degrees(1.0), offset.covariance[3:, 3:]),
        )
    )
    print(
        f'{item.name}: {mount.child} in {mount.parent} moves by {1e3 * mount.shift_m:.1f} mm and '
        f'{np.degrees(mount.turn_rad):.2f} deg ({item.times} pairs of views; what both see is '
        f'known to {sigma_mm:.1f} mm, {sigma_deg:.2f} deg)'
    )
    for before, after in zip(offset.spread_before_m, offset.spread_m, strict=True):
        if np.isfinite(after):
            print(f'  left between them: {1e3 * before:.1f} mm before, {1e3 * after:.1f} mm after')
    if offset.told < DIRECTIONS:
        print(
            f'  only {offset.told} of {DIRECTIONS} directions are told by what both see; the '
            'others are left as TF has them: show walls, floor and things of several directions'
        )
    print(f'  {mount.publisher}\n  {mount.urdf}')
