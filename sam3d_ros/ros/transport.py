# SPDX-License-Identifier: Apache-2.0
"""Room in shared memory for images and clouds between the processes of one machine.

Fast DDS gives each participant half a megabyte; what is larger goes out as some fifteen UDP
packets an image, of which a busy machine loses one often enough to lose most best-effort images.
"""

from __future__ import annotations

import os
from pathlib import Path

PROFILES = Path(__file__).with_name('fastdds.xml')
VARIABLE = 'FASTRTPS_DEFAULT_PROFILES_FILE'
USER_CHOICES = (VARIABLE, 'FASTDDS_DEFAULT_PROFILES_FILE', 'FASTDDS_BUILTIN_TRANSPORTS')

SHARED_MEMORY = Path('/dev/shm')
NEEDED_BYTES = 512 << 20
"""Twice what the processes of a graph may fill; containers often have only 64 MB."""


def use_large_segments() -> bool:
    """Choose our transport profile for this process and its children; call before rclpy.init.

    A profile or transport that the user has chosen stays, and so does the default where shared
    memory is small. Other middlewares do not read the variable.

    :returns: whether our profile is in use.
    """
    if any(os.environ.get(name) for name in USER_CHOICES):
        return os.environ.get(VARIABLE) == str(PROFILES)
    try:
        shared = os.statvfs(SHARED_MEMORY)
    except OSError:
        return False
    if shared.f_bavail * shared.f_frsize < NEEDED_BYTES:
        return False
    os.environ[VARIABLE] = str(PROFILES)
    return True
