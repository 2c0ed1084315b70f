# SPDX-License-Identifier: Apache-2.0
"""What the computer must have before the environment can be made, and how apt calls it."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

PYTHONS = ((3, 11), (3, 12))
LIBRARIES = {
    'libusb-1.0.so.0': 'libusb-1.0-0',
    'libGL.so.1': 'libgl1',
    'libEGL.so.1': 'libegl1',
    'libgomp.so.1': 'libgomp1',
    'libX11.so.6': 'libx11-6',
}
BROWSERS = ('chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable')
"""Programs that can draw the page without a window; apt of Debian has the first."""


class SetupError(RuntimeError):
    """Set-up cannot go on; the message says what to type."""


def require_supported() -> None:
    """Raise SetupError on a CPU or a Python for which the ROS 2 wheels do not exist."""
    if platform.machine() != 'x86_64':
        raise SetupError(
            f'The ROS 2 wheels exist for x86-64 only, not for {platform.machine()}: install '
            'ROS 2 by apt and follow "On a robot" in docs/install.md.'
        )
    if sys.version_info[:2] not in PYTHONS:
        raise SetupError(
            f'Python {platform.python_version()} has no pinned wheels here: install '
            f'{" or ".join(f"Python {major}.{minor}" for major, minor in PYTHONS)}.'
        )


def missing_packages() -> list[str]:
    """Return the apt packages that the computer lacks, in the order of docs/install.md."""
    missing = []
    if importlib.util.find_spec('ensurepip') is None:
        missing.append('python3-venv')
    if not (Path(sysconfig.get_path('include')) / 'Python.h').is_file():
        missing.append('python3-dev')
    missing += [compiler for compiler in ('gcc', 'g++') if shutil.which(compiler) is None]
    missing += [package for name, package in LIBRARIES.items() if not _loads(name)]
    return missing


def ensure_packages() -> None:
    """Install what is missing through apt when that is allowed.

    :raises SetupError: with the line to type when it is not, or when apt failed.
    """
    missing = missing_packages()
    if not missing:
        return
    line = f'apt-get install -y --no-install-recommends {" ".join(missing)}'
    privilege = _privilege()
    if privilege is None:
        raise SetupError(f'This computer lacks {", ".join(missing)}. Type: sudo {line}')
    print(f'sam3d: {" ".join([*privilege, line])}', flush=True)
    _install(line, privilege)
    still = missing_packages()
    if still:
        raise SetupError(
            f'{", ".join(still)} still missing after apt installed it: {sys.executable} is '
            "probably not the system's Python. Put /usr/bin first on PATH and try again."
        )


def ensure_browser(timeout_s: float = 180.0) -> str:
    """Install Chromium through apt when that is allowed; return what is missing, if anything.

    Only tests of pages and pictures of them need it, so nothing fails without it.

    :param timeout_s: how long apt may take.
    """
    if any(shutil.which(name) for name in BROWSERS):
        return ''
    line = 'apt-get install -y --no-install-recommends chromium'
    privilege = _privilege()
    if privilege is None:
        return f'no Chromium: tests of the page are skipped. Type: sudo {line}'
    try:
        _install(line, privilege, timeout_s)
    except SetupError as error:
        return f'no Chromium: tests of the page are skipped. {error}'
    return ''


def _install(line: str, privilege: list[str], timeout_s: float | None = None) -> None:
    """Have apt do what a line says, after an update.

    :param privilege: stands before each command.
    :param timeout_s: how long each command may take; None = as long as it wants.
    :raises SetupError: with what apt said, when it failed.
    """
    environment = os.environ | {'DEBIAN_FRONTEND': 'noninteractive'}
    for command in ('apt-get update', line):
        try:
            done = subprocess.run(
                [*privilege, *command.split()],
                env=environment,
                capture_output=True,
                text=True,
                timeout=timeout_s,
                check=False,
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise SetupError(f'{command} failed: {error}. Type: sudo {line}') from error
        if done.returncode:
            raise SetupError(f'{command} failed:\n{done.stdout}{done.stderr}Type: sudo {line}')


def _privilege() -> list[str] | None:
    """Return what stands before apt-get, or None when this user may not install packages."""
    if shutil.which('apt-get') is None:
        return None
    if os.geteuid() == 0:
        return []
    if shutil.which('sudo') is None:
        return None
    asked = subprocess.run(['sudo', '-n', 'true'], capture_output=True, check=False)
    return ['sudo', '-n'] if asked.returncode == 0 else None


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True
