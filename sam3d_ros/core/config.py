# SPDX-License-Identifier: Apache-2.0
"""Configuration: frozen dataclasses whose fields carry a description and a range.

The same fields make the YAML of the command line, the ROS parameters (descriptors, ranges) and
the tables of the documentation. Nested dataclasses make dotted names:
``segmentation.geometric.min_area_px``. A dataclass may keep a ``REMOVED`` mapping of the names of
options it once had to the sentence that says what takes their place; they load for one release,
with a warning and without an effect.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, TypeVar, cast, get_type_hints

from sam3d_ros.core.errors import ConfigurationError

T = TypeVar('T')
Scalar = bool | int | float | str

LOG = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class Option:
    """What is known about one configuration value.

    :param name: dotted path.
    :param kind: bool, int, float or str.
    :param read_only: True when a running node cannot take a new value.
    """

    name: str
    kind: type
    default: Scalar
    description: str
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    read_only: bool = False

    def check(self, value: Any) -> Scalar:
        """Return ``value`` in the option's kind, or raise ConfigurationError with the reason."""
        if self.kind is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        is_bool_for_int = self.kind is not bool and isinstance(value, bool)
        if is_bool_for_int or not isinstance(value, self.kind):
            raise ConfigurationError(
                f'{self.name} = {value!r} is a {type(value).__name__}',
                wanted=f'a {self.kind.__name__}',
                remedy=self.description,
            )
        if self.choices and value not in self.choices:
            raise ConfigurationError(
                f'{self.name} = {value!r}',
                wanted=f'one of {", ".join(self.choices)}',
                remedy=self.description,
            )
        if isinstance(value, int | float) and not isinstance(value, bool):
            low = -float('inf') if self.minimum is None else self.minimum
            high = float('inf') if self.maximum is None else self.maximum
            if not low <= value <= high:
                raise ConfigurationError(
                    f'{self.name} = {value}',
                    wanted=f'a value in [{low:g}, {high:g}]',
                    remedy=self.description,
                )
        return cast(Scalar, value)


def option(
    default: Any,
    description: str,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    choices: tuple[str, ...] = (),
    read_only: bool = False,
) -> Any:
    """Declare a dataclass field with a description and, where it has one, a range.

    :param default: its value when nobody sets it.
    :param minimum: smallest value; None = any.
    :param maximum: largest value; None = any.
    :param choices: the values it may have; empty = any.
    :param read_only: a running node cannot take a new value.
    """
    return dataclasses.field(
        default=default,
        metadata={
            'description': description,
            'minimum': minimum,
            'maximum': maximum,
            'choices': choices,
            'read_only': read_only,
        },
    )


def group(kind: type[T]) -> T:
    """Declare a nested group of options: ``name: SomeConfig = group(SomeConfig)``."""
    return dataclasses.field(default_factory=kind)


def options(kind: type, prefix: str = '') -> Iterator[Option]:
    """Yield every option of a configuration dataclass, nested ones with dotted names.

    :param kind: the dataclass.
    :param prefix: goes before the names.
    """
    hints = get_type_hints(kind)
    for item in dataclasses.fields(kind):
        name = f'{prefix}{item.name}'
        if dataclasses.is_dataclass(hints[item.name]):
            yield from options(hints[item.name], f'{name}.')
        else:
            declared: Any = item.default
            yield Option(name, hints[item.name], declared, **item.metadata)


def removed(kind: type, prefix: str = '') -> Iterator[tuple[str, str]]:
    """Yield the names that options once had, nested ones dotted, and what to say about each.

    :param kind: the dataclass.
    :param prefix: goes before the names.
    """
    for name, instead in getattr(kind, 'REMOVED', {}).items():
        yield f'{prefix}{name}', f'{prefix}{name} is gone and has no effect: {instead}'
    hints = get_type_hints(kind)
    for item in dataclasses.fields(kind):
        if dataclasses.is_dataclass(hints[item.name]):
            yield from removed(hints[item.name], f'{prefix}{item.name}.')


def build(kind: type[T], values: Mapping[str, Any], prefix: str = '') -> T:
    """Return ``kind`` with ``values`` (nested or dotted names) over its defaults, all checked.

    Names that options once had are warned about, once each.

    :param prefix: goes before names in errors.
    :raises ConfigurationError: on an unknown name, a wrong type or a value out of range.
    """
    values = _nested(values)
    hints = get_type_hints(kind)
    known = {item.name: item for item in dataclasses.fields(kind)}  # type: ignore[arg-type]
    gone = dict(removed(kind, prefix))
    for name in values:
        if f'{prefix}{name}' in gone:
            _warn_once(gone[f'{prefix}{name}'])
        elif name not in known:
            raise ConfigurationError(
                f'unknown option {prefix}{name}', wanted=f'one of {", ".join(sorted(known))}'
            )
    chosen: dict[str, Any] = {}
    for name, item in known.items():
        hint = hints[name]
        if dataclasses.is_dataclass(hint):
            inner = values.get(name, {})
            if not isinstance(inner, Mapping):
                raise ConfigurationError(
                    f'{prefix}{name} = {inner!r}', wanted='a group of options'
                )
            chosen[name] = build(hint, inner, f'{prefix}{name}.')  # type: ignore[arg-type]
        elif name in values:
            declared: Any = item.default
            known_option = Option(f'{prefix}{name}', hint, declared, **item.metadata)
            chosen[name] = known_option.check(values[name])
    return kind(**chosen)


def flatten(config: Any, prefix: str = '') -> dict[str, Scalar]:
    """Return the values of a configuration by dotted name.

    :param config: a configuration dataclass.
    :param prefix: goes before the names.
    """
    flat: dict[str, Scalar] = {}
    for item in dataclasses.fields(config):
        value = getattr(config, item.name)
        if dataclasses.is_dataclass(value):
            flat |= flatten(value, f'{prefix}{item.name}.')
        else:
            flat[f'{prefix}{item.name}'] = value
    return flat


@cache
def _warn_once(sentence: str) -> None:
    LOG.warning(sentence)


def _nested(values: Mapping[str, Any]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for name, value in values.items():
        head, _, tail = name.partition('.')
        if tail:
            inner = tree.setdefault(head, {})
            if not isinstance(inner, dict):
                raise ConfigurationError(f'{head} is given both as a value and as a group')
            inner[tail] = value
        elif isinstance(value, Mapping) and isinstance(tree.get(head), dict):
            tree[head].update(value)
        else:
            tree[head] = dict(value) if isinstance(value, Mapping) else value
    return tree
