# SPDX-License-Identifier: Apache-2.0
"""Find what a shell with another ROS sourced puts before the wheels of this environment."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping
from pathlib import Path


def shadowing_variables(environ: Mapping[str, str], prefix: Path) -> list[str]:
    """Return the variables that lead away from the ROS wheels in ``prefix``, as NAME=VALUE.

    Empty when ``prefix`` has no such wheels: there another ROS is the one to use.

    :param environ: the variables of the environment.
    """
    if importlib.util.find_spec('ros_wheels_bootstrapper') is None:
        return []
    found = []
    for name in ('PYTHONPATH', 'AMENT_PREFIX_PATH', 'COLCON_PREFIX_PATH', 'LD_LIBRARY_PATH'):
        folders = [Path(entry) for entry in environ.get(name, '').split(os.pathsep) if entry]
        if any(_holds_ros(folder) and not folder.is_relative_to(prefix) for folder in folders):
            found.append(f'{name}={environ[name]}')
    rmw = environ.get('RMW_IMPLEMENTATION', 'rmw_fastrtps_cpp')
    return found if rmw == 'rmw_fastrtps_cpp' else [*found, f'RMW_IMPLEMENTATION={rmw}']


def _holds_ros(folder: Path) -> bool:
    signs = ('rclpy', 'librcl.so', 'share/ament_index', 'local_setup.sh')
    return folder.is_relative_to('/opt/ros') or any((folder / sign).exists() for sign in signs)
