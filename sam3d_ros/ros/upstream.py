# SPDX-License-Identifier: Apache-2.0
"""message_filters and tf2_ros: upstream's where they work, else ours; cv_bridge where it works.

``from sam3d_ros.ros.upstream import tf2_ros``: whoever imports from here cannot tell which it is.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt

from sam3d_ros.core.errors import InputError

_NEEDED: dict[str, Callable[[Any], object]] = {
    'message_filters': lambda module: (module.SimpleFilter, module.Subscriber),
    'tf2_ros': lambda module: module.TransformListener,
}


@cache
def choose(name: str) -> Any:
    """Return the installed module ``name`` when it works, else our part of it."""
    try:
        module = import_module(name)
        _NEEDED[name](module)
    except Exception:
        # Beside ImportError: extension modules built for another numpy or Python raise nearly
        # anything, and the PyPI packages of these names are ROS 1.
        return import_module(f'sam3d_ros.ros.compat.{name}')
    return module


@cache
def bridge() -> Any | None:
    """Return a CvBridge that works, None where there is none."""
    try:
        made = import_module('cv_bridge').CvBridge()
        # One that was built for another numpy fails when it is used.
        made.cv2_to_imgmsg(np.zeros((1, 1, 3), np.uint8), 'rgb8')
    except Exception:
        return None
    return made


def decode_by_cv_bridge(message: Any) -> npt.NDArray[np.uint8]:
    """Return the (H, W, 3) uint8 RGB pixels of an Image whose encoding only cv_bridge may know.

    :raises InputError: when there is no cv_bridge, or it does not know the encoding either.
    """
    wanted = 'an encoding of REP 118, or cv_bridge for others'
    if (by := bridge()) is None:
        raise InputError(f'image encoding "{message.encoding}"', wanted=wanted)
    try:
        return np.asarray(by.imgmsg_to_cv2(message, 'rgb8'))
    except Exception as error:
        raise InputError(
            f'image encoding "{message.encoding}", of which cv_bridge says: {error}', wanted=wanted
        ) from error


def __getattr__(name: str) -> Any:
    """Return a module when it is first asked for: nobody pays for what they do not use."""
    if name not in _NEEDED:
        raise AttributeError(name)
    return choose(name)
