# SPDX-License-Identifier: Apache-2.0
"""Learned completion: one pass of a 3D U-Net from the evidence to occupancy and distance.

The weights are this project's own (``models/volume.md``) and run through ONNX Runtime. Things
whose range was inferred, since they returned hardly any, have weights of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from sam3d_ros.core.errors import BackendError
from sam3d_ros.core.pretrained.inference import open_session
from sam3d_ros.core.pretrained.weights import find_weights, verified_file
from sam3d_ros.core.types import ByteArray, Float32Array
from sam3d_ros.reconstruction.completion.completion import Completion
from sam3d_ros.reconstruction.completion.volume_input import volume_input
from sam3d_ros.reconstruction.config import ReconstructionConfig
from sam3d_ros.reconstruction.evidence.evidence import Evidence

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

WEIGHTS, INFERRED = 'volume', 'volume-inferred'
"""What is used of things that were measured, and of those whose range was inferred."""
GRID = 48
"""Voxels along each side of the volumes that the weights were trained on."""
LARGEST_BATCH = 4
"""Objects per pass; larger ones gain no time on a CPU and cost memory."""


class VolumeCompletion:
    """Completion backend ``volume``; the weights are read at the first call."""

    def __init__(self, config: ReconstructionConfig) -> None:
        if config.evidence.grid != GRID:
            raise BackendError(
                f'evidence.grid is {config.evidence.grid}',
                wanted=f'{GRID}, the grid that the volume weights were trained on',
                remedy=f'Set reconstruction.evidence.grid to {GRID}, or choose geometric.',
            )
        self._hashes = {name: find_weights(name).sha256 for name in (WEIGHTS, INFERRED)}
        self._sessions: dict[str, InferenceSession] = {}
        self._device = config.device

    def complete(self, evidence: Sequence[Evidence]) -> Sequence[Completion]:
        """Return one completion for each object, probabilities calibrated on held-out objects.

        :raises BackendError: when the weights are missing or not the registered ones.
        """
        completions: dict[int, Completion] = {}
        for name in self._hashes:
            chosen = [
                k for k, item in enumerate(evidence) if item.is_inferred == (name == INFERRED)
            ]
            for start in range(0, len(chosen), LARGEST_BATCH):
                part = chosen[start : start + LARGEST_BATCH]
                channels = np.stack([volume_input(evidence[k]) for k in part])
                answers = run_network(self._session(name), channels)
                for k, probability, distance, features in zip(part, *answers, strict=True):
                    completions[k] = Completion(
                        distance * evidence[k].truncation_m,
                        probability,
                        WEIGHTS,
                        self._hashes[name],
                        features=None if evidence[k].is_inferred else features,
                    )
        return [completions[k] for k in range(len(evidence))]

    def _session(self, name: str) -> InferenceSession:
        if name not in self._sessions:
            self._sessions[name] = open_session(verified_file(name), device=self._device)
        return self._sessions[name]


def run_network(
    session: InferenceSession, channels: ByteArray
) -> tuple[Float32Array, Float32Array, Float32Array]:
    """Return the (B, N, N, N) probability and signed distance (in truncations) of a batch, and
    its (B, L, N/2, N/2, N/2) features.

    :param session: the network's.
    :param channels: (B, C, N, N, N) uint8, see :func:`volume_input`.
    """
    scaled = channels.astype(np.float32) / np.float32(255.0)
    probability, distance, features = session.run(
        ['probability', 'distance', 'features'], {'channels': scaled}
    )
    return probability, distance, features
