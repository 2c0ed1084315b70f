# SPDX-License-Identifier: Apache-2.0
"""pip, colcon and ROS agree on what this project is, needs and weighs."""

import configparser
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from importlib.metadata import PackageNotFoundError, distribution, entry_points
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from sam3d_ros.setup import environment
from sam3d_ros.setup.rosidl import definitions, named_packages

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / 'sam3d_ros'
MOST_BYTES = 1.5e9
CONFIG = configparser.ConfigParser()
CONFIG.read(ROOT / 'setup.cfg')
EXTRAS = {name: text.split() for name, text in CONFIG['options.extras_require'].items()}
REQUIRED = CONFIG['options']['install_requires'].split()
PINS = {
    canonicalize_name(line.partition('==')[0]): line.partition('==')[2]
    for line in (ROOT / 'constraints.txt').read_text().splitlines()
    if line and not line.startswith('#')
}


def closure(extras: tuple[str, ...]) -> dict[str, str]:
    """Return name and version of everything installed that these extras bring."""
    found: dict[str, str] = {}
    queue = [Requirement(text) for text in REQUIRED + [r for name in extras for r in EXTRAS[name]]]
    while queue:
        wanted = queue.pop()
        name = canonicalize_name(wanted.name)
        if name in found and not wanted.extras:
            continue
        package = distribution(name)
        found[name] = package.version
        for text in package.requires or ():
            need = Requirement(text)
            markers = [need.marker is None, *(_holds(need, extra) for extra in wanted.extras)]
            if any(markers) or _holds(need, ''):
                queue.append(need)
    return found


def _holds(requirement: Requirement, extra: str) -> bool:
    return requirement.marker is not None and requirement.marker.evaluate({'extra': extra})


@pytest.fixture(scope='module')
def default() -> dict[str, str]:
    """What ``./sam3d setup`` installs."""
    try:
        return closure(environment.PROFILES['default'])
    except PackageNotFoundError as error:
        pytest.skip(f'{error} is not installed: this is not the environment of ./sam3d')


def test_every_requirement_is_pinned() -> None:
    wanted = {Requirement(text).name for text in sum(EXTRAS.values(), REQUIRED)}
    assert {name for name in wanted if canonicalize_name(name) not in PINS} == set()
    assert all(re.fullmatch(r'[\w.!+]+', version) for version in PINS.values())


def test_installed_is_what_is_pinned(default: dict[str, str]) -> None:
    different = {
        name: (version, PINS.get(name))
        for name, version in default.items()
        if Version(version).public != PINS.get(name)
    }
    assert different == {}


def test_default_needs_no_torch_and_no_cuda(default: dict[str, str]) -> None:
    assert [name for name in default if name == 'torch' or name.startswith('nvidia')] == []


def test_default_environment_is_small(default: dict[str, str]) -> None:
    """Every file that a default install brings, bytecode and built interfaces with it."""
    total = sum(size(name) for name in [*default, 'pip'])
    prefix = Path(sys.prefix)
    for package in ('sam3d_msgs', 'vision_msgs', 'tf2_msgs', 'moveit_msgs'):
        built = [*prefix.glob(f'lib/lib{package}__*.so'), *prefix.glob(f'*/{package}/**/*')]
        total += sum(file.stat().st_size for file in built if file.is_file())
    assert 0.5e9 < total < MOST_BYTES


def size(name: str) -> int:
    files = [Path(str(file.locate())) for file in distribution(name).files or ()]
    return sum(file.stat().st_size for file in files if file.is_file())


def test_profiles_name_extras_that_exist() -> None:
    assert {extra for extras in environment.PROFILES.values() for extra in extras} <= EXTRAS.keys()
    assert EXTRAS.keys() == {
        'ros',
        'viewer',
        'gpu',
        'rerun',
        'bench',
        'sam',
        'flow',
        'train',
        'docs',
        'dev',
        'words',
    }


def test_programs_load() -> None:
    ours = [entry for entry in entry_points(group='console_scripts') if 'sam3d_ros' in entry.value]
    nodes = {f'{name}_node' for name in ('pointmap', 'objects')}
    nodes |= {'segmentation_node', 'reconstruction_node', 'scene_node'}  # for one release
    assert {entry.name for entry in ours} == {'sam3d', 'replay_node', *nodes}
    assert all(callable(entry.load()) for entry in ours)
    assert all((Path(sys.prefix) / 'bin' / entry.name).is_file() for entry in ours)


