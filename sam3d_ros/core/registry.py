# SPDX-License-Identifier: Apache-2.0
"""Backends by name, found through entry points so that other packages can add theirs.

A backend is a class in the entry point group ``sam3d_ros.<stage>``; ours are imported only when
chosen, so that a default install never loads torch. It is made with the stage's configuration.

A backend of another package may own options: a frozen dataclass of :func:`core.config.option`
fields as its attribute ``Options``. They appear as ``<stage>.<backend>.*`` (those of the stage
``range`` as ``pointmaps.<backend>.*``) in parameter files, ROS parameters and tables, like ours,
and the backend is made with them as second argument.
"""

from __future__ import annotations

import dataclasses
import logging
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, TypeVar, cast

from sam3d_ros.core.config import group
from sam3d_ros.core.errors import BackendError, ConfigurationError

T = TypeVar('T')

LOG = logging.getLogger(__name__)

OURS = 'sam3d_ros.'
"""Where the modules of our own backends begin; their options are part of the stage's."""


def backend_names(stage: str) -> list[str]:
    """Return the sorted names of the backends registered for a stage, e.g. ``segmentation``."""
    return sorted({entry.name for entry in _entries(stage)})


def load_backend(stage: str, name: str) -> Any:
    """Return the backend class registered under a name.

    :param stage: e.g. ``segmentation``.
    :param name: of the entry point.
    :raises BackendError: when there is none of that name, or what it needs is not installed.
    """
    for entry in _entries(stage):
        if entry.name == name:
            try:
                return entry.load()
            except (ImportError, AttributeError) as error:
                raise BackendError(
                    f'{stage} backend "{name}" cannot be imported: {error}',
                    wanted='its packages installed',
                    remedy='docs/reference/backends.md names the extra to install.',
                ) from error
    raise BackendError(
        f'no {stage} backend "{name}"',
        wanted=f'one of {", ".join(backend_names(stage))}',
        remedy=f'Set {stage}.backend to one of these.',
    )


def make_backend(stage: str, name: str, config: Any) -> Any:
    """Return a backend, made with its stage's configuration and, if it has any, its options.

    :param stage: e.g. ``segmentation``.
    :param name: of the entry point.
    :param config: of the stage; from :func:`with_options`, or its options have their defaults.
    :raises BackendError: when it does not exist, cannot be imported or fails to start.
    """
    kind = load_backend(stage, name)
    options = getattr(kind, 'Options', None)
    arguments = () if options is None else (getattr(config, name, None) or options(),)
    return kind(config, *arguments)


def close(*backends: object) -> None:
    """Tell backends that nobody will ask them any more: those that have a method ``close``.

    :param backends: anything that was made for a session.
    """
    for backend in backends:
        getattr(backend, 'close', lambda: None)()


@cache
def with_options(stage: str, kind: type[T]) -> type[T]:
    """Return a stage's configuration with the options that foreign backends own, a group each.

    :param stage: e.g. ``segmentation``.
    :param kind: configuration dataclass of the stage.
    :raises ConfigurationError: when a backend has the name of an option of the stage.
    """
    fields: list[tuple[str, type, Any]] = []
    for entry in _entries(stage):
        if entry.value.startswith(OURS):
            continue
        try:
            options = getattr(load_backend(stage, entry.name), 'Options', None)
        except BackendError as error:
            LOG.warning('%s', error)
            continue
        if options is None:
            continue
        if entry.name in {item.name for item in dataclasses.fields(cast(Any, kind))}:
            raise ConfigurationError(
                f'a {stage} backend "{entry.name}" ({entry.value})',
                wanted=f'another name than that of an option of {stage}',
            )
        fields.append((entry.name, options, group(options)))
    if not fields:
        return kind
    made = dataclasses.make_dataclass(kind.__name__, fields, bases=(kind,), frozen=True)
    return cast('type[T]', made)


def _entries(stage: str) -> list[EntryPoint]:
    return sorted(entry_points(group=f'{OURS}{stage}'), key=lambda entry: entry.name)
