# SPDX-License-Identifier: Apache-2.0
"""From the kept views of objects to finished shapes: evidence, backend, surface, fallback."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from sam3d_ros.core.errors import BackendError, Sam3dError
from sam3d_ros.core.registry import make_backend
from sam3d_ros.core.types import FloatArray
from sam3d_ros.reconstruction.answers import agreement
from sam3d_ros.reconstruction.completion.completion import CompletionBackend
from sam3d_ros.reconstruction.config import ReconstructionConfig
from sam3d_ros.reconstruction.evidence.evidence import Evidence, build_evidence
from sam3d_ros.reconstruction.generators.config import GENERATORS
from sam3d_ros.reconstruction.refinement.refiner import Refiner
from sam3d_ros.reconstruction.shape import Shape, build_shape
from sam3d_ros.reconstruction.views import View

STAND_IN = 'geometric'
"""Who completes what another backend's result fails the evidence of."""
PREVIEW = 'volume'
"""Who completes what a generator has not answered yet, or fails the evidence of."""


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """An object that wants a shape.

    :param track_id: the object.
    :param views: what was seen of it, all with the same ref; the first gives the volume its axes.
    :param backend: who completes it.
    :param is_first: it has no shape at all yet.
    :param T_ref_obj: (4, 4) float64 from the object frame to the views' ref.
    """

    track_id: int
    views: tuple[View, ...]
    backend: str
    is_first: bool = False
    T_ref_obj: FloatArray = field(default_factory=lambda: np.eye(4))


@dataclass(frozen=True, slots=True, eq=False)
class Completed:
    """What came of a job.

    :param track_id: the object.
    :param shape: in the views' ref; None when no backend made a surface, or the job failed.
    :param backends: what was tried, in order; the last one made the shape.
    """

    track_id: int
    shape: Shape | None = None
    backends: tuple[str, ...] = ()


class Completer:
    """Completes objects in this thread; a backend is loaded when it is first asked for."""

    def __init__(self, config: ReconstructionConfig) -> None:
        self._config = config
        self._backends: dict[str, CompletionBackend] = {}
        self._refiner = Refiner(config) if config.refine else None

    def load(self, name: str) -> CompletionBackend:
        """Return a backend, loaded.

        :param name: its entry point in the group ``sam3d_ros.reconstruction``.
        :raises BackendError: when there is no such backend or it cannot be loaded.
        """
        if name not in self._backends:
            self._backends[name] = make_backend('reconstruction', name, self._config)
        return self._backends[name]

    def cancel(self) -> None:
        """Tell the backends, from another thread, that nobody wants their answers any more."""
        for backend in list(self._backends.values()):
            getattr(backend, 'cancel', lambda: None)()

    def close(self) -> None:
        """End what the backends have started."""
        for backend in self._backends.values():
            getattr(backend, 'close', lambda: None)()

    def complete(self, jobs: Sequence[Job]) -> list[Completed]:
        """Return what comes of the jobs, those of one backend in one batch.

        A shape that fails the evidence is made again by the stand-in; the better one is taken.

        :param jobs: in any order, each object once.
        :raises BackendError: when a backend cannot be loaded or fails.
        """
        completed: list[Completed] = []
        for backend in dict.fromkeys(job.backend for job in jobs):
            completed += self._complete([job for job in jobs if job.backend == backend], backend)
        return completed

    def _complete(self, jobs: list[Job], backend: str) -> list[Completed]:
        evidence = {job.track_id: build_evidence(job.views, self._config.evidence) for job in jobs}
        best: dict[int, Shape] = {}
        tried: dict[int, tuple[str, ...]] = {job.track_id: () for job in jobs}
        open_ids = list(tried)
        previewed = (PREVIEW,) if backend in GENERATORS else ()
        for name in dict.fromkeys((backend, *previewed, STAND_IN)):
            shapes = self._shapes(self.load(name), [evidence[track] for track in open_ids])
            for track, shape in zip(open_ids, shapes, strict=True):
                tried[track] += (name,)
                known = best.get(track)
                better = known is not None and agreement(shape.score) > agreement(known.score)
                if known is None or self._passes(shape) or better:
                    best[track] = shape
            open_ids = [track for track in open_ids if not self._passes(best[track])]
            if not open_ids:
                break
        return [_completed(track, best[track], tried[track]) for track in tried]

    def _shapes(self, backend: CompletionBackend, evidence: list[Evidence]) -> list[Shape]:
        try:
            completions = backend.complete(evidence)
        except Sam3dError:
            raise
        except Exception as error:  # a backend may be anybody's code
            name = type(backend).__name__
            raise BackendError(f'{name} failed: {type(error).__name__}: {error}') from error
        return [
            build_shape(
                item, completion, self._config.max_faces, self._config.answers, self._refiner
            )
            for item, completion in zip(evidence, completions, strict=True)
        ]

    def _passes(self, shape: Shape) -> bool:
        return (
            len(shape.mesh.faces) > 0
            and min(shape.score.observed_inliers, shape.own_inliers) >= self._config.min_inliers
            and shape.score.free_volume <= self._config.max_free_volume
        )


def _completed(track_id: int, shape: Shape, tried: tuple[str, ...]) -> Completed:
    if not len(shape.mesh.faces):
        return Completed(track_id, None, tried)
    maker = shape.provenance.backend
    return Completed(track_id, shape, (*(name for name in tried if name != maker), maker))
