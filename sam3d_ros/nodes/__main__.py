# SPDX-License-Identifier: Apache-2.0
"""``python -m sam3d_ros.nodes NAME [ROS arguments]``: one node as the child of a supervisor.

It ends when its parent does, however that ended. A Ctrl-C that comes before the node's modules are
imported ends it as quietly as a later one.
"""

import ctypes
import signal
import sys
from importlib import import_module

PR_SET_PDEATHSIG = 1
"""From linux/prctl.h: the signal that a process gets when its parent dies."""

if __name__ == '__main__':
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit(0))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM})
    sys.exit(import_module(f'sam3d_ros.nodes.{sys.argv[1]}.{sys.argv[1]}_node').main(sys.argv[1:]))
