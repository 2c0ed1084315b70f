# SPDX-License-Identifier: Apache-2.0
"""The nodes, each a process of its own, and RViz on request."""

from pathlib import Path
from typing import Any

import yaml
from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

CONFIG = PathJoinSubstitution([FindPackageShare('sam3d_ros'), 'config'])
PRESETS = [*('sam3d', 'realsense', 'zed', 'orbbec', 'oak', 'azure', 'lidar', 'two_cameras', 'sim')]
INPUTS = {
    'rgb': 'colour image',
    'info': 'CameraInfo of the colour image',
    'depth': 'depth image, 16UC1 or 32FC1',
    'depth_info': 'CameraInfo of the depth image',
    'points': 'LiDAR cloud, read where source is points',
}
CAMERA = '{camera}'
SHOWN = ('pointmap/points', 'scene/markers', 'people/markers', 'segmentation/overlay')
OPTIONAL = {'segmentation': 'segment', 'reconstruction': 'complete shapes'}


def generate_launch_description() -> LaunchDescription:
    """Return the graph of ``sam3d up --processes``."""
    arguments = [
        DeclareLaunchArgument('namespace', default_value='/sam3d', description='of every node'),
        DeclareLaunchArgument(
            'preset',
            default_value='sam3d',
            choices=PRESETS,
            description='camera: its topics, its errors and its range, from config/PRESET.yaml; '
            'sam3d = none, with the defaults',
        ),
        DeclareLaunchArgument(
            'config',
            default_value=[CONFIG, '/', LaunchConfiguration('preset'), '.yaml'],
            description='ROS parameter file in place of that of the preset',
        ),
        DeclareLaunchArgument(
            'fixed_frame',
            default_value='',
            description='frame that objects are kept and shown in; empty = as the parameter file '
            'says, and world in RViz',
        ),
        DeclareLaunchArgument(
            'use_sim_time',
            default_value='false',
            choices=['true', 'false'],
            description='take time from /clock',
        ),
        DeclareLaunchArgument(
            'cameras',
            default_value='',
            description='names of several cameras, separated by commas: each has a node, whose '
            f'topics begin with its name, and in topics named here {CAMERA} stands for it; '
            'empty = session.cameras of the parameter file',
        ),
        DeclareLaunchArgument(
            'source',
            default_value='',
            choices=['', 'auto', 'depth', 'points', 'color'],
            description='where range comes from: depth images, points = the clouds of a LiDAR, '
            'auto = the better of both, color = a network that pointmaps.range names; empty = '
            'inputs.source of the parameter file',
        ),
        DeclareLaunchArgument(
            'device',
            default_value='',
            description='where networks run: auto, cpu, cuda:N or tensorrt:N; empty = as the '
            'parameter file says',
        ),
        *(
            DeclareLaunchArgument(
                f'{stage}_node',
                default_value='false',
                choices=['true', 'false'],
                description=f'{what} in a node of its own, which may die or run elsewhere',
            )
            for stage, what in OPTIONAL.items()
        ),
        DeclareLaunchArgument(
            'rviz', default_value='false', choices=['true', 'false'], description='start RViz'
        ),
        *(
            DeclareLaunchArgument(
                name,
                default_value='',
                description=f'topic of the {what}; empty = inputs.{name} of the parameter file',
            )
            for name, what in INPUTS.items()
        ),
    ]
    return LaunchDescription([*arguments, OpaqueFunction(function=nodes)])


def nodes(context: LaunchContext) -> list[Node]:
    """Return a node that makes frames for each camera, those asked for, the session's, RViz."""
    named = value('cameras', context) or configured('session', context).get('cameras', '')
    cameras = [name.strip() for name in named.split(',')]
    rgb = value('rgb', context)
    if len(cameras) > 1 and rgb and CAMERA not in rgb:
        raise ValueError(f'rgb:={rgb} has no {CAMERA}: one image for {cameras}')
    options = {'session.cameras': ','.join(cameras)}
    if device := value('device', context):
        options |= {f'{stage}.device': device for stage in OPTIONAL}
    return [
        *(pointmap_node(camera, context) for camera in cameras),
        *(
            stage_node(name, name, options, context)
            for name in OPTIONAL
            if value(f'{name}_node', context) == 'true'
        ),
        stage_node('objects', 'objects', options, context),
        *([rviz(context)] if value('rviz', context) == 'true' else []),
    ]


def pointmap_node(camera: str, context: LaunchContext) -> Node:
    """Return the process that makes the frames of a camera; ``''`` is the only one."""
    options = {'pointmaps.camera_id': camera}
    for name in ('source', *INPUTS):
        if text := value(name, context):
            options[f'inputs.{name}'] = text
    if frame := value('fixed_frame', context):
        options['pointmaps.fixed_frame'] = frame
    name = f'pointmap_{camera}' if camera else 'pointmap'
    return stage_node('pointmap', name, options, context)


def stage_node(stage: str, name: str, options: dict[str, str], context: LaunchContext) -> Node:
    """Return the process of a stage; it configures and activates itself."""
    given = {key: ParameterValue(text, value_type=str) for key, text in options.items()}
    if value('use_sim_time', context) == 'true':
        given['use_sim_time'] = ParameterValue('true', value_type=bool)
    return Node(
        package='sam3d_ros',
        executable=f'{stage}_node',
        name=name,
        namespace=LaunchConfiguration('namespace'),
        parameters=[LaunchConfiguration('config'), given],
        remappings=[('clicked_point', '/clicked_point')],
        output='screen',
    )


def configured(group: str, context: LaunchContext) -> dict[str, Any]:
    """Return a group of options of the parameter file."""
    tree = yaml.safe_load(Path(value('config', context)).read_text())
    return dict(tree.get('/**', {}).get('ros__parameters', {}).get(group, {}))


def value(argument: str, context: LaunchContext) -> str:
    """Return the value of a launch argument."""
    return str(LaunchConfiguration(argument).perform(context))


def rviz(context: LaunchContext) -> Node:
    """Return RViz with the project's displays, on the topics of this graph."""
    namespace = value('namespace', context)
    frame = value('fixed_frame', context)
    return Node(
        package='rviz2',
        executable='rviz2',
        name='rviz',
        arguments=[
            *('-d', PathJoinSubstitution([CONFIG, 'sam3d.rviz'])),
            *(('--fixed-frame', frame) if frame else ()),
        ],
        parameters=[
            {'use_sim_time': ParameterValue(LaunchConfiguration('use_sim_time'), value_type=bool)}
        ],
        remappings=[(f'/sam3d/{topic}', f'{namespace}/{topic}') for topic in SHOWN],
    )
