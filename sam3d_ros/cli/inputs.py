# SPDX-License-Identifier: Apache-2.0
"""Options about the inputs that several commands have: which topics, and how they are taken."""

from __future__ import annotations

import argparse
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from sam3d_ros.bags.scan import SLOP_S
from sam3d_ros.messages.topics import NAMESPACE
from sam3d_ros.pointmaps.config import PointmapConfig

if TYPE_CHECKING:
    from sam3d_ros.bags.recording import Recording
    from sam3d_ros.bags.selection import Overrides

_UNITS_M = {'': 1.0, 'm': 1.0, 'cm': 1e-2, 'mm': 1e-3, 'um': 1e-6}


def add_place_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of a command that looks at a recording, or without one at live topics.

    Those of topics, cameras and reading are among them.
    """
    parser.add_argument(
        'recording', nargs='?', type=Path, help='a recording; without, live topics'
    )
    parser.add_argument(
        '--seconds', type=float, default=5.0, help='how long to listen (%(default)s)'
    )
    parser.add_argument('--config', type=Path, metavar='YAML', help='a ROS parameter file')
    add_topic_arguments(parser)
    add_camera_argument(parser)
    add_reading_arguments(parser)
    parser.add_argument(
        '--namespace', default=NAMESPACE, help='our own graph, not an input (%(default)s)'
    )


def add_topic_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options that name topics of a recording."""
    parser.add_argument('--rgb', default='', metavar='TOPIC', help='colour images')
    parser.add_argument('--depth', default='', metavar='TOPIC', help='depth images')
    parser.add_argument('--info', default='', metavar='TOPIC', help='CameraInfo of colour')
    parser.add_argument('--points', default='', metavar='TOPIC', help='points instead of depth')
    parser.add_argument(
        '--more',
        action='append',
        default=[],
        metavar='TOPIC',
        help='a further sensor of range, depth or points: fused (with pointmaps.range: fused in '
        '--config), else it stands by; repeatable',
    )


def add_camera_argument(parser: argparse.ArgumentParser) -> None:
    """Declare the option that names cameras; ``args.camera`` is a list, empty = the only one."""
    parser.add_argument(
        '--camera',
        action='append',
        default=[],
        metavar='NAME',
        help='one of several cameras: a level in the names of its topics; repeatable',
    )


def add_reading_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options that say how messages are taken; they override the configuration."""
    parser.add_argument(
        '--slop',
        type=float,
        default=SLOP_S,
        metavar='S',
        help='most time between colour and depth of a frame, seconds (%(default)s)',
    )
    add_header_arguments(parser)
    parser.add_argument(
        '--depth-unit',
        type=metres,
        metavar='M',
        help='metres of one count of depth images, e.g. 0.0001 or 0.1mm; by the encoding without',
    )
    parser.add_argument(
        '--color-order',
        choices=('bgr', 'rgb'),
        help='order of the channels of colour images that are bytes alone (8UC3)',
    )
    parser.add_argument(
        '--tf-namespace', metavar='NS', help='where TF is, e.g. /robot1; chosen without'
    )


def add_header_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options that stand in for what headers say."""
    parser.add_argument(
        '--stamps',
        choices=('auto', 'header', 'receive'),
        help='which time counts: that in the headers, that of receipt, or what makes sense',
    )
    parser.add_argument(
        '--stamp-offset',
        action='append',
        metavar='TOPIC=SECONDS',
        help='what is added to the header stamps of a topic; repeatable',
    )
    parser.add_argument(
        '--frame-override',
        action='append',
        metavar='TOPIC=FRAME',
        help='frame of the messages of a topic instead of their own; repeatable',
    )


def opened(args: argparse.Namespace) -> Recording:
    """Return the recording that is named, else what live topics say for a while, as one.

    :param args: parsed from :func:`add_place_arguments`.
    """
    if args.recording is not None:
        from sam3d_ros.bags.recording import Recording

        return Recording(args.recording)
    from sam3d_ros.cli.console import working
    from sam3d_ros.ros.capture import listen

    with working(f'listening for {args.seconds:.0f} s'):
        return listen(args.seconds, args.namespace)


def named_topics(
    args: argparse.Namespace, recording: Recording, config: PointmapConfig
) -> Overrides:
    """Return what the command line and the options say about topics of a recording.

    :param args: parsed from :func:`add_topic_arguments`.
    :param config: options of the stage.
    :raises ConfigurationError: when an option names a topic that the recording does not have.
    """
    from sam3d_ros.pipeline.frames import overrides_of

    topics = {name: getattr(args, name) for name in ('rgb', 'depth', 'info', 'points')}
    return overrides_of(recording, config, args.more, **topics)


def reading_config(args: argparse.Namespace, config: PointmapConfig) -> PointmapConfig:
    """Return the options of the stage with those of the command line over them.

    :param args: parsed from :func:`add_reading_arguments`, with ``fixed_frame`` where a command
        has that.
    :param config: from a file, or the defaults.
    """
    given = {
        'stamps': args.stamps,
        'stamp_offset': ','.join(args.stamp_offset or ()) or None,
        'frame_override': ','.join(args.frame_override or ()) or None,
        'depth_unit_m': args.depth_unit,
        'color_order': args.color_order,
        'tf_namespace': args.tf_namespace,
        'fixed_frame': getattr(args, 'fixed_frame', '') or None,
    }
    return replace(config, **{name: value for name, value in given.items() if value is not None})


def metres(text: str) -> float:
    """Return metres of e.g. 0.0001, 0.1mm or 100um.

    :raises argparse.ArgumentTypeError: when it is no positive length.
    """
    match = re.fullmatch(r'([0-9.eE+-]+) ?(m|cm|mm|um|)', text.strip())
    try:
        value = float(match[1]) * _UNITS_M[match[2]] if match else 0.0
    except ValueError:
        value = 0.0
    if not 0.0 < value <= 1000.0:
        raise argparse.ArgumentTypeError(f'{text!r} is no length, e.g. 0.0001 or 0.1mm')
    return value
