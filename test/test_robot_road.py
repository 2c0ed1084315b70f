# SPDX-License-Identifier: Apache-2.0
"""A robot with ROS from apt: what the docs' robot line and package.xml bring suffices.

The wheels of the extra ``ros`` stand in for apt's packages; every other module is blocked.
"""

import configparser
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from importlib.metadata import (
    EntryPoint,
    PackageNotFoundError,
    distribution,
    entry_points,
)
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / 'test' / 'bags'))

from made_up_recordings import frames, messages, write

CONFIG = configparser.ConfigParser()
CONFIG.read(ROOT / 'setup.cfg')
REQUIRED = set(CONFIG['options']['install_requires'].split())
APT = {
    'python3-numpy': 'numpy',
    'python3-opencv': 'opencv-python-headless',
    'python3-rich': 'rich',
    'python3-scipy': 'scipy',
    'python3-yaml': 'PyYAML',
}
"""Keys of rosdep, and what PyPI calls the same."""

WITHOUT = """
import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import PathFinder

allowed = {*sys.stdlib_module_names, *sys.argv.pop(1).split(',')}

class Door(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        root = name.partition('.')[0]
        if root not in allowed and not root.startswith('_sysconfigdata'):
            raise ModuleNotFoundError(f"No module named '{name}' on this road", name=name)

sys.meta_path.insert(0, Door())
"""

PROCESS = """
from sam3d_ros.cli.main import main

sys.exit(main(sys.argv[1:]))
"""

START = """
import inspect
from importlib import import_module
from importlib.metadata import entry_points

import rclpy

from sam3d_ros.nodes.managed_node import ManagedNode

rclpy.init(args=sys.argv)
for entry in entry_points(group='console_scripts'):
    if entry.module.startswith('sam3d_ros.nodes.') and entry.module.endswith('_node'):
        module = import_module(entry.module)
        kinds = inspect.getmembers(module, inspect.isclass)
        own = [kind for _, kind in kinds if kind.__module__ == entry.module]
        (kind,) = [kind for kind in own if issubclass(kind, ManagedNode)]
        node = kind()
        assert node.start(), entry.name
        print('started', entry.name)
        node.destroy_node()
rclpy.shutdown()
"""


def robot_line() -> set[str]:
    """Return what docs/install.md has pip install on a robot."""
    (line,) = re.findall(r'^pip install -c \S+constraints.txt (.+)$', robot_part(), re.MULTILINE)
    return set(line.split())


def robot_part() -> str:
    text = (ROOT / 'docs/install.md').read_text()
    return text.partition('## On a robot')[2].partition('\n## ')[0]


def dependencies() -> set[str]:
    manifest = ET.parse(ROOT / 'package.xml').getroot()
    return {node.text or '' for node in manifest.iter('exec_depend')}


def closure(names: Iterable[str]) -> set[str]:
    """Return the canonical names of distributions and all that they need."""
    found: set[str] = set()
    queue = [Requirement(name) for name in names]
    while queue:
        wanted = queue.pop()
        if (name := canonicalize_name(wanted.name)) in found and not wanted.extras:
            continue
        found.add(name)
        needs = map(Requirement, distribution(name).requires or ())
        extras = ['', *wanted.extras]
        queue += [
            need
            for need in needs
            if need.marker is None or any(need.marker.evaluate({'extra': e}) for e in extras)
        ]
    return found


@pytest.fixture(scope='module')
def recording(boxes_world, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four frames of two boxes."""
    folder = tmp_path_factory.mktemp('robot') / 'boxes'
    return write(folder, messages(frames(boxes_world, size=(320, 240))))


@pytest.fixture(scope='module')
def allowed() -> set[str]:
    """The modules that a robot has."""
    pytest.importorskip('rclpy', reason='no ROS in this environment')
    apt = [APT[key] for key in dependencies() if key in APT]
    stand_ins = CONFIG['options.extras_require']['ros'].split()
    try:
        brought = closure([*robot_line(), *apt, *stand_ins])
    except PackageNotFoundError as error:
        pytest.skip(f'{error} is not installed: this is not the environment of ./sam3d')
    files = [file for name in brought for file in distribution(name).files or ()]
    modules = {file.parts[0].partition('.')[0] for file in files if file.suffix in {'.py', '.so'}}
    # moveit_msgs and others bring interface packages of their own.
    interfaces = {folder.name for folder in (ROOT / 'sam3d_ros/messages/definitions').iterdir()}
    return modules | dependencies() | interfaces | {'sam3d_ros'}


def test_manifest_line_and_code_name_the_same_packages() -> None:
    by_apt = {APT[key] for key in dependencies() if key.startswith('python3-')}
    assert robot_line() | by_apt == REQUIRED


def run(program: str, allowed: set[str], *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, '-c', WITHOUT + program, ','.join(allowed), *map(str, arguments)]
    environment = os.environ | {
        'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST',
        'ROS_DOMAIN_ID': str(1 + os.getpid() % 100),
    }
    return subprocess.run(
        command, capture_output=True, text=True, env=environment, check=False, timeout=100
    )


ROADS = {
    'ONNX': ('mini', 'volume', set()),
    'geometric, no ONNX Runtime': ('geometric', 'geometric', {'onnxruntime'}),
}


@pytest.mark.parametrize('road', ROADS)
def test_every_node_starts_and_a_recording_becomes_a_scene(
    tmp_path: Path, allowed: set[str], road: str, recording: Path
) -> None:
    segmentation, reconstruction, blocked = ROADS[road]
    modules = allowed - blocked
    options = [
        f'segmentation.backend:={segmentation}',
        f'reconstruction.backend:={reconstruction}',
        f'replay.recording:={recording}',
        'replay.wait_s:=0.0',
    ]
    arguments = [item for option in options for item in ('-p', option)]
    started = run(START, modules, '--ros-args', *arguments)
    assert started.returncode == 0, started.stdout + started.stderr
    nodes = [entry.name for entry in entry_points(group='console_scripts') if is_node(entry)]
    assert sorted(started.stdout.split()[1::2]) == sorted(nodes)

    config = tmp_path / 'robot.yaml'
    config.write_text(
        '/**:\n  ros__parameters:\n'
        f'    segmentation: {{backend: {segmentation}}}\n'
        f'    reconstruction: {{backend: {reconstruction}}}\n'
    )
    command = ('process', recording, '--out', tmp_path / 'out', '--config', config)
    done = run(PROCESS, modules, *command)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / 'out' / 'scene.glb').is_file()


def is_node(entry: EntryPoint) -> bool:
    return entry.module.startswith('sam3d_ros.nodes.') and entry.module.endswith('_node')


def test_what_is_blocked_is_blocked(allowed: set[str]) -> None:
    done = run('import torch', allowed)
    assert 'on this road' in done.stderr and 'torch' not in allowed