def test_script_folder_is_where_ros2_run_looks() -> None:
    assert CONFIG['develop']['script_dir'] == '$base/lib/sam3d_ros'
    assert CONFIG['install']['install_scripts'] == '$base/lib/sam3d_ros'


@pytest.mark.parametrize('folder', ['.', 'msgs'])
def test_manifest(folder: str) -> None:
    manifest = ET.parse(ROOT / folder / 'package.xml').getroot()
    assert manifest.get('format') == '3'
    assert manifest.findtext('version') == CONFIG['metadata']['version']
    assert manifest.findtext('license') == 'Apache-2.0'
    assert (ROOT / folder / 'CHANGELOG.rst').is_file()
    keys = [node.text or '' for node in manifest if node.tag.endswith('depend')]
    assert len(keys) == len(set(keys))
    assert not [key for key in keys if key.endswith('-pip')]


def test_interface_package_lists_every_definition() -> None:
    cmake = (ROOT / 'msgs' / 'CMakeLists.txt').read_text()
    listed = set(re.findall(r'^  (\w+/\w+\.\w+)$', cmake, flags=re.MULTILINE))
    files = definitions(ROOT / 'msgs')
    assert listed == {str(file.relative_to(ROOT / 'msgs')) for file in files}
    manifest = ET.parse(ROOT / 'msgs' / 'package.xml').getroot()
    depends = {node.text for node in manifest.iter('depend')}
    implied = {'service_msgs', 'unique_identifier_msgs', 'sam3d_msgs'}
    assert named_packages(ROOT / 'msgs') - implied <= depends


@pytest.mark.parametrize('in_workspace', [True, False], ids=['workspace', 'clone'])
def test_colcon_lists_both_packages(tmp_path: Path, in_workspace: bool) -> None:
    colcon = Path(sys.prefix) / 'bin' / 'colcon'
    if not colcon.is_file():
        pytest.skip('colcon is not installed (extra dev)')
    (tmp_path / 'src').mkdir()
    (tmp_path / 'src' / 'sam3d_ros').symlink_to(ROOT)
    where = tmp_path if in_workspace else ROOT
    listed = subprocess.run(
        [colcon, '--log-base', os.devnull, 'list', '--names-only'],
        cwd=where,
        env=os.environ | {'COLCON_DEFAULTS_FILE': str(ROOT / 'colcon_defaults.yaml')},
        capture_output=True,
        text=True,
        check=True,
    )
    assert sorted(listed.stdout.split()) == ['sam3d_msgs', 'sam3d_ros']


def test_colcon_installs_what_ros2_run_and_launch_look_for(tmp_path: Path) -> None:
    """The real build of this package; the interfaces' own needs an ament that wheels lack."""
    colcon = Path(sys.prefix) / 'bin' / 'colcon'
    if not colcon.is_file():
        pytest.skip('colcon is not installed (extra dev)')
    built_before = tmp_path / 'install' / 'sam3d_msgs' / 'share' / 'sam3d_msgs' / 'package.sh'
    built_before.parent.mkdir(parents=True)
    built_before.touch()
    command = [colcon, '--log-base', os.devnull, 'build', '--paths', ROOT]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    installed = tmp_path / 'install' / 'sam3d_ros'
    nodes = {file.name for file in (installed / 'lib' / 'sam3d_ros').iterdir()}
    assert {'sam3d', 'objects_node', 'replay_node'} <= nodes
    share = installed / 'share' / 'sam3d_ros'
    for folder in ('launch', 'config', 'models'):
        wanted = {file.name for file in (ROOT / folder).iterdir() if file.is_file()}
        assert {file.name for file in (share / folder).iterdir()} == wanted
    (site,) = installed.glob('lib/python*/site-packages/sam3d_ros')
    files = {file.relative_to(PACKAGE) for file in PACKAGE.rglob('*') if file.is_file()}
    data = {file for file in files if file.suffix not in {'.py', '.pyc'}}
    assert {file for file in data if not (site / file).is_file()} == set()
    assert (installed / 'share/ament_index/resource_index/packages/sam3d_ros').is_file()


def test_ci_runs_the_tests_of_the_script() -> None:
    commands = [
        line
        for line in (ROOT / '.ci' / 'run').read_text().splitlines()
        if line and not line.startswith('#')
    ]
    assert len(commands) == 1 and '../sam3d" test' in commands[0]
    assert os.access(ROOT / '.ci' / 'run', os.X_OK) and os.access(ROOT / 'sam3d', os.X_OK)
