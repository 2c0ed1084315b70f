# SPDX-License-Identifier: Apache-2.0
"""The graph that ``sam3d up`` makes: which nodes, in which namespace, fed by which topics."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

NODES = ('pointmap', 'objects')
"""Names of the nodes in the order of the data; node N lives in ``nodes/N_node.py``."""


@dataclass(frozen=True, slots=True)
class GraphOptions:
    """How a graph is brought up.

    :param namespace: absolute, e.g. ``/sam3d``.
    :param config: ROS parameter file for every node, or None.
    :param rgb, depth, info, points: absolute input topics; empty = the relative names of
        image_pipeline stay. The CameraInfo of colour defaults to the one beside the image.
    :param fixed_frame: empty = as configured.
    :param use_sim_time: take time from ``/clock``.
    :param session: folder that the session keeps itself in; empty = as configured.
    """

    namespace: str = '/sam3d'
    config: Path | None = None
    rgb: str = ''
    depth: str = ''
    info: str = ''
    points: str = ''
    fixed_frame: str = ''
    use_sim_time: bool = False
    session: str = ''

    def inputs(self) -> dict[str, str]:
        """Return the parameters that say what kind the named inputs are of."""
        chosen = {}
        if self.points:
            chosen['source'] = 'points'
        if self.rgb.endswith('/compressed'):
            chosen['color_transport'] = 'compressed'
        if self.depth.endswith('/compressedDepth'):
            chosen['depth_transport'] = 'compressedDepth'
        return chosen

    def remappings(self) -> list[tuple[str, str]]:
        """Return (relative name, topic) for every input that was named."""
        pairs = [
            ('rgb/image_rect_color', self.rgb),
            ('rgb/camera_info', self.info or beside(self.rgb)),
            ('depth_registered/image_rect', self.depth),
            ('depth_registered/camera_info', beside(self.depth)),
            ('points', self.points),
            ('clicked_point', '/clicked_point'),
        ]
        return [(name, topic) for name, topic in pairs if topic]

    def ros_arguments(self) -> list[str]:
        """Return the ROS arguments that every process of the graph gets."""
        arguments = ['--ros-args', '-r', f'__ns:={self.namespace}']
        for name, topic in self.remappings():
            arguments += ['-r', f'{name}:={topic}']
        if self.config is not None:
            arguments += ['--params-file', str(self.config)]
        for name, value in self.inputs().items():
            arguments += ['-p', f'inputs.{name}:={value}']
        if self.fixed_frame:
            arguments += ['-p', f'pointmaps.fixed_frame:={self.fixed_frame}']
        if self.session:
            arguments += ['-p', f'session.folder:={self.session}']
        if self.use_sim_time:
            arguments += ['-p', 'use_sim_time:=true']
        return arguments


def options_from(args: argparse.Namespace) -> GraphOptions:
    """Return the options that ``sam3d up`` was given."""
    return GraphOptions(
        namespace=f'/{args.namespace.strip("/")}',
        config=args.config,
        rgb=args.rgb,
        depth=args.depth,
        info=args.info,
        points=args.points,
        fixed_frame=args.fixed_frame,
        use_sim_time=args.sim_time,
        session=args.session,
    )


def beside(image_topic: str) -> str:
    """Return the CameraInfo topic beside an image topic (its parent's), empty for empty.

    A transport's own name (``.../compressed``) is not a level of its own.
    """
    if not image_topic:
        return ''
    base = image_topic
    for transport in ('/compressed', '/compressedDepth'):
        base = base.removesuffix(transport)
    return f'{base.rpartition("/")[0]}/camera_info'


def node_command(name: str, arguments: Sequence[str]) -> list[str]:
    """Return the command that runs one node of the graph as a process."""
    return [sys.executable, '-m', 'sam3d_ros.nodes', name, *arguments]
