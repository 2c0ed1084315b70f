# SPDX-License-Identifier: Apache-2.0
import argparse
from pathlib import Path

import pytest

from sam3d_ros.cli import up
from sam3d_ros.nodes.graph import NODES, GraphOptions, beside, node_command, options_from


def parse(*arguments: str) -> GraphOptions:
    parser = argparse.ArgumentParser()
    up.add_arguments(parser)
    return options_from(parser.parse_args(arguments))


def test_named_inputs_become_remappings_with_the_camera_info_beside_the_image() -> None:
    options = parse('--rgb', '/camera/color/image_raw', '--depth', '/camera/depth/image_raw')
    assert dict(options.remappings()) == {
        'rgb/image_rect_color': '/camera/color/image_raw',
        'rgb/camera_info': '/camera/color/camera_info',
        'depth_registered/image_rect': '/camera/depth/image_raw',
        'depth_registered/camera_info': '/camera/depth/camera_info',
        'clicked_point': '/clicked_point',
    }


def test_without_named_inputs_the_relative_names_stay() -> None:
    assert dict(parse().remappings()) == {'clicked_point': '/clicked_point'}


@pytest.mark.parametrize(
    ('topic', 'info'),
    [
        ('/camera/color/image_raw', '/camera/color/camera_info'),
        ('/camera/color/image_raw/compressed', '/camera/color/camera_info'),
        ('/depth/image/compressedDepth', '/depth/camera_info'),
        ('', ''),
    ],
)
def test_the_camera_info_beside_an_image(topic: str, info: str) -> None:
    assert beside(topic) == info


def test_a_cloud_and_transports_become_parameters() -> None:
    options = parse('--rgb', '/color/image/compressed', '--points', '/lidar/points')
    assert options.inputs() == {'source': 'points', 'color_transport': 'compressed'}
    assert 'inputs.source:=points' in options.ros_arguments()


def test_namespace_configuration_and_fixed_frame_reach_every_node() -> None:
    options = parse('--namespace', 'left', '--config', 'a.yaml', '--fixed-frame', 'map')
    arguments = options.ros_arguments()
    assert arguments[:3] == ['--ros-args', '-r', '__ns:=/left']
    assert options.config == Path('a.yaml')
    assert arguments[arguments.index('--params-file') + 1] == 'a.yaml'
    assert 'pointmaps.fixed_frame:=map' in arguments


def test_every_node_of_the_graph_is_a_module() -> None:
    from importlib.util import find_spec

    for name in NODES:
        assert node_command(name, ['--ros-args'])[-3:] == ['sam3d_ros.nodes', name, '--ros-args']
        assert find_spec(f'sam3d_ros.nodes.{name}_node') is not None
