# SPDX-License-Identifier: Apache-2.0
"""report.json: how long each stage took, what was read and what could not be, what made it."""

from __future__ import annotations

import json
import resource
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from sam3d_ros.core.types import Provenance
from sam3d_ros.pipeline.frames import BadFrame
from sam3d_ros.pipeline.own_way import OwnWay
from sam3d_ros.pointmaps.pairing import Pairing
from sam3d_ros.session.result import FrameResult

FILE = 'report.json'


@dataclass(frozen=True, slots=True)
class CameraInputs:
    """What the frames of a camera were made from: topics by what they give, and pairs."""

    topics: Mapping[str, str]
    pairing: Pairing

    def tree(self) -> dict[str, Any]:
        """Return it as it stands in the report."""
        second = 'points' if 'points' in self.topics else 'depth'
        alone = {'rgb': self.pairing.alone_first, second: self.pairing.alone_second}
        return {
            'unmatched': alone,
            'repeated_stamps': self.pairing.repeated,
            'topics': dict(self.topics),
        }


@dataclass(slots=True)
class Report:
    """What is collected while a recording is processed.

    :param latencies_s: seconds by stage, one number a frame.
    :param bad: frames that could not be made or processed.
    :param refused: messages beside the frames that could not be used, a sentence for each.
    :param notes: what was assumed about the inputs or looks wrong, a sentence for each.
    :param made_by: who made the shapes.
    :param frames_of: how many frames were processed, by camera.
    :param recording: path of what was read, where viewers find the images.
    :param ways: of the cameras that own odometry follows.
    """

    latencies_s: dict[str, list[float]] = field(default_factory=dict)
    bad: list[BadFrame] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    made_by: set[Provenance] = field(default_factory=set)
    frames_of: Counter[str] = field(default_factory=Counter)
    recording: str = ''
    ways: dict[str, OwnWay] = field(default_factory=dict)

    @property
    def frames(self) -> int:
        """How many were processed, of all cameras."""
        return self.frames_of.total()

    def add(self, result: FrameResult, read_s: float, write_s: float) -> None:
        """Count a frame and how long it took to read, to process and to write.

        :param result: what the session made of the frame.
        :param read_s: time to read it.
        :param write_s: time to write the result.
        """
        self.frames_of[result.frame.camera_id] += 1
        if result.frame.pose_covariance is not None:
            self.ways.setdefault(result.frame.camera_id, OwnWay()).add(result.frame)
        times = {'pointmaps': read_s, **result.times.by_stage()}
        for stage, seconds in {**times, 'total': sum(times.values()), 'write': write_s}.items():
            self.latencies_s.setdefault(stage, []).append(seconds)
        self.made_by |= {item.provenance for item in result.reconstructions.items}

    def write(
        self,
        folder: Path,
        inputs: Mapping[str, CameraInputs],
        backends: Mapping[str, str],
        config: Mapping[str, Any],
    ) -> None:
        """Write ``folder/report.json``.

        :param folder: where.
        :param inputs: by camera; what was read of several is listed under their names.
        :param backends: who worked, by stage.
        :param config: every option with its value.
        """
        made_by = sorted(self.made_by, key=lambda item: (item.backend, item.weights_hash))
        # What own odometry did, of each camera that it followed, if it did.
        trees = {camera: way.tree() for camera, way in self.ways.items()}
        tree = {
            'recording': self.recording,
            'frames': self.frames,
            'dropped': 0,
            'bad_frames': [
                {
                    'stamp_ns': item.stamp_ns,
                    'reason': item.reason,
                    **({'camera': item.camera_id} if item.camera_id else {}),
                }
                for item in self.bad
            ],
            **self._cameras(inputs),
            **({'odometry': trees.get('', trees)} if trees else {}),
            'refused': self.refused,
            'notes': self.notes,
            'latency_ms': {stage: _summary(times) for stage, times in self.latencies_s.items()},
            'peak_memory_mb': peak_memory_mb(),
            'backends': {**backends, 'completion': sorted({item.backend for item in made_by})},
            'weights': {item.backend: item.weights_hash for item in made_by if item.weights_hash},
            'config': dict(config),
        }
        (folder / FILE).write_text(json.dumps(tree, indent=2) + '\n')

    def _cameras(self, inputs: Mapping[str, CameraInputs]) -> dict[str, Any]:
        if len(inputs) == 1:
            (only,) = inputs.values()
            return only.tree()
        trees = {
            camera: {'frames': self.frames_of[camera], **read.tree()}
            for camera, read in inputs.items()
        }
        return {'cameras': trees}


def _summary(times_s: Sequence[float]) -> dict[str, float]:
    p50, p95, largest = np.percentile(times_s, [50, 95, 100]) * 1e3
    return {'p50': round(p50, 2), 'p95': round(p95, 2), 'max': round(largest, 2)}


def peak_memory_mb() -> float:
    """Return the largest resident size of this process so far, MB."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6, 1)
