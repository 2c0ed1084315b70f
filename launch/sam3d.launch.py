# SPDX-License-Identifier: Apache-2.0
"""The nodes, each a process of its own, and RViz on request."""

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

CONFIG = PathJoinSubstitution([FindPackageShare('sam3d_ros'), 'config'])
INPUTS = {
    'rgb': ('rgb/image_rect_color', 'colour image'),
    'info': ('rgb/camera_info', 'CameraInfo of the colour image'),
    'depth': ('depth_registered/image_rect', 'depth image, 16UC1 or 32FC1'),
    'depth_info': ('depth_registered/camera_info', 'CameraInfo of the depth image'),
    'points': ('points', 'LiDAR cloud, read where source is points'),
}
CAMERA = '{camera}'
OPTIONAL = {'segmentation': 'segment', 'reconstruction': 'complete shapes'}


def generate_launch_description() -> LaunchDescription:
    """Return the graph of ``sam3d up --processes``."""
    arguments = [
        DeclareLaunchArgument('namespace', default_value='/sam3d', description='of every node'),
        DeclareLaunchArgument(
            'config',
            default_value=PathJoinSubstitution([CONFIG, 'sam3d.yaml']),
            description='ROS parameter file',
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
            f'topics begin with its name, and in topics named here {CAMERA} stands for it',
        ),
        DeclareLaunchArgument(
            'source',
            default_value='depth',
            choices=['depth', 'points'],
            description='where range comes from: depth images, or the clouds of a LiDAR',
        ),
        DeclareLaunchArgument(
            'device',
            default_value='auto',
            description='where networks run: auto, cpu, cuda:N or tensorrt:N',
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
            DeclareLaunchArgument(name, default_value=topic, description=description)
            for name, (topic, description) in INPUTS.items()
        ),
    ]
    return LaunchDescription([*arguments, OpaqueFunction(function=stages), rviz()])


def stages(context: LaunchContext) -> list[Node]:
    """Return a node that makes frames for each camera, those asked for, and the session's."""
    cameras = [name.strip() for name in value('cameras', context).split(',')]
    if len(cameras) > 1 and is_shared(value('rgb', context)):
        raise ValueError(f'rgb:={value("rgb", context)} has no {CAMERA}: one image for {cameras}')
    device = value('device', context)
    options = {
        'session.cameras': ','.join(cameras),
        'segmentation.device': device,
        'reconstruction.device': device,
    }
    return [
        *(pointmap_node(camera, context) for camera in cameras),
        *(
            stage_node(name, name, options, [])
            for name in OPTIONAL
            if value(f'{name}_node', context) == 'true'
        ),
        stage_node('objects', 'objects', options, []),
    ]


def pointmap_node(camera: str, context: LaunchContext) -> Node:
    """Return the process that makes the frames of a camera; ``''`` is the only one."""
    below = f'{camera}/' if camera else ''
    remappings = []
    for key, (name, _) in INPUTS.items():
        topic = value(key, context)
        start = '' if CAMERA in topic or is_shared(topic) else below
        remappings.append((f'{below}{name}', start + topic.replace(CAMERA, camera)))
    options = {'pointmaps.camera_id': camera, 'inputs.source': value('source', context)}
    name = f'pointmap_{camera}' if camera else 'pointmap'
    return stage_node('pointmap', name, options, remappings)


def stage_node(
    stage: str, name: str, options: dict[str, str], remappings: list[tuple[str, str]]
) -> Node:
    """Return the process of a stage; it configures and activates itself."""
    texts = {key: ParameterValue(text, value_type=str) for key, text in options.items()}
    return Node(
        package='sam3d_ros',
        executable=f'{stage}_node',
        name=name,
        namespace=LaunchConfiguration('namespace'),
        parameters=[LaunchConfiguration('config'), {'use_sim_time': use_sim_time(), **texts}],
        remappings=[*remappings, ('clicked_point', '/clicked_point')],
        output='screen',
    )


def value(argument: str, context: LaunchContext) -> str:
    """Return the value of a launch argument."""
    return str(LaunchConfiguration(argument).perform(context))


def is_shared(topic: str) -> bool:
    """Return whether all cameras have this very topic."""
    return topic.startswith('/') and CAMERA not in topic


def rviz() -> Node:
    """Return RViz with the project's displays."""
    return Node(
        package='rviz2',
        executable='rviz2',
        name='rviz',
        arguments=['-d', PathJoinSubstitution([CONFIG, 'sam3d.rviz'])],
        parameters=[{'use_sim_time': use_sim_time()}],
        condition=IfCondition(LaunchConfiguration('rviz')),
    )


def use_sim_time() -> ParameterValue:
    """Return the launch argument as a boolean parameter."""
    return ParameterValue(LaunchConfiguration('use_sim_time'), value_type=bool)
