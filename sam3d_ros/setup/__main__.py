# SPDX-License-Identifier: Apache-2.0
"""Run by ``./sam3d`` with the system's Python: ``python3 -m sam3d_ros.setup PROFILE KEY``."""

import sys

from sam3d_ros.setup import environment, machine


def main(profile: str, key: str) -> int:
    """Make the environment; return the exit code.

    :param profile: how much is installed: ``default`` or ``test``.
    :param key: of what defines the environment.
    """
    try:
        environment.ensure_environment(profile, key)
    except machine.SetupError as error:
        print(f'sam3d: {error}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print('\nsam3d: stopped; the next call goes on from here', file=sys.stderr)
        return 130
    return 0


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:3]))
