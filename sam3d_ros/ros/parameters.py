# SPDX-License-Identifier: Apache-2.0
"""Configuration dataclasses as ROS parameters: declared, described, checked, read back.

Names are those of the configuration with the group in front (``segmentation.backend``); a
rejected value is answered with the sentence of the configuration, a name that nobody declared in
the node's YAML is warned about.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import TypeVar

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.node import Node
from rclpy.parameter import Parameter

from sam3d_ros.core.config import Option, build, options, removed
from sam3d_ros.core.errors import ConfigurationError

T = TypeVar('T')

_LARGEST_INT = 2**31 - 1
_LARGEST_FLOAT = 1e300
# Declared by rclpy itself, or read by it from the same YAML.
_FOREIGN = ('use_sim_time', 'start_type_description_service', 'qos_overrides.', 'autostart')


class Parameters:
    """The parameters of one node.

    :param groups: configuration dataclasses by the prefix of their parameters; the prefix ''
        puts a group's options at the top.
    :param elsewhere: prefixes of other nodes' groups, which one YAML file for all may hold.
    :raises ConfigurationError: when a value given at start is not allowed.
    """

    def __init__(
        self, node: Node, groups: Mapping[str, type], elsewhere: Iterable[str] = ()
    ) -> None:
        self._node = node
        # rclpy has no public way to what the command line and the YAML file say.
        self._overrides: dict[str, Parameter] = node._parameter_overrides
        self._options: dict[str, Option] = {}
        self._removed: dict[str, str] = {}
        for prefix, kind in groups.items():
            start = f'{prefix}.' if prefix else ''
            self._options |= {item.name: item for item in options(kind, start)}
            self._removed |= dict(removed(kind, start))
        for item in self._options.values():
            override = self._overrides.get(item.name)
            value = item.check(item.default if override is None else override.value)
            # Left to rclpy, the override 1 would make a float an int.
            self._node.declare_parameter(item.name, value, descriptor(item), ignore_override=True)
        self._warn_unknown(tuple(f'{prefix}.' for prefix in elsewhere))
        node.add_on_set_parameters_callback(self._check)

    def read(self, prefix: str, kind: type[T]) -> T:
        """Return a group's configuration with the values that the parameters have now.

        :param prefix: of the group's parameters.
        :param kind: the group's dataclass.
        """
        start = f'{prefix}.' if prefix else ''
        values = {
            item.name.removeprefix(start): self._node.get_parameter(item.name).value
            for item in options(kind, start)
        }
        return build(kind, values)

    def _check(self, parameters: Iterable[Parameter]) -> SetParametersResult:
        for parameter in parameters:
            item = self._options.get(parameter.name)
            if item is None:
                continue
            try:
                item.check(parameter.value)
            except ConfigurationError as error:
                return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    def _warn_unknown(self, elsewhere: tuple[str, ...]) -> None:
        known = list(self._options)
        for name in sorted(self._overrides.keys() - set(known)):
            if name in self._removed:
                self._node.get_logger().warning(self._removed[name])
            elif not name.startswith(_FOREIGN + elsewhere):
                close = get_close_matches(name, known, n=1)
                hint = f'did you mean "{close[0]}"?' if close else 'see `ros2 param list`'
                self._node.get_logger().warning(f'unknown parameter "{name}" is ignored; {hint}')


def descriptor(item: Option) -> ParameterDescriptor:
    """Return the descriptor of an option: description, range, choices, read-only."""
    made = ParameterDescriptor(description=item.description, read_only=item.read_only)
    if item.choices:
        made.additional_constraints = f'one of {", ".join(item.choices)}'
    bounded = item.minimum is not None or item.maximum is not None
    if bounded and item.kind is float:
        low = -_LARGEST_FLOAT if item.minimum is None else float(item.minimum)
        high = _LARGEST_FLOAT if item.maximum is None else float(item.maximum)
        made.floating_point_range = [FloatingPointRange(from_value=low, to_value=high)]
    if bounded and item.kind is int:
        low = -_LARGEST_INT if item.minimum is None else int(item.minimum)
        high = _LARGEST_INT if item.maximum is None else int(item.maximum)
        made.integer_range = [IntegerRange(from_value=low, to_value=high, step=1)]
    return made
