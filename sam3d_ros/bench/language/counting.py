# SPDX-License-Identifier: Apache-2.0
"""Which known object is which true one, and counts of right and wrong answers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sam3d_ros.bench.language.queries import PhraseCase
from sam3d_ros.geometry.masks import mask_iou
from sam3d_ros.session.result import FrameResult
from sam3d_ros.world.samples import Sample

FOUND_IOU = 0.5


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


def matches(sample: Sample, result: FrameResult) -> dict[int, int | None]:
    """Return by id which true object each known object is at the last frame; None = none.

    :param sample: with the truth.
    :param result: what was made of it.
    """
    truth = {int(v): sample.truth.instances == v for v in np.unique(sample.truth.instances) if v}
    found: dict[int, int | None] = {item.id: None for item in result.scene.objects}
    for track in result.tracks.items:
        if track.instance >= 0 and track.id in found:
            mask = result.tracks.instances.items[track.instance].mask
            best = max(truth, key=lambda v: mask_iou(truth[v], mask), default=0)
            if best and mask_iou(truth[best], mask) >= FOUND_IOU:
                found[track.id] = best - 1
    return found
