# SPDX-License-Identifier: Apache-2.0
"""The adapter's side: one person in, an official body out, placed where depth shows the person.

The official camera translation is only as good as the height that it assumes, so the body is
moved onto the returns of the person: a translation by trimmed closest points.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from sam3d_ros.core.errors import BackendError
from sam3d_ros.core.types import BoolArray, ByteArray, Float32Array, FloatArray, IndexArray
from sam3d_ros.core.workers.process import WorkerProcess
from sam3d_ros.core.workers.protocol import Kind, Message
from sam3d_ros.people.sam3d_body.config import Sam3dBodyConfig

FIT_STEPS = 20
FIT_POINTS = 2000
TRIM = 0.8
"""Share of the returns that a fit listens to; the rest may be the background's."""


@dataclass(frozen=True, slots=True, eq=False)
class BodyRequest:
    """One person as the official interface wants it.

    :param image: (H, W, 3) uint8 RGB.
    :param box_px: (4,) left, top, right, bottom, about its landmarks.
    :param mask: (H, W) bool, its pixels.
    :param K: (3, 3) intrinsics, px.
    """

    image: ByteArray
    box_px: FloatArray
    mask: BoolArray
    K: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class OfficialBody:
    """One person as the official interface returns it, optical frame, metres.

    :param vertices_m: (V, 3) float32.
    :param faces: (F, 3) int32.
    :param keypoints_m: (70, 3) float32.
    :param mhr: (204,) float32 model parameters of MHR.
    :param shape: (45,) float32 of its identity.
    """

    vertices_m: Float32Array
    faces: IndexArray
    keypoints_m: Float32Array
    mhr: Float32Array
    shape: Float32Array


class OfficialBodyWorker:
    """The process of an installation; started when first needed, and again after it died.

    :param config: where the installation is.
    :raises BackendError: when the configuration does not say.
    """

    def __init__(self, config: Sam3dBodyConfig) -> None:
        missing = [n for n in ('repository', 'checkpoint', 'mhr') if not getattr(config, n)]
        if missing:
            raise BackendError(
                f'people.sam3d_body.python without {", ".join(missing)}',
                wanted='an official SAM 3D Body installation',
                remedy=f'Set people.sam3d_body.{missing[0]}.',
            )
        self._timeout_s = config.timeout_s
        self._process = WorkerProcess(
            'SAM 3D Body',
            lambda descriptor: [
                config.python,
                str(Path(__file__).with_name('worker.py')),
                f'--fd={descriptor}',
                f'--repository={config.repository}',
                f'--checkpoint={config.checkpoint}',
                f'--mhr={config.mhr}',
                f'--device={config.device}',
            ],
            start_timeout_s=config.timeout_s,
            remedies={
                'start': 'Set people.sam3d_body.python to that of the installation.',
                'answer': 'Raise people.sam3d_body.timeout_s, or look at its output.',
            },
        )

    def estimate(
        self, request: BodyRequest, cancelled: Callable[[], bool] = lambda: False
    ) -> OfficialBody:
        """Return the body of one person.

        :param request: the person.
        :param cancelled: whether nobody wants the body any more.
        :raises CancelledError: within half a second after ``cancelled()`` turned true.
        :raises BackendError: when the worker cannot start, fails, dies or exceeds its time.
        """
        arrays: dict[str, np.ndarray] = {
            'image': request.image,
            'box': request.box_px.reshape(1, 4).astype(np.float32),
            'mask': request.mask[None],
            'K': request.K[None],
        }
        answer = self._process.ask(Message(Kind.WORK, {}, arrays), self._timeout_s, cancelled)
        found = answer.arrays
        translation = found['translation'].reshape(1, 3)
        return OfficialBody(
            found['vertices'] + translation,
            found['faces'],
            found['keypoints'] + translation,
            found['mhr'].reshape(-1),
            found['shape'].reshape(-1),
        )

    def close(self) -> None:
        """End the worker; a later request starts a new one."""
        self._process.close()


def offset_to_returns(vertices_m: Float32Array, returns_m: FloatArray) -> FloatArray:
    """Return the (3,) translation that moves a body onto what was seen of it, metres.

    :param vertices_m: (V, 3) of the body, optical frame.
    :param returns_m: (N, 3) of the person, optical frame; fewer than 50 move nothing.
    """
    if len(returns_m) < 50:
        return np.zeros(3)
    returns = returns_m[:: max(1, len(returns_m) // FIT_POINTS)]
    body = vertices_m[:: max(1, len(vertices_m) // FIT_POINTS)].astype(np.float64)
    # First as a whole: nearest points alone would keep a far body far.
    offset = np.median(returns, axis=0) - np.median(_front(body), axis=0)
    for _ in range(FIT_STEPS):
        apart, nearest = cKDTree(body + offset).query(returns)
        near = apart <= np.quantile(apart, TRIM)
        step = (returns[near] - body[nearest[near]] - offset).mean(axis=0)
        offset = offset + step
        if np.abs(step).max() < 1e-4:
            break
    return offset


def _front(body: FloatArray) -> FloatArray:
    """Return the nearer half of a body's vertices."""
    return body[body[:, 2] <= np.median(body[:, 2])]
