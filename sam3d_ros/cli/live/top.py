# SPDX-License-Identifier: Apache-2.0
"""``sam3d top``: the running graph in a terminal: rates, latencies, drops, objects and why."""

from __future__ import annotations

import argparse

from sam3d_ros.cli.console import console
from sam3d_ros.messages.topics import NAMESPACE, absolute


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``sam3d top``."""
    parser.add_argument('--namespace', default=NAMESPACE, metavar='NS', help='of the graph')
    parser.add_argument(
        '--sim-time', action='store_true', help='ages by /clock, e.g. of sam3d replay --clock'
    )
    parser.add_argument(
        '--once', type=float, metavar='S', help='listen so long, print the tables once, and end'
    )


def run(args: argparse.Namespace) -> int:
    """Show the graph until Ctrl-C; 0 then."""
    from sam3d_ros.nodes.viewer.top import watch

    watch(absolute(args.namespace), console(), sim_time=args.sim_time, once_s=args.once)
    return 0
