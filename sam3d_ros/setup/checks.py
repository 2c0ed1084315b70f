# SPDX-License-Identifier: Apache-2.0
"""``./sam3d test``: lint, format, types and the whole test suite, in this environment."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from sam3d_ros.setup.machine import ensure_browser

ROOT = Path(__file__).resolve().parents[2]
LINTERS = {
    'ruff check': ['-m', 'ruff', 'check', '.'],
    'ruff format': ['-m', 'ruff', 'format', '--check', '.'],
    'mypy': ['-m', 'mypy'],
}


PYTEST = ['-P', '-m', 'pytest']
SUITE = {
    'pytest, a process for each core': ['-n', 'auto', '--dist', 'worksteal', '-m', 'not dds'],
    'pytest, nodes, two files at a time': ['-n', '2', '--dist', 'loadfile', '-m', 'dds'],
}


def main(arguments: Sequence[str]) -> int:
    """Run every check; return 0 when all passed.

    :param arguments: what pytest is run with, once; empty = the whole suite, in two runs.
    """
    checks = LINTERS | {
        name: [*PYTEST, *options]
        for name, options in ({'pytest': arguments} if arguments else SUITE).items()
    }
    if lack := ensure_browser():
        print(f'sam3d test: {lack}', flush=True)
    failed = []
    for name, command in checks.items():
        print(f'sam3d test: {name}', flush=True)
        if subprocess.run([sys.executable, *command], cwd=ROOT, check=False).returncode:
            failed.append(name)
    if failed:
        print(f'sam3d test: {" and ".join(failed)} did not pass', file=sys.stderr)
    return int(bool(failed))


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
