# SPDX-License-Identifier: Apache-2.0
"""Backends by name, found through entry points so that other packages can add theirs.

A backend is a class in the entry point group ``sam3d_ros.<stage>``; it is imported only when
chosen, so that a default install never loads torch.
"""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Any

from sam3d_ros.core.errors import BackendError


def backend_names(stage: str) -> list[str]:
    """Return the sorted names of the backends registered for a stage, e.g. ``segmentation``."""
    return sorted({entry.name for entry in entry_points(group=f'sam3d_ros.{stage}')})


def load_backend(stage: str, name: str) -> Any:
    """Return the backend class registered under ``name`` for ``stage``.

    :raises BackendError: when there is none of that name, or what it needs is not installed.
    """
    for entry in entry_points(group=f'sam3d_ros.{stage}'):
        if entry.name == name:
            try:
                return entry.load()
            except ImportError as error:
                raise BackendError(
                    f'{stage} backend "{name}" cannot be imported: {error}',
                    wanted='its packages installed',
                    remedy='README, section Backends, names the extra to install.',
                ) from error
    raise BackendError(
        f'no {stage} backend "{name}"',
        wanted=f'one of {", ".join(backend_names(stage))}',
        remedy=f'Set {stage}.backend to one of these.',
    )
