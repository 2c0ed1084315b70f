# SPDX-License-Identifier: Apache-2.0
"""message_filters, tf2_ros and cv_bridge: upstream's where they work, else ours.

``from sam3d_ros.ros.upstream import tf2_ros``: whoever imports from here cannot tell which it is.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np


def _convert_one_pixel(cv_bridge: Any) -> None:
    """Raise what a cv_bridge built for another numpy raises when it is used."""
    cv_bridge.CvBridge().cv2_to_imgmsg(np.zeros((1, 1, 3), np.uint8), 'rgb8')


_NEEDED: dict[str, Callable[[Any], object]] = {
    'message_filters': lambda module: module.ApproximateTimeSynchronizer,
    'tf2_ros': lambda module: (module.Buffer, module.TransformListener),
    'cv_bridge': _convert_one_pixel,
}


@cache
def choose(name: str) -> Any:
    """Return the installed module ``name`` when it works, else our subset of it."""
    try:
        module = import_module(name)
        _NEEDED[name](module)
    except Exception:
        # Beside ImportError: extension modules built for another numpy or Python raise nearly
        # anything, and the PyPI packages of these names are ROS 1.
        return import_module(f'sam3d_ros.ros.compat.{name}')
    return module


def __getattr__(name: str) -> Any:
    """Return a module when it is first asked for: nobody pays for what they do not use."""
    if name not in _NEEDED:
        raise AttributeError(name)
    return choose(name)
