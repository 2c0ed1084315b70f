# SPDX-License-Identifier: Apache-2.0
"""A shell with another ROS sourced is noticed, one without is left alone."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sam3d_ros.setup.shadowing import shadowing_variables

PREFIX = Path(sys.prefix)


@pytest.fixture
def other_ros(tmp_path: Path) -> Path:
    """A folder that looks like an installed ROS."""
    for part in ('lib/python3/rclpy', 'share/ament_index'):
        (tmp_path / part).mkdir(parents=True)
    (tmp_path / 'lib' / 'librcl.so').touch()
    return tmp_path


@pytest.mark.parametrize(
    ('name', 'part'),
    [
        ('PYTHONPATH', 'lib/python3'),
        ('AMENT_PREFIX_PATH', '.'),
        ('COLCON_PREFIX_PATH', '.'),
        ('LD_LIBRARY_PATH', 'lib'),
    ],
)
def test_each_variable_is_found(other_ros: Path, name: str, part: str) -> None:
    value = f'/usr/lib:{other_ros / part}'
    assert shadowing_variables({name: value}, PREFIX) == [f'{name}={value}']


def test_other_middleware_is_found() -> None:
    seen = shadowing_variables({'RMW_IMPLEMENTATION': 'rmw_cyclonedds_cpp'}, PREFIX)
    assert seen == ['RMW_IMPLEMENTATION=rmw_cyclonedds_cpp']


def test_opt_ros_counts_whatever_it_holds() -> None:
    assert shadowing_variables({'LD_LIBRARY_PATH': '/opt/ros/jazzy/lib/x86_64-linux-gnu'}, PREFIX)


def test_clean_shell_and_the_wheels_own_paths_pass(tmp_path: Path) -> None:
    own = {
        'LD_LIBRARY_PATH': f'{PREFIX / "lib"}:/usr/local/lib',
        'AMENT_PREFIX_PATH': str(PREFIX),
        'PYTHONPATH': str(tmp_path),
        'RMW_IMPLEMENTATION': 'rmw_fastrtps_cpp',
    }
    assert shadowing_variables(own, PREFIX) == []
    assert shadowing_variables({}, PREFIX) == []


def test_without_wheels_another_ros_is_the_one_to_use(
    other_ros: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr('sam3d_ros.setup.shadowing.importlib.util.find_spec', lambda name: None)
    assert shadowing_variables({'AMENT_PREFIX_PATH': str(other_ros)}, PREFIX) == []


def test_inner_command_refuses_and_says_what_to_type() -> None:
    done = subprocess.run(
        [sys.executable, '-m', 'sam3d_ros.cli.main', 'version'],
        env=os.environ | {'RMW_IMPLEMENTATION': 'rmw_other_cpp'},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2 and done.stdout == ''
    assert 'RMW_IMPLEMENTATION=rmw_other_cpp' in done.stderr and './sam3d' in done.stderr
    assert 'Traceback' not in done.stderr
