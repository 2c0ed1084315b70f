# SPDX-License-Identifier: Apache-2.0
"""What a depth camera's errors turn out to be, in words, for ``sam3d doctor``."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

import numpy as np

from sam3d_ros.core.types import Frame
from sam3d_ros.pointmaps.config import PointmapConfig
from sam3d_ros.pointmaps.sensor_noise.noise import RangeNoise, recognised
from sam3d_ros.pointmaps.sources.ranges import start_model

FRAMES = 10
WINDOWS_PX = (1, 3, 5, 9, 15, 25, 41)
MOST_APART = 1.4
"""Measured and configured spread, or what is left of it after averaging, differ by this much."""
COMPARED_PX = 9
"""Window after which they are compared, px."""


def noise_report(frames: Iterable[object], config: PointmapConfig) -> tuple[str, str]:
    """Return what was measured in the first frames, and what to do when it was not expected.

    :param frames: frames of a depth camera in their order; anything else among them is skipped.
    :param config: its sensor is what is expected, unless that is ``auto``.
    :return: two sentences; the second is empty when nothing is to be done.
    """
    start = start_model(config, 'structured_light')
    noise = RangeNoise(start)
    for frame in islice((item for item in frames if isinstance(item, Frame)), FRAMES):
        noise.update(frame.depth_m, frame.camera.K)
    range_m, model = noise.range_m, noise.model
    if np.isnan(range_m):
        return f'no smooth surface seen to measure errors on; taken as "{start.name}"', ''
    spread_mm = 1e3 * float(model.axial_sigma(range_m))
    averaged = ' '.join(f'{spread_mm * model.left_after(k):.2f}' for k in WINDOWS_PX)
    name, apart = recognised(model, range_m)
    windows = ', '.join(map(str, WINDOWS_PX))
    text = (
        f'spread {spread_mm:.2f} mm at {range_m:.2f} m; averaged over {windows} px: {averaged} '
        f'mm; looks most like "{name}" ({apart:.0%} apart)'
    )
    spread = spread_mm / (1e3 * float(start.axial_sigma(range_m)))
    grain = model.left_after(COMPARED_PX) / start.left_after(COMPARED_PX)
    is_expected = max(spread, 1 / spread, grain, 1 / grain) < MOST_APART
    if config.sensor == 'auto' or is_expected:
        return text, ''
    return (
        f'{text}; "{start.name}" has {spread_mm / spread:.2f} mm, of which averaging over '
        f'{COMPARED_PX} px leaves {start.left_after(COMPARED_PX):.0%}, here {spread_mm:.2f} mm '
        f'and {model.left_after(COMPARED_PX):.0%}',
        f'Set pointmaps.sensor to the camera that it is (it looks like {name}), or to auto.',
    )
