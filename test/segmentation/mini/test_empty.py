# SPDX-License-Identifier: Apache-2.0
"""Where nothing is, next to nothing is listed: tables, floors, shelves and bins, by every sensor.

What is listed is furniture cut by the picture's edge, a shelf's board, or a gripper's fingers.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from sam3d_ros.core.registry import load_backend
from sam3d_ros.core.types import Frame
from sam3d_ros.geometry.cameras import pointmap_from_depth
from sam3d_ros.segmentation.config import SegmentationConfig
from sam3d_ros.world.rendering.sensors import depth_sensor
from sam3d_ros.world.samples import samples
from sam3d_ros.world.suites import make_episode

EMPTY = ('empty_table', 'empty_floor', 'empty_shelf', 'empty_bin')
SENSORS = ('white', 'structured_light', 'active_stereo', 'tof', 'sr300')
FIRST_SEED = 5_000_000


def empty_frames(worlds: int) -> Iterator[Frame]:
    """Every sensor's view of the same worlds, which are drawn once.

    What stands about in the rooms (toys, balls, vases on the floor) is taken out: within reach
    they are things like any other.
    """
    for number in range(worlds):
        suite = EMPTY[number % len(EMPTY)]
        ideal = depth_sensor('ideal')
        episode = make_episode(suite, FIRST_SEED + number, frames=1, sensor=ideal)
        bare = [part for part in episode.surroundings if part.family == 'surroundings']
        episode = replace(episode, surroundings=tuple(bare))
        sample = next(samples(episode))
        frame = sample.frame()
        for k, name in enumerate(SENSORS):
            sensor = depth_sensor(name)
            rng = np.random.default_rng([number, k])
            depth_m = sensor.measure(sample.rendering, sample.camera, rng)
            yield replace(
                frame,
                pointmap=pointmap_from_depth(depth_m, sample.camera),
                sensor=sensor.model,
                up_cam=frame.up_cam if number % 2 else None,
            )


def listed(worlds: int) -> int:
    """Objects that the default backend lists in empty worlds, all sensors together."""
    segmenter = load_backend('segmentation', 'mini')(SegmentationConfig())
    return sum(len(segmenter.segment(frame).items) for frame in empty_frames(worlds))


def test_next_to_nothing_is_listed_in_a_few_empty_worlds():
    assert listed(12) <= 0.1 * 12 * len(SENSORS)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_next_to_nothing_is_listed_in_a_hundred_empty_worlds():
    assert listed(100) <= 0.09 * 100 * len(SENSORS)
