# SPDX-License-Identifier: Apache-2.0
import argparse
from pathlib import Path

import pytest

from sam3d_ros.cli.live import up
from sam3d_ros.core.config import build
from sam3d_ros.core.errors import ConfigurationError
from sam3d_ros.nodes.config import InputConfig
from sam3d_ros.nodes.graph import GraphOptions, beside, options_from
from sam3d_ros.session.config import parameters


def parse(*arguments: str) -> GraphOptions:
    parser = argparse.ArgumentParser()
    up.add_arguments(parser)
    return options_from(parser.parse_args(arguments))


def test_named_inputs_become_parameters_with_the_camera_info_beside_the_image() -> None:
    options = parse('--rgb', '/camera/color/image_raw', '--depth', '/camera/depth/image_raw')
    assert options.inputs() == {
        'rgb': '/camera/color/image_raw',
        'info': '/camera/color/camera_info',
        'depth': '/camera/depth/image_raw',
        'depth_info': '/camera/depth/camera_info',
    }


def test_without_named_inputs_the_relative_names_stay() -> None:
    assert parse().inputs() == {}


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
    assert options.kinds() == {'source': 'points', 'color_transport': 'compressed'}
    assert 'inputs.source:=points' in options.ros_arguments()


@pytest.fixture
def config(tmp_path: Path) -> str:
    file = tmp_path / 'a.yaml'
    file.write_text('/**: {ros__parameters: {session: {cameras: "front, side"}}}')
    return str(file)


def test_namespace_configuration_and_fixed_frame_reach_every_node(config: str) -> None:
    options = parse('--namespace', 'left', '--config', config, '--fixed-frame', 'map')
    for node in options.nodes():
        assert node.arguments[:3] == ['--ros-args', '-r', '__ns:=/left']
        assert node.arguments[node.arguments.index('--params-file') + 1] == config
        assert 'pointmaps.fixed_frame:=map' in node.arguments


def test_each_camera_has_a_node_with_its_name_and_topics() -> None:
    rgb = '/{camera}/color/image_raw'
    options = parse('--camera', 'left', '--camera', 'right', '--rgb', rgb, '--points', '/lidar')
    left, right, objects = options.nodes()
    assert [node.name for node in (left, right, objects)] == [
        'pointmap_left',
        'pointmap_right',
        'objects',
    ]
    assert {
        '__node:=pointmap_right',
        'pointmaps.camera_id:=right',
        'inputs.rgb:=/{camera}/color/image_raw',
        'inputs.info:=/{camera}/color/camera_info',
        'inputs.points:=/lidar',
    } <= set(right.arguments)
    assert not any('left' in word for word in right.arguments)
    assert 'session.cameras:=left,right' in objects.arguments


def test_the_configuration_names_cameras_and_the_command_line_others(config: str) -> None:
    assert parse('--config', config).cameras == ('front', 'side')
    assert parse('--config', config, '--camera', 'top').cameras == ('top',)
    assert parse().cameras == ('',)


@pytest.mark.parametrize(
    ('arguments', 'complaint'),
    [
        (('--camera', 'a', '--camera', 'a'), 'cameras a, a; wanted each once'),
        (('--camera', '2/a'), 'camera "2/a"; wanted letters'),
        (('--camera', 'a', '--camera', 'b', '--rgb', '/color'), '/color for 2 cameras'),
        (('--rgb', '/{camera}/color'), 'a camera without a name'),
    ],
)
def test_cameras_that_cannot_be_are_refused(arguments: tuple[str, ...], complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        parse(*arguments)


def test_every_node_of_the_graph_is_a_module() -> None:
    from importlib.util import find_spec

    nodes = parse('--camera', 'left', '--segmentation-node', '--reconstruction-node').nodes()
    names = ['pointmap_left', 'segmentation', 'reconstruction', 'objects']
    assert [node.name for node in nodes] == names
    for node in nodes:
        assert node.command()[-len(node.arguments) - 2 :] == [
            'sam3d_ros.nodes',
            node.stage,
            *node.arguments,
        ]
        assert find_spec(f'sam3d_ros.nodes.{node.stage}.{node.stage}_node') is not None


@pytest.mark.parametrize(
    ('preset', 'camera', 'topic'),
    [
        ('realsense', '', '/camera/camera/aligned_depth_to_color/image_raw'),
        ('lidar', '', '/ouster/points'),
        ('two_cameras', 'right', '/right/aligned_depth_to_color/image_raw'),
        ('sam3d', '', '/sam3d/depth_registered/image_rect'),
        ('sam3d', 'left', '/sam3d/left/depth_registered/image_rect'),
    ],
)
def test_the_node_listens_to_what_the_configuration_names(
    root: Path, preset: str, camera: str, topic: str
) -> None:
    pytest.importorskip('rclpy')
    from sam3d_ros.nodes.pointmap.inputs import input_topics

    class Node:
        def resolve_topic_name(self, name: str) -> str:
            return name if name.startswith('/') else f'/sam3d/{name}'

    values = parameters(root / 'config' / f'{preset}.yaml')
    config = build(InputConfig, values['inputs'])
    assert input_topics(Node(), config, camera)[1] == topic
