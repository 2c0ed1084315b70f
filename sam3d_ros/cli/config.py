# SPDX-License-Identifier: Apache-2.0
"""``sam3d config``: every option with its default, range and meaning, as a ROS parameter file."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Iterator

from sam3d_ros.core.config import Option, options
from sam3d_ros.export.rviz import rviz_file
from sam3d_ros.messages.topics import NAMESPACE, absolute
from sam3d_ros.nodes.config import InputConfig, NodeConfig
from sam3d_ros.session.config import config_kind

NODE_GROUPS = {
    'inputs': InputConfig,
    'node': NodeConfig,
}
"""Groups of options that only nodes read, beside those of the stages."""

WIDTH = 99


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``sam3d config``."""
    parser.add_argument(
        '--markdown',
        action='store_true',
        help='print tables, as in docs/reference/options.md, instead of YAML',
    )

    parser.add_argument(
        '--rviz', action='store_true', help='print a file for rviz2 -d instead: all that is shown'
    )
    parser.add_argument(
        '--namespace', default=NAMESPACE, metavar='NS', help='with --rviz: of the nodes'
    )
    parser.add_argument(
        '--fixed-frame', default='world', metavar='F', help='with --rviz: that all is shown in'
    )


def run(args: argparse.Namespace) -> int:
    """Print the options, or what RViz is to show."""
    if args.rviz:
        text = rviz_file(absolute(args.namespace), args.fixed_frame)
    else:
        text = markdown() if args.markdown else parameter_file()
    print(text, end='')
    return 0


def every_option() -> list[Option]:
    """Return the options of all stages, then those of the nodes, by dotted name."""
    nodes = [item for name, kind in NODE_GROUPS.items() for item in options(kind, f'{name}.')]
    return [*options(config_kind()), *nodes]


def parameter_file() -> str:
    """Return a ROS parameter file with every option at its default."""
    lines = [
        '# Every option with its default, its range and what it does; printed by `sam3d config`.',
        '# For `sam3d process --config`, `sam3d up --config` and ROS 2 launch files.',
        '/**:',
        '  ros__parameters:',
    ]
    path: list[str] = []
    for item in every_option():
        *groups, name = item.name.split('.')
        for depth, group in enumerate(groups):
            if path[: depth + 1] != groups[: depth + 1]:
                lines.append(f'{_indent(depth)}{group}:')
                path = groups[: depth + 1]
        path = groups
        indent, limits = _indent(len(groups)), _range(item)
        text = f'{item.description} ({limits})' if limits else item.description
        start = f'{indent}# '
        lines += textwrap.wrap(text, WIDTH, initial_indent=start, subsequent_indent=start)
        lines.append(f'{indent}{name}: {_yaml(item)}')
    return '\n'.join(lines) + '\n'


def markdown() -> str:
    """Return one Markdown table a group."""
    return '\n'.join(_tables()) + '\n'


def _tables() -> Iterator[str]:
    seen = ''
    for item in every_option():
        group = item.name.partition('.')[0]
        if group != seen:
            if seen:
                yield ''
            yield f'| `{group}.` | default | range | |'
            yield '|---|---|---|---|'
            seen = group
        name = item.name.removeprefix(f'{group}.')
        yield f'| `{name}` | `{_yaml(item)}` | {_range(item)} | {item.description} |'


def _indent(depth: int) -> str:
    return '  ' * (depth + 2)


def _range(item: Option) -> str:
    if item.choices:
        return ', '.join(item.choices)
    if item.minimum is None and item.maximum is None:
        return ''
    low = '' if item.minimum is None else f'{item.minimum:g}'
    high = '' if item.maximum is None else f'{item.maximum:g}'
    return f'{low} .. {high}'


def _yaml(item: Option) -> str:
    if isinstance(item.default, bool):
        return 'true' if item.default else 'false'
    if isinstance(item.default, str):
        return f"'{item.default}'"
    if isinstance(item.default, float):
        # ROS takes 1 for an integer, so a float keeps its point.
        return repr(float(item.default))
    return str(item.default)
