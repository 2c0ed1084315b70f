# SPDX-License-Identifier: Apache-2.0
"""``./sam3d test``: lint, format, types and the whole test suite, in this environment."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LINTERS = {
    'ruff check': ['-m', 'ruff', 'check', '.'],
    'ruff format': ['-m', 'ruff', 'format', '--check', '.'],
    'mypy': ['-m', 'mypy'],
}


def main(arguments: Sequence[str]) -> int:
    """Run every check, pytest last with ``arguments``; return 0 when all passed."""
    failed = [name for name, command in LINTERS.items() if not _passes(name, command)]
    if not _passes('pytest', ['-P', '-m', 'pytest', *arguments]):
        return 1
    if failed:
        print(f'sam3d test: pytest passed, {" and ".join(failed)} did not', file=sys.stderr)
        return 1
    return 0


def _passes(name: str, command: Sequence[str]) -> bool:
    print(f'sam3d test: {name}', flush=True)
    return subprocess.run([sys.executable, *command], cwd=ROOT, check=False).returncode == 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
