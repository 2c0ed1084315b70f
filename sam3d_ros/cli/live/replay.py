# SPDX-License-Identifier: Apache-2.0
"""``sam3d replay``: publish a recording (rosbag2, MCAP, ROS 1) on its topics, in its time."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from sam3d_ros.cli.inputs import add_header_arguments


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``sam3d replay``."""
    parser.add_argument('recording', type=Path, help='rosbag2 folder, .mcap, .db3 or ROS 1 .bag')
    parser.add_argument('--rate', type=float, default=1.0, metavar='R', help='speed, default 1')
    parser.add_argument(
        '--loop', type=int, default=1, metavar='N', help='play it N times; 0 = until Ctrl-C'
    )
    parser.add_argument(
        '--start', type=float, default=0.0, metavar='S', help='begin this many seconds in'
    )
    parser.add_argument('--clock', action='store_true', help='publish /clock')
    parser.add_argument(
        '--reliability',
        default='recorded',
        choices=['recorded', 'reliable', 'best_effort'],
        help='quality of service of the images',
    )
    parser.add_argument(
        '--pace',
        default='',
        metavar='TOPIC',
        help='let only one image be on its way to this topic of results, e.g. '
        '/sam3d/scene/detections: nothing is dropped, however slow the machine',
    )
    add_header_arguments(parser)
    parser.add_argument(
        '--wait', type=float, default=5.0, metavar='S', help='longest wait for subscribers'
    )


def run(args: argparse.Namespace) -> int:
    """Play the recording; 0 at its end or after Ctrl-C, 1 when it cannot be read."""
    from sam3d_ros.nodes.replay.replay_node import main

    return main([sys.argv[0], *ros_arguments(args)])


def ros_arguments(args: argparse.Namespace) -> list[str]:
    """Return the parameters of the replay node as ROS arguments."""
    parameters = {
        'recording': str(args.recording),
        'rate': args.rate,
        'loop': args.loop,
        'start_s': args.start,
        'clock': str(args.clock).lower(),
        'reliability': args.reliability,
        'pace': args.pace,
        'wait_s': args.wait,
        'stamps': args.stamps or '',
        'stamp_offset': ','.join(args.stamp_offset or ()),
        'frame_override': ','.join(args.frame_override or ()),
    }
    arguments = ['--ros-args']
    for name, value in parameters.items():
        if value != '':
            arguments += ['-p', f'replay.{name}:={value}']
    return arguments
