# SPDX-License-Identifier: Apache-2.0
"""Make or refresh ``.venv``: pinned packages of a profile, then the ROS 2 interfaces.

``./sam3d`` computes a key of everything that defines the environment and calls this only when
the stamp in ``.venv`` says otherwise.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sam3d_ros.setup import machine
from sam3d_ros.setup.machine import SetupError

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / '.venv'
STAMP = VENV / 'sam3d.stamp'
CACHE = ROOT / '.cache'
PROFILES = {
    'default': ('ros', 'viewer', 'bench'),
    'docs': ('ros', 'viewer', 'bench', 'docs'),
    'test': ('ros', 'viewer', 'bench', 'docs', 'dev', 'sam', 'flow'),
}
"""Extras of each; a later one covers those before it."""

SIZES = {
    'default': 'about 0.5 GB to download, 1.5 GB on disk',
    'docs': 'about 0.5 GB to download, 1.6 GB on disk',
    'test': 'with PyTorch: about 0.8 GB to download, 2.5 GB on disk as a CPU build; several GB '
    'more where your package index has only the CUDA build (docs/install.md, "PyTorch")',
}


def ensure_environment(profile: str, key: str) -> None:
    """Bring ``.venv`` to ``profile`` and write ``key`` into its stamp.

    :raises SetupError: when the computer, pip or the interface build refuses.
    """
    CACHE.mkdir(exist_ok=True)
    with _locked(CACHE / 'setup.lock'):
        if is_fresh(profile, key) and is_usable(VENV):
            return
        started = time.monotonic()
        machine.require_supported()
        machine.ensure_packages()
        if not is_usable(VENV):
            _say('making .venv')
            shutil.rmtree(VENV, ignore_errors=True)
            # The versioned name: the link must not follow when python3 becomes another one.
            versioned = shutil.which(f'python{sys.version_info.major}.{sys.version_info.minor}')
            _run([versioned or sys.executable, '-m', 'venv', str(VENV)])
        STAMP.unlink(missing_ok=True)
        _say(f'installing packages ({SIZES[profile]})')
        _install_packages(PROFILES[profile])
        _say('building the ROS 2 interfaces')
        _run([str(VENV / 'bin' / 'python'), '-m', 'sam3d_ros.setup.interfaces'])
        STAMP.write_text(stamp(profile, key))
        _say(f'environment ready after {time.monotonic() - started:.0f} s')


def stamp(profile: str, key: str) -> str:
    """Return what the stamp of a fresh environment says; it names the place, should it move.

    :param profile: how much is installed, of :data:`PROFILES`.
    :param key: of what defines the environment.
    """
    return f'{key} {ROOT} {profile}\n'


def is_fresh(profile: str, key: str) -> bool:
    """Return True when the stamp covers ``profile``.

    :param key: of what defines the environment.
    """
    written = STAMP.read_text() if STAMP.is_file() else ''
    wider = list(PROFILES)[list(PROFILES).index(profile) :]
    return written in {stamp(name, key) for name in wider}


def is_usable(venv: Path) -> bool:
    """Return True when ``venv`` runs a supported Python and stands where it was made."""
    pip = venv / 'bin' / 'pip'
    if not pip.is_file() or str(venv / 'bin') not in pip.read_text().splitlines()[0]:
        return False
    program = f'import pip, sys; sys.exit(sys.version_info[:2] not in {machine.PYTHONS})'
    python = venv / 'bin' / 'python'
    return python.exists() and subprocess.run([python, '-c', program], check=False).returncode == 0


def _install_packages(extras: Sequence[str]) -> None:
    pip = [str(VENV / 'bin' / 'python'), '-m', 'pip', '--disable-pip-version-check']
    wanted = f'{ROOT}[{",".join(extras)}]'
    _run([*pip, 'install', '-c', str(ROOT / 'constraints.txt'), '-e', wanted])


def _run(command: list[str]) -> None:
    """Run a step, showing what it works on; its words go to a log that an error quotes."""
    log = CACHE / 'setup.log'
    with log.open('w') as file:
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert process.stdout is not None
        for line in process.stdout:
            file.write(line)
            _show(line.strip())
    _show('')
    if process.wait():
        tail = '\n'.join(log.read_text().splitlines()[-15:])
        raise SetupError(f'{" ".join(command)} failed:\n{tail}\nWhole log: {log}')


def _show(line: str) -> None:
    """Keep the line that a terminal's user watches; a log file gets only the milestones."""
    if sys.stdout.isatty():
        width = shutil.get_terminal_size().columns
        print(f'\r\x1b[K{line[: width - 1]}', end='', flush=True)
    elif line.startswith(('Installing', 'interfaces', 'Successfully built')):
        print(f'  {line[:90]}', flush=True)


def _say(text: str) -> None:
    print(f'sam3d: {text}', flush=True)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open('w') as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say(f'another set-up is under way ({os.path.relpath(path)}); waiting for it')
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
