# SPDX-License-Identifier: Apache-2.0
"""sam3d.launch.py on a RealSense camera: its topics, its parameters, the driver on request."""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.substitutions import FindPackageShare

SHARE = FindPackageShare('sam3d_ros')
CAMERA = LaunchConfiguration('camera')


def generate_launch_description() -> LaunchDescription:
    """Return the graph fed by ``/CAMERA/color`` and ``/CAMERA/aligned_depth_to_color``."""
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                'camera', default_value='/camera/camera', description='namespace of the driver'
            ),
            DeclareLaunchArgument(
                'driver',
                default_value='false',
                choices=['true', 'false'],
                description='start realsense2_camera with depth aligned to colour',
            ),
            DeclareLaunchArgument(
                'rviz', default_value='false', choices=['true', 'false'], description='start RViz'
            ),
            IncludeLaunchDescription(
                PathJoinSubstitution(
                    [FindPackageShare('realsense2_camera'), 'launch', 'rs_launch.py']
                ),
                launch_arguments={'align_depth.enable': 'true'}.items(),
                condition=IfCondition(LaunchConfiguration('driver')),
            ),
            IncludeLaunchDescription(
                PathJoinSubstitution([SHARE, 'launch', 'sam3d.launch.py']),
                launch_arguments={
                    'preset': 'realsense',
                    'rgb': [CAMERA, '/color/image_raw'],
                    'info': [CAMERA, '/color/camera_info'],
                    'depth': [CAMERA, '/aligned_depth_to_color/image_raw'],
                    'depth_info': [CAMERA, '/aligned_depth_to_color/camera_info'],
                    'rviz': LaunchConfiguration('rviz'),
                }.items(),
            ),
        ]
    )
