# SPDX-License-Identifier: Apache-2.0
"""Dataclasses to plain trees and back: what a session saves of its stages, and resumes from.

A tree holds dicts with text keys, lists, numbers, text, None and arrays. Arrays go in and out as
they are, without a copy. The types that a dataclass declares say how its tree is read.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

import numpy as np

from sam3d_ros.core.errors import InputError

T = TypeVar('T')
Array = np.ndarray[Any, Any]

ARRAY = '$'
"""The one key of the dict that stands for an array in a tree without arrays."""


def to_tree(value: Any) -> Any:
    """Return a value as a tree.

    :param value: a dataclass, a mapping, a sequence, an enumeration, an array, or what a tree may
        hold; nested as one likes. Of dataclasses only what they are made with counts.
    :raises InputError: when there is something else in it.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {name: to_tree(getattr(value, name)) for name in _fields(type(value))}
    if isinstance(value, Mapping):
        return {str(key): to_tree(item) for key, item in value.items()}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, str | bool | int | float | np.ndarray):
        return value
    if isinstance(value, Sequence | set | frozenset):
        return [to_tree(item) for item in value]
    raise InputError(f'a {type(value).__name__} in a state', wanted='numbers, text or arrays')


def from_tree(kind: type[T], tree: Any) -> T:
    """Return the value that :func:`to_tree` was given.

    :param kind: its type, e.g. ``dict[int, SomeDataclass]``.
    :param tree: as :func:`to_tree` returned it.
    :raises InputError: when the tree is not of that type.
    """
    try:
        return cast(T, _read(kind, tree))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            f'a state that is no {kind}: {type(error).__name__}: {error}',
            wanted='one that this version wrote',
        ) from error


def without_arrays(tree: Any, put: Callable[[Array], str]) -> Any:
    """Return a tree as JSON can hold it, with the names of its arrays where they were.

    :param tree: as :func:`to_tree` returned it.
    :param put: takes an array and returns its name.
    """
    if isinstance(tree, np.ndarray):
        return {ARRAY: put(tree)}
    if isinstance(tree, dict):
        return {key: without_arrays(item, put) for key, item in tree.items()}
    if isinstance(tree, list):
        return [without_arrays(item, put) for item in tree]
    return tree


def with_arrays(tree: Any, get: Callable[[str], Array]) -> Any:
    """Return the tree that :func:`without_arrays` was given.

    :param tree: what it returned.
    :param get: returns an array by its name.
    """
    if isinstance(tree, dict):
        if tree.keys() == {ARRAY}:
            return get(tree[ARRAY])
        return {key: with_arrays(item, get) for key, item in tree.items()}
    if isinstance(tree, list):
        return [with_arrays(item, get) for item in tree]
    return tree


def _read(kind: Any, tree: Any) -> Any:
    origin, inner = get_origin(kind), get_args(kind)
    if kind is Any or np.ndarray in (kind, origin):
        return tree
    if origin in (Union, UnionType):
        if tree is None:
            return None
        (kind,) = (item for item in inner if item is not NoneType)
        return _read(kind, tree)
    if dataclasses.is_dataclass(kind):
        fields = _fields(cast(type, kind))
        if not _required(cast(type, kind)) <= tree.keys() <= fields.keys():
            raise ValueError(f'{sorted(tree)} where {sorted(fields)} are wanted')
        return cast(Any, kind)(**{name: _read(fields[name], tree[name]) for name in tree})
    if origin is dict:
        return {inner[0](key): _read(inner[1], item) for key, item in tree.items()}
    if origin is tuple and inner[-1] is not Ellipsis:
        return tuple(_read(part, item) for part, item in zip(inner, tree, strict=True))
    if origin in (list, tuple, set, frozenset):
        return origin(_read(inner[0], item) for item in tree)
    if origin is Sequence:
        return tuple(_read(inner[0], item) for item in tree)
    return kind(tree)


@cache
def _required(kind: type) -> frozenset[str]:
    """Return the fields that a dataclass is not made without; others may be newer than a tree."""
    missing = dataclasses.MISSING
    return frozenset(
        item.name
        for item in dataclasses.fields(kind)
        if item.init and item.default is missing and item.default_factory is missing
    )


@cache
def _fields(kind: type) -> dict[str, Any]:
    """Return the types of the fields that a dataclass is made with."""
    hints = get_type_hints(kind)
    return {item.name: hints[item.name] for item in dataclasses.fields(kind) if item.init}
