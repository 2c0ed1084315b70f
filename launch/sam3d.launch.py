# SPDX-License-Identifier: Apache-2.0
"""The nodes, each a process of its own, and RViz on request."""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument
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
STAGES = ('pointmap', 'objects')
SOURCE, DEVICE = (
    ParameterValue(LaunchConfiguration(name), value_type=str) for name in ('source', 'device')
)
OPTIONS = {
    'pointmap': {'inputs.source': SOURCE},
    'objects': {'segmentation.device': DEVICE, 'reconstruction.device': DEVICE},
}


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
        DeclareLaunchArgument(
            'rviz', default_value='false', choices=['true', 'false'], description='start RViz'
        ),
        *(
            DeclareLaunchArgument(name, default_value=topic, description=description)
            for name, (topic, description) in INPUTS.items()
        ),
    ]
    return LaunchDescription([*arguments, *map(stage_node, STAGES), rviz()])


def stage_node(name: str) -> Node:
    """Return the process of one stage; it configures and activates itself."""
    return Node(
        package='sam3d_ros',
        executable=f'{name}_node',
        name=name,
        namespace=LaunchConfiguration('namespace'),
        parameters=[
            LaunchConfiguration('config'),
            {'use_sim_time': use_sim_time(), **OPTIONS[name]},
        ],
        remappings=[
            *((topic, LaunchConfiguration(key)) for key, (topic, _) in INPUTS.items()),
            ('clicked_point', '/clicked_point'),
        ],
        output='screen',
    )


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
