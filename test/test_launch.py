# SPDX-License-Identifier: Apache-2.0
"""The launch files make the graph that ``sam3d up`` makes.

Against a stand-in of ours for the calls that they make, and against the sources of ``launch`` and
``launch_ros`` where these are on the path; the names of the tests say which.
"""

import importlib
import importlib.util
import os
import re
import sys
from pathlib import Path

import pytest
import yaml

from sam3d_ros.core.config import build, flatten, options
from sam3d_ros.nodes.config import InputConfig
from sam3d_ros.nodes.graph import GraphOptions
from sam3d_ros.session.config import Config, load_config, parameters

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / 'launch').glob('*.launch.py'))
STAND_IN = ROOT / 'test' / 'launch_stand_in'
PRESETS = ('realsense', 'zed', 'orbbec', 'oak', 'azure', 'lidar', 'two_cameras', 'sim')


def forget() -> None:
    for name in list(sys.modules):
        if name.partition('.')[0] in ('launch', 'launch_ros'):
            del sys.modules[name]


@pytest.fixture(params=['stand-in', 'upstream'])
def made_by(request, monkeypatch: pytest.MonkeyPatch):
    """Which launch the files are read with."""
    forget()
    if request.param == 'stand-in':
        monkeypatch.syspath_prepend(str(STAND_IN))
    elif (
        importlib.util.find_spec('launch') is None
        or importlib.util.find_spec('launch_ros') is None
    ):
        pytest.skip('no wheel carries launch and launch_ros: put their sources on PYTHONPATH')
    yield request.param
    forget()


@pytest.fixture
def described(made_by):
    """Return a function that reads a launch file."""

    def read(name):
        file = ROOT / 'launch' / name
        spec = importlib.util.spec_from_file_location(file.stem.replace('.', '_'), file)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module.generate_launch_description()

    return read


