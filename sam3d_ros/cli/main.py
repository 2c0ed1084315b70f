# SPDX-License-Identifier: Apache-2.0
"""The command ``sam3d``: finds the subcommand and runs it; its module is imported only then."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from sam3d_ros.core.errors import ConfigurationError, Sam3dError
from sam3d_ros.setup.shadowing import shadowing_variables

COMMANDS = {
    'process': (
        'recordings.process',
        'a recording to meshes, poses and a result recording, without ROS',
    ),
    'find': ('recordings.find', 'the objects that a phrase means, in results or in a recording'),
    'segment3d': (
        'recordings.segment3d',
        'one click to one object in every frame, its points and Gaussians',
    ),
    'demo': ('live.demo', 'a made-up recording through the real nodes, checked against its truth'),
    'view': ('view', 'a page of a recording, a result or the running graph'),
    'top': ('live.top', 'the running graph in a terminal: rates, latencies, drops, objects'),
    'up': ('live.up', 'start the nodes'),
    'replay': ('live.replay', 'publish a recording'),
    'doctor': ('doctor', 'what is wrong with the inputs, live or recorded'),
    'calibrate': (
        'calibrate',
        'where cameras and LiDARs of a rig are to each other, refined',
    ),
    'bench': ('bench', 'measure accuracy and speed'),
    'world': ('recordings.world', 'write a made-up recording with its truth'),
    'config': ('config', 'print every option with its default, as a parameter file'),
    'weights': ('weights', 'list, fetch and check the weights of learned backends'),
    'docs': ('docs', 'build the pages of docs/ as a site, and check their links'),
    'version': ('version', 'versions of this project and of what results depend on'),
}
"""The module of each in ``sam3d_ros.cli``, with ``add_arguments(parser)`` and ``run(args)``, and
what it does."""

INTERRUPTED = 130
FAILED = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a subcommand and return its exit code: 0 = done, 2 = an error that was explained."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    name = arguments[0] if arguments else ''
    try:
        if name not in available():
            _overview().parse_args(arguments or ['--help'])
            return FAILED
        _refuse_other_ros()
        module = importlib.import_module(f'sam3d_ros.cli.{COMMANDS[name][0]}')
        parser = argparse.ArgumentParser(prog=f'sam3d {name}', description=module.__doc__)
        module.add_arguments(parser)
        return int(module.run(parser.parse_args(arguments[1:])))
    except Sam3dError as error:
        return _failed(name, str(error))
    except KeyboardInterrupt:
        print(file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of our output has gone; Python would complain again when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except OSError as error:
        return _failed(name, str(error))
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith('sam3d_ros'):
            raise
        return _failed(
            name,
            f'the Python package "{error.name}" is not installed. ./sam3d setup installs what '
            'this command needs; docs/install.md names the extras.',
        )


def available() -> dict[str, str]:
    """Return the subcommands of this installation and what each does."""
    return {
        name: text
        for name, (module, text) in COMMANDS.items()
        if find_spec(f'sam3d_ros.cli.{module}')
    }


def _refuse_other_ros() -> None:
    """Stop before a ROS that the shell has sourced is taken for the wheels of this environment."""
    found = shadowing_variables(os.environ, Path(sys.prefix))
    if found:
        raise ConfigurationError(
            f'this shell leads to another ROS: {", ".join(found)}',
            wanted=f'the ROS wheels in {sys.prefix} alone',
            remedy='Call ./sam3d, which drops these variables, or unset them.',
        )


def _overview() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog='sam3d',
        description='Complete, metric, persistent objects from RGB-D or RGB and LiDAR.',
        epilog='"sam3d COMMAND --help" says more. "./sam3d setup" only makes the environment, '
        '"./sam3d test" runs the tests in it.',
    )
    commands = parser.add_subparsers(metavar='COMMAND', required=True)
    for name, text in available().items():
        commands.add_parser(name, help=text, add_help=False)
    return parser


def _failed(name: str, text: str) -> int:
    print(f'sam3d {name}: {text}', file=sys.stderr)
    return FAILED


if __name__ == '__main__':
    sys.exit(main())
