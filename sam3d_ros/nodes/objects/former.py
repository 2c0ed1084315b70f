# SPDX-License-Identifier: Apache-2.0
"""Programs of earlier versions, for launch files that start them; gone with the next release."""

from __future__ import annotations

import sys

from sam3d_ros.nodes.objects import objects_node
from sam3d_ros.nodes.segmentation import segmentation_node


def segmentation() -> int:
    """Run segmentation_node."""
    return segmentation_node.main()


def reconstruction() -> int:
    """Say that there is nothing to start any more."""
    sys.stderr.write('reconstruction_node does nothing any more: objects_node does its work\n')
    return 0


def scene() -> int:
    """Run objects_node, saying so."""
    sys.stderr.write('scene_node is now called objects_node\n')
    return objects_node.main()