@pytest.fixture
def context(made_by, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A context in which the package counts as installed."""
    index = tmp_path / 'share' / 'ament_index' / 'resource_index' / 'packages'
    index.mkdir(parents=True)
    (index / 'sam3d_ros').touch()
    (tmp_path / 'share' / 'sam3d_ros').symlink_to(ROOT)
    monkeypatch.setenv('AMENT_PREFIX_PATH', str(tmp_path))
    return importlib.import_module('launch').LaunchContext()


def started(description, context, **values):
    """Return the nodes that start by themselves, substitutions performed."""
    context.launch_configurations.update(values)
    for argument in description.get_launch_arguments():
        argument.execute(context)
    kind = importlib.import_module('launch_ros.actions').Node
    later = importlib.import_module('launch.actions').OpaqueFunction
    nodes = []
    for item in description.entities:
        made = item.execute(context) if isinstance(item, later) else [item]
        nodes += [each for each in made if isinstance(each, kind)]
    nodes = [node for node in nodes if node.condition is None or node.condition.evaluate(context)]
    for node in nodes:
        node._perform_substitutions(context)
    return nodes


@pytest.mark.parametrize('file', FILES, ids=lambda file: file.name)
def test_arguments_are_described(described, file: Path) -> None:
    arguments = described(file.name).get_launch_arguments()
    assert arguments
    assert all(argument.description for argument in arguments)


def test_graph_has_every_stage_node_with_its_program(described, context) -> None:
    nodes = started(described('sam3d.launch.py'), context)
    check_names(nodes, GraphOptions())


def test_optional_nodes_stand_in_it_on_request(described, context) -> None:
    values = {'segmentation_node': 'true', 'reconstruction_node': 'true'}
    nodes = started(described('sam3d.launch.py'), context, **values)
    check_names(nodes, GraphOptions(segmentation=True, reconstruction=True))


def check_names(nodes, options: GraphOptions) -> None:
    """The nodes are those of ``sam3d up``."""
    wanted = options.nodes()
    assert [node.node_name for node in nodes] == [f'/sam3d/{node.name}' for node in wanted]
    assert [node.node_executable for node in nodes] == [f'{node.stage}_node' for node in wanted]


def test_each_of_several_cameras_has_a_node_and_its_topics(made_by, described, context) -> None:
    topics = {'rgb': '/{camera}/color/image', 'points': '/lidar/points'}
    nodes = started(described('sam3d.launch.py'), context, cameras='left, right', **topics)
    check_names(nodes, GraphOptions(cameras=('left', 'right'), **topics))
    if made_by == 'upstream':
        pytest.skip('upstream keeps the values of parameters to itself')
    for node in nodes[:2]:
        assert node.expanded_parameters['inputs.rgb'] == '/{camera}/color/image'
        assert node.expanded_parameters['inputs.points'] == '/lidar/points'
        assert 'inputs.depth' not in node.expanded_parameters


def test_names_of_cameras_reach_the_nodes(made_by, described, context) -> None:
    if made_by == 'upstream':
        pytest.skip('upstream keeps the values of parameters to itself')
    left, right, objects = started(described('sam3d.launch.py'), context, cameras='left, right')
    assert left.expanded_parameters['pointmaps.camera_id'] == 'left'
    assert right.expanded_parameters['pointmaps.camera_id'] == 'right'
    assert objects.expanded_parameters['session.cameras'] == 'left,right'


def test_one_image_for_several_cameras_is_refused(described, context) -> None:
    with pytest.raises(ValueError, match=r'rgb:=/color has no \{camera\}'):
        started(described('sam3d.launch.py'), context, cameras='left,right', rgb='/color')


def test_rviz_starts_on_request(made_by, described, context) -> None:
    values = {'rviz': 'true', 'namespace': '/robot', 'fixed_frame': 'map'}
    *nodes, rviz = started(described('sam3d.launch.py'), context, **values)
    assert rviz.node_executable == 'rviz2'
    assert nodes[0].node_name == '/robot/pointmap'
    displays = yaml.safe_load((ROOT / 'config' / 'sam3d.rviz').read_text())
    shown = [item for item in displays['Visualization Manager']['Displays'] if 'Topic' in item]
    wanted = [item['Topic']['Value'] for item in shown]
    remapped = dict(rviz.expanded_remapping_rules)
    assert {remapped[topic] for topic in wanted} == {
        topic.replace('/sam3d', '/robot') for topic in wanted
    }
    if made_by == 'upstream':
        return
    assert list(rviz.arguments[2:]) == ['--fixed-frame', 'map']
    assert nodes[0].expanded_parameters['pointmaps.fixed_frame'] == 'map'


def test_defaults_name_files_that_exist(described, context) -> None:
    started(described('sam3d.launch.py'), context)
    assert os.path.isfile(context.launch_configurations['config'])


def test_lidar_and_device_reach_the_nodes_as_options_that_they_have(
    made_by, described, context
) -> None:
    if made_by == 'upstream':
        pytest.skip('upstream keeps the values of parameters to itself')
    values = {
        'source': 'points',
        'device': 'cuda:1',
        'points': '/os/points',
        'use_sim_time': 'true',
    }
    pointmap, objects = started(described('sam3d.launch.py'), context, **values)
    own = {
        'inputs.source': 'points',
        'inputs.points': '/os/points',
        'pointmaps.camera_id': '',
    }
    assert pointmap.expanded_parameters == {'use_sim_time': True, **own}
    stages = ('segmentation', 'reconstruction')
    wanted = {f'{stage}.device': 'cuda:1' for stage in stages} | {'session.cameras': ''}
    assert objects.expanded_parameters == {'use_sim_time': True, **wanted}
    known = {item.name for item in (*options(InputConfig, 'inputs.'), *options(Config))}
    assert {*own, *wanted} <= known


@pytest.mark.parametrize('preset', PRESETS)
def test_each_preset_is_a_file_of_known_options_that_the_nodes_get(
    described, context, preset: str
) -> None:
    nodes = started(described('sam3d.launch.py'), context, preset=preset)
    file = Path(context.launch_configurations['config'])
    assert file.name == f'{preset}.yaml'
    values = parameters(file)
    inputs = build(InputConfig, values['inputs'])
    assert inputs.rgb and inputs.info and (inputs.points or inputs.depth)
    changed = set(flatten(load_config(file)).items()) - set(flatten(Config()).items())
    ours = [name for name in values if name in Config.__dataclass_fields__]
    assert len(changed) == sum(len(values[name]) for name in ours)
    assert ('pointmaps.sensor', values['pointmaps']['sensor']) in changed
    names = ['/sam3d/pointmap', '/sam3d/objects']
    if preset == 'two_cameras':
        names[:1] = ['/sam3d/pointmap_left', '/sam3d/pointmap_right']
    assert [node.node_name for node in nodes] == names


def test_a_file_may_hold_options_of_one_node_alone(described, context, tmp_path: Path) -> None:
    file = tmp_path / 'mine.yaml'
    file.write_text('/sam3d/objects: {ros__parameters: {session: {folder: known}}}')
    nodes = started(described('sam3d.launch.py'), context, config=str(file))
    check_names(nodes, GraphOptions())


def test_presets_are_those_that_are_offered(described) -> None:
    arguments = described('sam3d.launch.py').get_launch_arguments()
    (offered,) = [item.choices for item in arguments if item.name == 'preset']
    assert sorted(offered) == sorted(file.stem for file in (ROOT / 'config').glob('*.yaml'))


def test_a_source_that_is_none_is_refused(described, context) -> None:
    with pytest.raises(Exception, match='radar'):
        started(described('sam3d.launch.py'), context, source='radar')


def test_realsense_gives_values_to_arguments_that_exist(described, context) -> None:
    description = described('realsense.launch.py')
    known = {argument.name for argument in described('sam3d.launch.py').get_launch_arguments()}
    kind = importlib.import_module('launch.actions').IncludeLaunchDescription
    included = [item for item in description.entities if isinstance(item, kind)]
    (ours,) = [item for item in included if item.condition is None]
    started(description, context)
    assert {name for name, _ in ours.launch_arguments} <= known
    assert ours.visit(context)


def test_launch_lines_of_the_docs_name_arguments_that_exist(described) -> None:
    texts = [file.read_text() for file in (ROOT / 'README.md', *(ROOT / 'docs').rglob('*.md'))]
    lines = re.findall(
        r'^ros2 launch sam3d_ros (\S+)(.*)$',
        '\n'.join(texts).replace('\\\n', ' '),
        re.MULTILINE,
    )
    assert len(lines) > 8
    for file, arguments in lines:
        known = {item.name: item for item in described(file).get_launch_arguments()}
        for argument, value in re.findall(r"(\w+):='?([^\s']+)", arguments):
            assert argument in known, f'{file} {argument}'
            assert known[argument].choices is None or value in known[argument].choices


@pytest.mark.parametrize('file', FILES, ids=lambda file: file.name)
def test_arguments_stand_in_the_reference(described, file: Path) -> None:
    text = (ROOT / 'docs' / 'reference' / 'launch.md').read_text()
    for argument in described(file.name).get_launch_arguments():
        assert f'`{argument.name}`' in text
