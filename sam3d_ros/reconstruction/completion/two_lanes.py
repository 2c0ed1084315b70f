# SPDX-License-Identifier: Apache-2.0
"""Two workers, so that what takes a generator long keeps nobody waiting for a first shape."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future

from sam3d_ros.core.errors import BackendError, Sam3dError
from sam3d_ros.reconstruction.completion.completer import PREVIEW, Completed, Job
from sam3d_ros.reconstruction.completion.lane import CompletionWorker, Elsewhere
from sam3d_ros.reconstruction.config import ReconstructionConfig
from sam3d_ros.reconstruction.generators.config import GENERATORS


class TwoLanes:
    """One worker for generators, one for all else; see :class:`CompletionLane`.

    :param config: of the stage, which uses a generator.
    :param failed: called with what went wrong with a job that nobody waits for in person.
    :param elsewhere: asked first for what is slow, where there is one.
    :raises BackendError: when a worker cannot start or its backend not be loaded.
    """

    def __init__(
        self,
        config: ReconstructionConfig,
        failed: Callable[[Sam3dError], object],
        elsewhere: Elsewhere | None = None,
    ) -> None:
        quick = PREVIEW if config.completer in GENERATORS else config.completer
        self._quick = CompletionWorker(config, failed, backend=quick)
        try:
            self._slow = CompletionWorker(
                config, failed, elsewhere=elsewhere, backend=config.generator
            )
        except BackendError:
            self._quick.close()
            raise

    def ask(self, jobs: Sequence[Job]) -> None:
        """Have objects completed some time; a job that waits for the same object is replaced."""
        for lane in (self._quick, self._slow):
            lane.ask([job for job in jobs if self._of(job) is lane])

    def finished(self) -> list[Completed]:
        """Return what was finished since the last call; never waits."""
        return [*self._quick.finished(), *self._slow.finished()]

    def order(self, job: Job, *, patient: bool = False) -> Future[Completed]:
        """Have a job done for somebody who waits; see :meth:`CompletionLane.order`."""
        return self._of(job).order(job, patient=patient)

    def keep(self, track_ids: Collection[int]) -> None:
        """Forget the jobs of all objects but these; those that run are cancelled."""
        for lane in (self._quick, self._slow):
            lane.keep(track_ids)

    def wait_until_idle(self) -> None:
        """Wait until nothing is asked for any more."""
        for lane in (self._quick, self._slow):
            lane.wait_until_idle()

    def close(self) -> None:
        """End both workers, at once; who waits in person is told."""
        for lane in (self._quick, self._slow):
            lane.close()

    def _of(self, job: Job) -> CompletionWorker:
        return self._slow if job.backend in GENERATORS else self._quick


def make_lane(
    config: ReconstructionConfig,
    failed: Callable[[Sam3dError], object],
    elsewhere: Elsewhere | None = None,
) -> CompletionWorker | TwoLanes:
    """Return the lane beside the poses that a configuration needs.

    :param config: of the stage.
    :param failed: called with what went wrong with a job that nobody waits for in person.
    :param elsewhere: asked first, where there is one.
    """
    kind = TwoLanes if config.generator else CompletionWorker
    return kind(config, failed, elsewhere=elsewhere)
