# SPDX-License-Identifier: Apache-2.0
"""A program of earlier versions, for launch files that start it; gone with the next release."""

from __future__ import annotations

import sys

from sam3d_ros.nodes.objects.objects_node import main


def scene() -> int:
    """Run objects_node, saying so."""
    sys.stderr.write('scene_node is now called objects_node\n')
    return main()
