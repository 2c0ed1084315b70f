# SPDX-License-Identifier: Apache-2.0
"""The graph that ``sam3d up`` makes: which nodes, in which namespace, fed by which topics."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from sam3d_ros.core.errors import ConfigurationError
from sam3d_ros.messages.topics import NAMESPACE, absolute, require_camera_id
from sam3d_ros.session.config import load_config

CAMERA = '{camera}'
"""Stands for the name of each camera in the topics of several."""

INPUTS = {
    'rgb': 'rgb/image_rect_color',
    'info': 'rgb/camera_info',
    'depth': 'depth_registered/image_rect',
    'depth_info': 'depth_registered/camera_info',
    'points': 'points',
}
"""Relative names of the inputs, by the option of the group ``inputs`` that names another."""


class GraphNode(NamedTuple):
    """One node of the graph.

    :param name: as the graph knows it, e.g. ``pointmap_left``.
    :param stage: what it runs, in ``nodes/STAGE_node.py``.
    :param arguments: its ROS arguments.
    """

    name: str
    stage: str
    arguments: list[str]

    def command(self) -> list[str]:
        """Return the command that runs it as a process."""
        return node_command(self.stage, self.arguments)


@dataclass(frozen=True, slots=True)
class GraphOptions:
    """How a graph is brought up.

    :param namespace: absolute, e.g. ``/sam3d``.
    :param config: ROS parameter file for every node, or None.
    :param rgb, depth, info, points: input topics, with ``{camera}`` where several differ; empty =
        as configured, else the relative names of image_pipeline, each camera's below its name.
        The CameraInfo of colour defaults to the one beside the image.
    :param fixed_frame: empty = as configured.
    :param use_sim_time: take time from ``/clock``.
    :param session: folder that the session keeps itself in; empty = as configured.
    :param cameras: names of the cameras; one empty name for the only one.
    :param segmentation, reconstruction: with a node that does so for the session.
    :raises ConfigurationError: when a camera cannot be named so, is named twice, or several would
        have the same images.
    """

    namespace: str = NAMESPACE
    config: Path | None = None
    rgb: str = ''
    depth: str = ''
    info: str = ''
    points: str = ''
    fixed_frame: str = ''
    use_sim_time: bool = False
    session: str = ''
    cameras: tuple[str, ...] = ('',)
    segmentation: bool = False
    reconstruction: bool = False

    def __post_init__(self) -> None:
        for camera in self.cameras:
            require_camera_id(camera)
        if len(set(self.cameras)) < len(self.cameras):
            raise ConfigurationError(f'cameras {", ".join(self.cameras)}', wanted='each once')
        if len(self.cameras) > 1 and self.rgb and CAMERA not in self.rgb:
            raise ConfigurationError(
                f'{self.rgb} for {len(self.cameras)} cameras',
                wanted=f'{CAMERA} in it, for the name of each',
            )
        if '' in self.cameras and CAMERA in f'{self.rgb}{self.depth}{self.info}{self.points}':
            raise ConfigurationError(
                f'{CAMERA} in a topic, and a camera without a name', wanted='--camera NAME'
            )

    def nodes(self) -> list[GraphNode]:
        """Return the nodes in the order of the data: one for each camera, and the session's."""
        arguments = self.ros_arguments()
        if any(self.cameras):
            arguments += ['-p', f'session.cameras:={",".join(self.cameras)}']
        wanted = {
            'segmentation': self.segmentation,
            'reconstruction': self.reconstruction,
            'objects': True,
        }
        return [
            *(self._pointmap(camera) for camera in self.cameras),
            *(GraphNode(name, name, arguments) for name, is_wanted in wanted.items() if is_wanted),
        ]

    def _pointmap(self, camera: str) -> GraphNode:
        """Return the node that makes the frames of a camera."""
        arguments = self.ros_arguments()
        for name, topic in self.inputs().items():
            arguments += ['-p', f'inputs.{name}:={topic}']
        if not camera:
            return GraphNode('pointmap', 'pointmap', arguments)
        name = f'pointmap_{camera}'
        arguments += ['-r', f'__node:={name}', '-p', f'pointmaps.camera_id:={camera}']
        return GraphNode(name, 'pointmap', arguments)

    def kinds(self) -> dict[str, str]:
        """Return the parameters that say what kind the named inputs are of."""
        chosen = {}
        if self.points:
            chosen['source'] = 'points'
        if self.rgb.endswith('/compressed'):
            chosen['color_transport'] = 'compressed'
        if self.depth.endswith('/compressedDepth'):
            chosen['depth_transport'] = 'compressedDepth'
        return chosen

    def inputs(self) -> dict[str, str]:
        """Return the topics that were named, by their option of the group ``inputs``."""
        topics = {
            'rgb': self.rgb,
            'info': self.info or beside(self.rgb),
            'depth': self.depth,
            'depth_info': beside(self.depth),
            'points': self.points,
        }
        return {name: topic for name, topic in topics.items() if topic}

    def ros_arguments(self) -> list[str]:
        """Return the ROS arguments that every node of the graph gets."""
        arguments = ['--ros-args', '-r', f'__ns:={self.namespace}']
        arguments += ['-r', 'clicked_point:=/clicked_point']
        if self.config is not None:
            arguments += ['--params-file', str(self.config)]
        for name, value in self.kinds().items():
            arguments += ['-p', f'inputs.{name}:={value}']
        if self.fixed_frame:
            arguments += ['-p', f'pointmaps.fixed_frame:={self.fixed_frame}']
        if self.session:
            arguments += ['-p', f'session.folder:={self.session}']
        if self.use_sim_time:
            arguments += ['-p', 'use_sim_time:=true']
        return arguments


def options_from(args: argparse.Namespace) -> GraphOptions:
    """Return the options that ``sam3d up`` was given.

    :raises ConfigurationError: as :class:`GraphOptions`, and when the configuration cannot be.
    """
    return GraphOptions(
        namespace=absolute(args.namespace),
        config=args.config,
        rgb=args.rgb,
        depth=args.depth,
        info=args.info,
        points=args.points,
        fixed_frame=args.fixed_frame,
        use_sim_time=args.sim_time,
        session=args.session,
        segmentation=args.segmentation_node,
        reconstruction=args.reconstruction_node,
        cameras=tuple(args.camera) or load_config(args.config).session.camera_ids,
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
    """Return the command that runs ``nodes/NAME_node.py`` as a process.

    :param name: the node's stage, e.g. ``pointmap``.
    :param arguments: its ROS arguments.
    """
    return [sys.executable, '-m', 'sam3d_ros.nodes', name, *arguments]
