# SPDX-License-Identifier: Apache-2.0
"""What a camera has shown of its errors, kept in a file from one run to the next."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from sam3d_ros.core.errors import InputError
from sam3d_ros.core.sensors import SensorModel
from sam3d_ros.pointmaps.sensor_noise.noise import RangeNoise

Say = Callable[[str], object]


def restored(file: Path, start: SensorModel, say: Say) -> RangeNoise:
    """Return what was kept in a file, or a camera that measures itself from the beginning.

    :param file: need not exist.
    :param start: what the camera is taken for at first.
    :param say: takes a sentence when the file is there and cannot be used.
    """
    if not file.is_file():
        return RangeNoise(start)
    try:
        return RangeNoise.from_state(json.loads(file.read_text()), start)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, InputError) as error:
        say(f'{file} cannot be used ({error}): the camera measures its errors from the beginning')
        return RangeNoise(start)


def keep(file: Path, noise: RangeNoise, say: Say) -> None:
    """Write what is known to a file, whole or not at all.

    :param noise: what the camera showed of its errors.
    :param say: takes a sentence when it cannot be written.
    """
    part = file.with_name(f'{file.name}.part')
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps(noise.state()) + '\n')
        part.replace(file)
    except OSError as error:
        say(f'what the camera showed of its errors was not kept in {file}: {error}')
