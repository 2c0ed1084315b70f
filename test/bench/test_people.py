# SPDX-License-Identifier: Apache-2.0
"""The bench of people counts what it says: person-frames in sight, misses, strangers."""

from dataclasses import replace

import numpy as np

from sam3d_ros.bench.harness import BenchOptions
from sam3d_ros.bench.people import _follow, people_picture
from sam3d_ros.core.people import People
from sam3d_ros.people.config import PeopleConfig
from sam3d_ros.session.config import Config
from sam3d_ros.world.people.episodes import people_episode
from sam3d_ros.world.samples import samples


def test_misses_and_strangers_are_counted() -> None:
    episode = people_episode('standing', 1, 2, distance_m=2.2, size_px=(320, 240))
    found = _follow(episode, BenchOptions())
    assert found.counted == (0, 2) and found.extra == 0 and found.first_s == [0.0]
    nobody = Config(people=PeopleConfig(use='none'))
    assert _follow(episode, BenchOptions(config=nobody)).counted == (2, 2)
    elsewhere = replace(episode, joints_m=episode.joints_m + [0.0, 5.0, 0.0])
    assert _follow(elsewhere, BenchOptions()).extra == 2


def test_a_picture_without_anybody_is_the_frame() -> None:
    (sample,) = samples(people_episode('standing', 1, 1, size_px=(160, 120)).episode)
    frame = sample.frame()
    assert np.array_equal(people_picture(frame, People(0, 'world')), frame.rgb)
