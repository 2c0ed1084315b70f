# SPDX-License-Identifier: Apache-2.0
"""Made-up people, drawn small and once."""

from collections.abc import Callable
from functools import lru_cache

import pytest

from sam3d_ros.world.people.episodes import PeopleEpisode, people_episode
from sam3d_ros.world.samples import Sample, samples

Drawn = tuple[PeopleEpisode, tuple[Sample, ...]]


@lru_cache(maxsize=16)
def _drawn(activity: str, seed: int, frames: int, distance_m: float, people: int) -> Drawn:
    episode = people_episode(
        activity, seed, frames, distance_m=distance_m, people=people, size_px=(320, 240)
    )
    return episode, tuple(samples(episode.episode))


@pytest.fixture(scope='session')
def drawn() -> Callable[..., Drawn]:
    """Return an episode of people and its samples, 320 x 240 px."""

    def draw(
        activity: str, seed: int = 0, frames: int = 3, distance_m: float = 2.2, people: int = 1
    ) -> Drawn:
        return _drawn(activity, seed, frames, distance_m, people)

    return draw
