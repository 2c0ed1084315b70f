# SPDX-License-Identifier: Apache-2.0
"""Message classes without ROS: the Jazzy definitions that rosbags ships, and ours beside them.

Ours are ``msgs/`` (the package sam3d_msgs) and, below ``definitions/``, what rosbags lacks of
vision_msgs, moveit_msgs, object_recognition_msgs and livox_ros_driver2, field for field as
upstream has it.
"""

from __future__ import annotations

import os
import sys
from functools import lru_cache
from pathlib import Path

from rosbags.interfaces.typing import Typesdict
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from sam3d_ros.core.errors import ConfigurationError

DEFINITIONS = Path(__file__).parent / 'definitions'
PACKAGES = ('vision_msgs', 'object_recognition_msgs', 'moveit_msgs', 'livox_ros_driver2')


@lru_cache(maxsize=1)
def typestore() -> Typestore:
    """Return the store of every type that the project reads or writes. Shared: never add to it.

    :raises ConfigurationError: when the definitions of sam3d_msgs cannot be found.
    """
    return new_typestore()


def new_typestore() -> Typestore:
    """Return a store of the same types that the caller may add to."""
    store = get_typestore(Stores.ROS2_JAZZY)
    for folder, package in [
        *((DEFINITIONS / package / 'msg', package) for package in PACKAGES),
        (sam3d_msgs_folder() / 'msg', 'sam3d_msgs'),
    ]:
        types: Typesdict = {}
        for path in sorted(folder.glob('*.msg')):
            types |= get_types_from_msg(path.read_text(), f'{package}/msg/{path.stem}')
        store.register(types)
    return store


def sam3d_msgs_folder() -> Path:
    """Return the folder of sam3d_msgs: the source tree's, else an installed package's share."""
    prefixes = [*os.environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep), sys.prefix]
    candidates = [Path(__file__).parents[2] / 'msgs']
    candidates += [Path(prefix) / 'share' / 'sam3d_msgs' for prefix in prefixes if prefix]
    for folder in candidates:
        if (folder / 'msg' / 'SceneObject.msg').is_file():
            return folder
    raise ConfigurationError(
        f'no sam3d_msgs definitions in {", ".join(map(str, candidates))}',
        wanted='msg/SceneObject.msg in one of these',
        remedy='Run ./sam3d setup, or source the workspace that sam3d_msgs was built in.',
    )
