# SPDX-License-Identifier: Apache-2.0
"""The adapter's side of an official installation: objects in, results out, by its own process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sam3d_ros.core.types import BoolArray, ByteArray, Float32Array, FloatArray, IndexArray
from sam3d_ros.core.workers.process import WorkerProcess
from sam3d_ros.core.workers.protocol import Kind, Message
from sam3d_ros.reconstruction.sam3d_objects.config import Sam3dObjectsConfig


@dataclass(frozen=True, slots=True, eq=False)
class OfficialRequest:
    """One object as the official interface wants it.

    :param image: (H, W, 3) uint8 RGB.
    :param mask: (H, W) bool.
    :param pointmap: (H, W, 3) float32 in the official camera, metres, NaN = none.
    """

    image: ByteArray
    mask: BoolArray
    pointmap: Float32Array


@dataclass(frozen=True, slots=True, eq=False)
class OfficialResult:
    """One object as the official interface returns it; see ``worker.read_output``."""

    rotation_wxyz: FloatArray
    translation: FloatArray
    scale: FloatArray
    vertices: Float32Array
    faces: IndexArray
    colors: ByteArray


class OfficialWorker:
    """The process of an installation; started when first needed, and again after it died."""

    def __init__(self, config: Sam3dObjectsConfig) -> None:
        self._config = config
        self._process = WorkerProcess(
            'SAM 3D Objects',
            lambda descriptor: [
                config.python,
                str(Path(__file__).with_name('worker.py')),
                f'--fd={descriptor}',
                f'--notebook={config.notebook}',
                f'--config={config.pipeline}',
            ],
            start_timeout_s=config.timeout_s,
            remedies={
                'start': 'Set reconstruction.sam3d_objects.python to that of the installation.',
                'answer': 'Raise reconstruction.sam3d_objects.timeout_s, or look at its output.',
            },
        )

    @property
    def pid(self) -> int | None:
        """The process id, None while there is no process."""
        return self._process.pid

    def reconstruct(
        self,
        requests: Sequence[OfficialRequest],
        seed: int,
        cancelled: Callable[[], bool],
    ) -> list[OfficialResult]:
        """Return one result for each request.

        :param requests: the objects, all in one batch.
        :param seed: of the generation.
        :param cancelled: whether nobody wants the results any more.
        :raises CancelledError: within half a second after ``cancelled()`` turned true.
        :raises BackendError: when the worker cannot start, fails, dies or exceeds its time.
        """
        arrays: dict[str, np.ndarray] = {}
        for index, request in enumerate(requests):
            arrays[f'image_{index}'] = request.image
            arrays[f'mask_{index}'] = request.mask
            arrays[f'pointmap_{index}'] = request.pointmap
        message = Message(Kind.WORK, {'count': len(requests), 'seed': seed}, arrays)
        answer = self._process.ask(message, self._config.timeout_s * len(requests), cancelled)
        if self._config.memory == 'on_demand':
            self._process.ask(Message(Kind.UNLOAD), self._config.timeout_s, cancelled)
        names = ('rotation', 'translation', 'scale', 'vertices', 'faces', 'colors')
        return [
            OfficialResult(*(answer.arrays[f'{name}_{index}'] for name in names))
            for index in range(len(requests))
        ]

    def close(self) -> None:
        """End the worker; a later request starts a new one."""
        self._process.close()
