# SPDX-License-Identifier: Apache-2.0
"""Worlds played to a session, which of its objects is which, and counts of right answers."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sam3d_ros.bench.language.queries import PhraseCase
from sam3d_ros.session.config import Config
from sam3d_ros.session.result import FrameResult
from sam3d_ros.session.session import Session
from sam3d_ros.world.episode import Episode
from sam3d_ros.world.samples import Sample, samples


@dataclass(slots=True)
class Counts:
    """Objects returned rightly, wrongly and not at all, and phrases that mean nothing."""

    right: int = 0
    wrong: int = 0
    missed: int = 0
    absent: int = 0
    refused: int = 0

    def add(self, case: PhraseCase, answer: set[int | None]) -> None:
        """Count one answer.

        :param case: the phrase and its truth.
        :param answer: true objects that were returned, None = what is no object.
        """
        returned = {k for k in answer if k not in case.ignored}
        self.right += len(returned & case.meant)
        self.wrong += len(returned - case.meant)
        self.missed += len(case.meant - returned)
        if not case.meant and not case.ignored:
            self.absent += 1
            self.refused += not answer

    @property
    def f1(self) -> float:
        """F1 of the returned sets, over all phrases."""
        return 2 * self.right / max(1, 2 * self.right + self.wrong + self.missed)


def played(config: Config, episode: Episode) -> tuple[Sample, FrameResult]:
    """Return the last sample of an episode, and what a session knows after it.

    :param config: of the session, which looks for no people.
    :param episode: what it sees.
    """
    session = Session.from_config(replace(config, people=replace(config.people, use='none')))
    for sample in samples(episode):
        result = session.step(sample.frame())
    session.close()
    return sample, result


def matches(sample: Sample, result: FrameResult) -> dict[int, int | None]:
    """Return by id which true object each known object is at the last frame; None = none.

    :param sample: with the truth.
    :param result: what was made of it.
    """
    found: dict[int, int | None] = {item.id: None for item in result.scene.objects}
    for track in result.tracks.items:
        if track.instance >= 0 and track.id in found:
            mask = result.tracks.instances.items[track.instance].mask
            found[track.id] = sample.truth.object_of(mask)
    return found
