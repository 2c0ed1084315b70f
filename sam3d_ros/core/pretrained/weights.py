# SPDX-License-Identifier: Apache-2.0
"""Model weights by name: ``models/registry.yaml`` says where they are from and what they hash to.

Weights are looked for in the folder that ``SAM3D_MODELS`` names, else beside the source tree,
else in the installed ``share/sam3d_ros/models``.
"""

from __future__ import annotations

import hashlib
import os
import sys
from dataclasses import dataclass, fields
from pathlib import Path

import yaml

from sam3d_ros.core.errors import BackendError

REGISTRY = 'registry.yaml'


@dataclass(frozen=True, slots=True)
class Weights:
    """One entry of the registry.

    :param name: what configurations and reports call them.
    :param file: file or folder, relative to the models folder.
    :param source: where they come from: a model card, a hub id or an address.
    :param sha256: hash of the file, lower-case hex; empty where upstream fixes none.
    :param size: bytes of the file, 0 = unknown.
    :param licence: SPDX name, or the name of the licence.
    :param needs: the packages that run them.
    """

    name: str
    file: str
    source: str
    sha256: str
    size: int
    licence: str
    needs: str


def models_folder() -> Path:
    """Return the folder of weights and registry.

    :raises BackendError: when there is none.
    """
    named = os.environ.get('SAM3D_MODELS')
    beside = Path(__file__).resolve().parents[3] / 'models'
    prefixes = [*os.environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep), sys.prefix]
    installed = [Path(prefix) / 'share' / 'sam3d_ros' / 'models' for prefix in prefixes if prefix]
    folders = [Path(named)] if named else [beside, *installed]
    for folder in folders:
        if (folder / REGISTRY).is_file():
            return folder
    raise BackendError(
        f'no {REGISTRY} in {", ".join(map(str, folders))}',
        wanted='the folder with the registry of weights',
        remedy='Set SAM3D_MODELS to it.',
    )


def read_registry(folder: Path) -> tuple[Weights, ...]:
    """Return the entries of a models folder, in the order of the file.

    :raises BackendError: when an entry lacks a field or has one too many.
    """
    names = {item.name for item in fields(Weights)}
    entries = yaml.safe_load((folder / REGISTRY).read_text())['weights']
    for entry in entries:
        if set(entry) != names:
            raise BackendError(
                f'{folder / REGISTRY}: entry {entry.get("name", "?")} has {sorted(entry)}',
                wanted=f'the fields {sorted(names)}',
            )
    return tuple(Weights(**entry) for entry in entries)


def find_weights(name: str, folder: Path | None = None) -> Weights:
    """Return the registry's entry of that name.

    :param folder: with the registry; None = the project's own.
    :raises BackendError: when there is none.
    """
    folder = folder if folder is not None else models_folder()
    known = read_registry(folder)
    for weights in known:
        if weights.name == name:
            return weights
    raise BackendError(
        f'no weights "{name}" in {folder / REGISTRY}',
        wanted=f'one of {", ".join(weights.name for weights in known)}',
    )


def verified_file(name: str, folder: Path | None = None) -> Path:
    """Return the path of a weight file whose hash is the registry's.

    :param name: of the registry's entry.
    :param folder: with registry and files; None = the project's own.
    :raises BackendError: when the file is missing or its hash is another.
    """
    folder = folder if folder is not None else models_folder()
    weights = find_weights(name, folder)
    path = folder / weights.file
    if not path.is_file():
        raise BackendError(f'no weights at {path}', wanted=f'"{name}" from {weights.source}')
    found = file_hash(path)
    if found != weights.sha256:
        raise BackendError(
            f'{path} has sha256 {found}',
            wanted=f'{weights.sha256}, as {REGISTRY} says',
            remedy=f'Bring the file back from {weights.source}, or register the new hash.',
        )
    return path


def file_hash(path: Path) -> str:
    """Return the sha256 of a file, lower-case hex."""
    with path.open('rb') as file:
        return hashlib.file_digest(file, 'sha256').hexdigest()
