# SPDX-License-Identifier: Apache-2.0
"""Print the versions that results depend on."""

from __future__ import annotations

import argparse
import platform
from importlib.metadata import PackageNotFoundError, version

PACKAGES = ('sam3d_ros', 'numpy', 'scipy', 'opencv-python-headless', 'rosbags', 'open3d-cpu')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare no options."""


def run(args: argparse.Namespace) -> int:
    """Print one package a line."""
    print(f'python {platform.python_version()}')
    for package in PACKAGES:
        print(f'{package} {_version(package)}')
    return 0


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return 'not installed'
