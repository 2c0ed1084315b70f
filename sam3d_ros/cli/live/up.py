# SPDX-License-Identifier: Apache-2.0
"""``sam3d up``: start the nodes, in this process or one process each, until Ctrl-C."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from sam3d_ros.messages.topics import NAMESPACE
from sam3d_ros.session.config import load_config

if TYPE_CHECKING:
    from sam3d_ros.nodes.graph import GraphOptions
    from sam3d_ros.nodes.stage_node import StageNode

MOST_RESTARTS = 3
"""A node that dies more often than this takes the graph down."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``sam3d up``."""
    parser.add_argument(
        '--config', type=Path, metavar='YAML', help='ROS parameter file, see config/sam3d.yaml'
    )
    parser.add_argument('--rgb', default='', metavar='TOPIC', help='colour image')
    parser.add_argument('--depth', default='', metavar='TOPIC', help='depth image')
    parser.add_argument('--info', default='', metavar='TOPIC', help='CameraInfo of colour')
    parser.add_argument('--points', default='', metavar='TOPIC', help='cloud, instead of depth')
    parser.add_argument(
        '--camera',
        action='append',
        default=[],
        metavar='NAME',
        help='one of several cameras: its topics begin with its name, and in topics named here '
        '{camera} stands for it; repeatable; default: those of session.cameras',
    )
    parser.add_argument('--fixed-frame', default='', metavar='F', help='frame to keep objects in')
    parser.add_argument('--namespace', default=NAMESPACE, metavar='NS', help='of the nodes')
    parser.add_argument(
        '--session',
        default='',
        metavar='DIR',
        help='resume from this folder what was known, and keep it there; see session.folder',
    )
    parser.add_argument(
        '--sim-time', action='store_true', help='take time from /clock, e.g. of sam3d replay'
    )
    parser.add_argument(
        '--segmentation-node',
        action='store_true',
        help='segment in a node of its own, which may die or run on another machine',
    )
    parser.add_argument(
        '--reconstruction-node',
        action='store_true',
        help='complete shapes in a node of its own, which may die or run on another machine',
    )
    parser.add_argument(
        '--processes',
        action='store_true',
        help='a process for each node: uses all cores, and a crash ends one node only',
    )


def run(args: argparse.Namespace) -> int:
    """Run the graph; 0 after Ctrl-C, 1 when a node could not start or kept dying."""
    from sam3d_ros.nodes.graph import options_from

    options = options_from(args)
    return supervise(options) if args.processes else run_together(options)


def run_together(options: GraphOptions) -> int:
    """Run all nodes in this process; stage data passes without DDS."""
    from sam3d_ros.nodes.bus import Bus
    from sam3d_ros.nodes.objects.objects_node import ObjectsNode
    from sam3d_ros.nodes.pointmap.pointmap_node import PointmapNode
    from sam3d_ros.nodes.program import run
    from sam3d_ros.nodes.reconstruction.reconstruction_node import ReconstructionNode
    from sam3d_ros.nodes.segmentation.segmentation_node import SegmentationNode

    kinds: dict[str, Callable[..., StageNode]] = {
        'pointmap': PointmapNode,
        'segmentation': SegmentationNode,
        'reconstruction': ReconstructionNode,
        'objects': ObjectsNode,
    }
    bus = Bus()
    # The receiver first, so that no frame is lost.
    nodes = options.nodes()[::-1]
    return run(
        lambda: [kinds[node.stage](bus, cli_args=node.arguments) for node in nodes], sys.argv[:1]
    )


def supervise(options: GraphOptions) -> int:
    """Run each node in a process; report one that dies and start it again.

    What is known outlives the processes, by default for as long as the graph is up.
    """
    from sam3d_ros.nodes.processes import Processes, stop_on_signals

    stop = stop_on_signals()
    deaths: Counter[str] = Counter()
    with TemporaryDirectory(prefix='sam3d_') as folder, Processes() as processes:
        if not (options.session or load_config(options.config).session.folder):
            options = replace(options, session=folder)
        for node in options.nodes():
            processes.start(node.name, node.command())
        while not stop.wait(0.2):
            for death in processes.deaths():
                deaths[death.name] += 1
                if deaths[death.name] > MOST_RESTARTS:
                    print(f'{death}, too often: stopping', file=sys.stderr)
                    return 1
                print(f'{death}: starting it again', file=sys.stderr, flush=True)
                processes.restart(death.name)
        late = processes.stop()
    for death in late:
        print(f'{death} while stopping', file=sys.stderr)
    return 1 if late else 0
