# SPDX-License-Identifier: Apache-2.0
"""Programs of earlier versions, for the launch files that start them; gone with the next release.

What the nodes segmentation, reconstruction and scene did, the node objects does alone.
"""

from __future__ import annotations

import sys


def segmentation() -> int:
    """Say that there is nothing to start any more."""
    return _nothing('segmentation_node')


def reconstruction() -> int:
    """Say that there is nothing to start any more."""
    return _nothing('reconstruction_node')


def scene() -> int:
    """Run objects_node, saying so."""
    from sam3d_ros.nodes.objects.objects_node import main

    sys.stderr.write('scene_node is now called objects_node\n')
    return main()


def _nothing(name: str) -> int:
    sys.stderr.write(f'{name} does nothing any more: objects_node does its work\n')
    return 0
