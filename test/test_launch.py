# SPDX-License-Identifier: Apache-2.0
"""The launch files make the graph that ``sam3d up`` makes."""

import importlib.util
import os
from pathlib import Path

import pytest

pytest.importorskip('launch', reason='no wheel carries launch: put its source on PYTHONPATH')
pytest.importorskip('launch_ros', reason='no wheel carries launch_ros: put it on PYTHONPATH')

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription
from launch_ros.actions import Node

from sam3d_ros.nodes.graph import NODES

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / 'launch').glob('*.launch.py'))


def described(file: Path) -> LaunchDescription:
    spec = importlib.util.spec_from_file_location(file.stem.replace('.', '_'), file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.generate_launch_description()


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LaunchContext:
    """A context in which the package counts as installed."""
    index = tmp_path / 'share' / 'ament_index' / 'resource_index' / 'packages'
    index.mkdir(parents=True)
    (index / 'sam3d_ros').touch()
    (tmp_path / 'share' / 'sam3d_ros').symlink_to(ROOT)
    monkeypatch.setenv('AMENT_PREFIX_PATH', str(tmp_path))
    return LaunchContext()


@pytest.mark.parametrize('file', FILES, ids=lambda file: file.name)
def test_arguments_are_described(file: Path) -> None:
    arguments = described(file).get_launch_arguments()
    assert arguments
    assert all(argument.description for argument in arguments)


def test_graph_has_every_stage_node_with_its_program(context: LaunchContext) -> None:
    description = described(ROOT / 'launch' / 'sam3d.launch.py')
    for argument in description.get_launch_arguments():
        argument.execute(context)
    nodes = [entity for entity in description.entities if isinstance(entity, Node)]
    started = [node for node in nodes if node.condition is None]
    for node in started:
        node._perform_substitutions(context)
    assert [node.node_name for node in started] == [f'/sam3d/{name}' for name in NODES]
    assert [node.node_executable for node in started] == [f'{name}_node' for name in NODES]


def test_defaults_name_files_that_exist(context: LaunchContext) -> None:
    for argument in described(ROOT / 'launch' / 'sam3d.launch.py').get_launch_arguments():
        argument.execute(context)
    assert os.path.isfile(context.launch_configurations['config'])


def test_realsense_gives_values_to_arguments_that_exist(context: LaunchContext) -> None:
    description = described(ROOT / 'launch' / 'realsense.launch.py')
    known = {
        argument.name
        for argument in described(ROOT / 'launch' / 'sam3d.launch.py').get_launch_arguments()
    }
    (included,) = [
        entity
        for entity in description.entities
        if isinstance(entity, IncludeLaunchDescription) and entity.condition is None
    ]
    for entity in description.entities:
        if isinstance(entity, DeclareLaunchArgument):
            entity.execute(context)
    assert {name for name, _ in included.launch_arguments} <= known
    assert included.visit(context)
