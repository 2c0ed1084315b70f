# SPDX-License-Identifier: Apache-2.0
"""What a session makes of one frame."""

from __future__ import annotations

from dataclasses import dataclass, fields

from sam3d_ros.core.people import People
from sam3d_ros.core.types import Frame, Reconstructions, Scene, Tracks

NOBODY = People(0, '')


@dataclass(frozen=True, slots=True)
class StageTimes:
    """How long each stage took for one frame, seconds."""

    segmentation_s: float
    people_s: float
    tracking_s: float
    reconstruction_s: float
    scene_s: float

    def by_stage(self) -> dict[str, float]:
        """Return the seconds by the stage's name, in the order of the stages."""
        return {
            item.name.removesuffix('_s'): float(getattr(self, item.name)) for item in fields(self)
        }


@dataclass(frozen=True, slots=True, eq=False)
class FrameResult:
    """What every stage made of one frame.

    :param frame: the observation.
    :param tracks: all living tracks after it, with the instances seen in it.
    :param reconstructions: shape and layout of the tracks seen in it.
    :param scene: all objects known after it.
    :param times: what it cost.
    :param people: everybody in front of the cameras; perception, not a safety function.
    """

    frame: Frame
    tracks: Tracks
    reconstructions: Reconstructions
    scene: Scene
    times: StageTimes
    people: People = NOBODY
