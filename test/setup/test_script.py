# SPDX-License-Identifier: Apache-2.0
"""The shell script: cleans the environment, refreshes what is stale, hands over."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SETUP = """import pathlib, sys
print('set-up', sys.argv[1])
pathlib.Path('.venv/sam3d.stamp').write_text(f'{sys.argv[2]} {pathlib.Path.cwd()} {sys.argv[1]}')
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A project folder with the real script, a set-up that only stamps and inner programs."""
    root = tmp_path / 'with space'
    for folder in (
        '.venv/bin',
        'sam3d_ros/setup',
        'msgs/msg',
        'sam3d_ros/messages/definitions/a/b',
    ):
        (root / folder).mkdir(parents=True)
    for name in ('setup.py', 'setup.cfg', 'constraints.txt', 'msgs/msg/A.msg'):
        (root / name).write_text(name)
    (root / 'sam3d_ros/messages/definitions/a/b/C.msg').touch()
    (root / 'sam3d_ros/setup/__main__.py').write_text(SETUP)
    shutil.copy(ROOT / 'sam3d', root)
    program(root / '.venv/bin/python', 'echo python "$@"')
    program(root / '.venv/bin/sam3d', 'echo inner "$@"')
    return root


def program(file: Path, body: str) -> None:
    file.write_text(f'#!/bin/sh\n{body}\n')
    file.chmod(0o755)


def call(
    place: Path, *arguments: str, cwd: Path | None = None, **variables: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [place / 'sam3d', *arguments],
        cwd=cwd,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
    )


def test_stale_is_refreshed_once_and_arguments_arrive(place: Path) -> None:
    assert call(place, 'process', 'a bag').stdout == 'set-up default\ninner process a bag\n'
    assert call(place, 'process', 'a bag').stdout == 'inner process a bag\n'


def test_profiles(place: Path) -> None:
    assert call(place, 'setup').stdout.startswith('set-up default\n')
    checks = 'python -m sam3d_ros.setup.checks -k one\n'
    assert call(place, 'docs').stdout == 'set-up docs\ninner docs\n'
    assert call(place, 'setup').stdout.startswith('sam3d: ready')
    assert call(place, 'test', '-k', 'one').stdout == f'set-up test\n{checks}'
    assert call(place, 'demo').stdout == 'inner demo\n'
    assert call(place, 'docs').stdout == 'inner docs\n'


@pytest.mark.parametrize('changed', ['constraints.txt', 'setup.cfg', 'msgs/msg/A.msg'])
def test_change_of_a_defining_file_refreshes(place: Path, changed: str) -> None:
    call(place, 'demo')
    (place / changed).write_text('other')
    assert 'set-up' in call(place, 'demo').stdout


def test_moved_and_broken_environments_refresh(place: Path) -> None:
    call(place, 'demo')
    moved = place.with_name('moved')
    place.rename(moved)
    assert 'set-up' in call(moved, 'demo').stdout
    assert 'set-up' not in call(moved, 'demo').stdout
    (moved / '.venv/bin/python').unlink()
    assert 'set-up' in call(moved, 'demo').stdout


def test_failed_setup_runs_nothing(place: Path) -> None:
    (place / 'sam3d_ros/setup/__main__.py').write_text('raise SystemExit(1)')
    done = call(place, 'demo')
    assert done.returncode == 1 and done.stdout == ''


def test_caller_keeps_its_folder_and_exit_code(place: Path, tmp_path: Path) -> None:
    program(place / '.venv/bin/sam3d', 'pwd; exit 7')
    call(place)
    done = call(place, cwd=tmp_path)
    assert done.returncode == 7 and done.stdout == f'{tmp_path}\n'


def test_other_cpu_gets_one_sentence(place: Path, tmp_path: Path) -> None:
    program(tmp_path / 'uname', 'echo aarch64')
    done = call(place, 'demo', PATH=f'{tmp_path}:{os.environ["PATH"]}')
    assert done.returncode == 1 and done.stdout == ''
    assert 'not for aarch64' in done.stderr and done.stderr.count('\n') == 1


def test_no_python_gets_one_line_to_type(place: Path, tmp_path: Path) -> None:
    tools = tmp_path / 'tools'
    tools.mkdir()
    for name in ('sh', 'dirname', 'readlink', 'uname', 'cat', 'sha256sum', 'cut', 'id'):
        (tools / name).symlink_to(shutil.which(name) or name)
    done = call(place, 'demo', PATH=str(tools))
    assert done.returncode == 1
    assert 'sudo apt-get install' in done.stderr and done.stderr.count('\n') == 1


def test_sourced_ros_is_dropped(place: Path, tmp_path: Path) -> None:
    """The wheels' rclpy loads although a broken ROS stands first in every search path."""
    ros = tmp_path / 'ros'
    (ros / 'rclpy').mkdir(parents=True)
    (ros / 'rclpy' / '__init__.py').write_text('raise ImportError("poisoned")')
    (ros / 'librcl.so').write_text('poisoned')
    poison = {
        'PYTHONPATH': str(ros),
        'LD_LIBRARY_PATH': f'{ros}:/opt/ros/jazzy/lib:{tmp_path}',
        'AMENT_PREFIX_PATH': str(ros),
        'COLCON_PREFIX_PATH': str(ros),
        'RMW_IMPLEMENTATION': 'rmw_poisoned_cpp',
    }
    program(
        place / '.venv/bin/sam3d', f'env; exec {sys.executable} -c "import rclpy; rclpy.init()"'
    )
    call(place)
    done = call(place, **poison)
    assert done.returncode == 0, done.stderr
    seen = dict(line.split('=', 1) for line in done.stdout.splitlines() if '=' in line)
    assert seen['LD_LIBRARY_PATH'] == str(tmp_path)
    assert not (poison.keys() - {'LD_LIBRARY_PATH'}) & seen.keys()
