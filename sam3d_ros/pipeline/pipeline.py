# SPDX-License-Identifier: Apache-2.0
"""The stages in order: what the offline command calls for every frame of a recording."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from time import perf_counter

from sam3d_ros.core.interfaces import Reconstructor, SceneMemory, Segmenter, Tracker
from sam3d_ros.core.registry import load_backend
from sam3d_ros.core.types import Frame, Instances, Prompt, Reconstructions, Scene, Tracks
from sam3d_ros.pipeline.config import PipelineConfig
from sam3d_ros.reconstruction.reconstructor import ObjectReconstructor
from sam3d_ros.scene.memory import ObjectMemory


@dataclass(frozen=True, slots=True)
class StageTimes:
    """How long each stage took for one frame, seconds."""

    segmentation_s: float
    tracking_s: float
    reconstruction_s: float
    scene_s: float


@dataclass(frozen=True, slots=True, eq=False)
class FrameResult:
    """What every stage made of one frame."""

    frame: Frame
    instances: Instances
    tracks: Tracks
    reconstructions: Reconstructions
    scene: Scene
    times: StageTimes


@dataclass(slots=True, eq=False)
class Pipeline:
    """Segmentation, tracking, reconstruction and scene, each behind its interface."""

    segmenter: Segmenter
    tracker: Tracker
    reconstructor: Reconstructor
    memory: SceneMemory

    @classmethod
    def from_config(cls, config: PipelineConfig) -> Pipeline:
        """Return a pipeline of the configured backends.

        :raises BackendError: when a backend does not exist or cannot be loaded.
        """
        return cls(
            load_backend('segmentation', config.segmentation.backend)(config.segmentation),
            load_backend('tracking', config.tracking.backend)(config.tracking),
            ObjectReconstructor(config.reconstruction),
            ObjectMemory(config.scene),
        )

    def process(self, frame: Frame, prompts: Sequence[Prompt] = ()) -> FrameResult:
        """Run every stage on one frame; frames come in stamp order."""
        clock = [perf_counter()]
        instances = self.segmenter.segment(frame, prompts)
        clock.append(perf_counter())
        tracks = self.tracker.update(frame, instances)
        clock.append(perf_counter())
        reconstructions = self.reconstructor.reconstruct(frame, tracks)
        clock.append(perf_counter())
        scene = self.memory.update(frame, tracks, reconstructions)
        clock.append(perf_counter())
        times = StageTimes(*(after - before for before, after in pairwise(clock)))
        return FrameResult(frame, instances, tracks, reconstructions, scene, times)

    def textured(self, scene: Scene) -> Scene:
        """Return the scene of the last frame with textures on its meshes, as files want them."""
        objects = tuple(
            replace(item, mesh=self.reconstructor.textured(item.id, item.mesh))
            for item in scene.objects
        )
        return replace(scene, objects=objects)
