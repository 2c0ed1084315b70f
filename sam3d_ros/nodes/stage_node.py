# SPDX-License-Identifier: Apache-2.0
"""What every stage node is: a managed node around one worker thread.

Callbacks only put data into the worker, which keeps the newest. What a stage raises becomes an
ERROR line and a diagnostic: the node lives on, and so does what it knows.
"""

from __future__ import annotations

import traceback
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from time import perf_counter
from typing import Any, TypeVar

from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn

from sam3d_ros.core.errors import BackendError, Sam3dError
from sam3d_ros.nodes.bus import Bus
from sam3d_ros.nodes.links import Link, Sender
from sam3d_ros.nodes.managed_node import ManagedNode
from sam3d_ros.nodes.worker import Worker
from sam3d_ros.ros.diagnostics import Diagnostics, Health, Status

Result = TypeVar('Result')

REPEAT_S = 5.0
"""How long the same failure is not logged again."""

REQUEST_TIMEOUT_S = 10.0
"""How long a service waits for the worker to finish the frame it is at."""


class StageNode(ManagedNode):
    """Base of the stage nodes; see the module's docstring.

    A stage implements ``build`` and ``connect`` and :meth:`process`.

    :param name: of the node.
    :param groups: configuration dataclasses by parameter prefix.
    :param bus: where stage data goes inside one process; None = DDS only.
    :param live: prefixes of the groups that a running node takes new values of.
    """

    def __init__(
        self,
        name: str,
        groups: Mapping[str, type],
        bus: Bus | None = None,
        live: Sequence[str] = (),
        **arguments: Any,
    ) -> None:
        super().__init__(name, groups, live, **arguments)
        self.bus = bus
        self.health = Health()
        self._last_failure = '', 0.0
        self._worker: Worker[Any] | None = None
        self.add_post_set_parameters_callback(lambda _: self.tell_worker(self.reconfigure))

    @abstractmethod
    def process(self, item: Any) -> None:
        """Work on one input and publish what comes of it; in the worker thread."""

    @property
    def is_configured(self) -> bool:
        """Whether the stage was built and its worker runs."""
        return self._worker is not None

    def reconfigure(self) -> None:
        """Take new values of the options that may change while running; in the worker thread."""

    def publish_link(self, link: Link[Result]) -> Sender[Result]:
        """Return the sending end of a link."""
        return Sender(self.publish_topic(link.topic), link, self.bus)

    def offer(self, item: Any, *, is_late: bool = False, source: str = '') -> None:
        """Leave an input to the worker; it replaces one of the same source that still waits.

        :param item: the input.
        :param is_late: it is one of a series that came late together: none replaces another.
        :param source: where it is from, e.g. a camera.
        """
        if self._worker is not None:
            self._worker.offer(item, is_late=is_late, source=source)

    def when_asked(self, make: Callable[[], Result]) -> Callable[[], Result | None]:
        """Return what has the worker make something, once, when it is first called.

        :param make: what it raises is told as a failure of this node; callers get None then.
        """
        made: list[Result | None] = []

        def work() -> Result | None:
            if not made:
                made.append(None)
                begin = perf_counter()
                try:
                    made[0] = make()
                    self.health.done(perf_counter() - begin)
                except Exception as error:
                    self._failed(error)
            return made[0]

        return lambda: self.ask_worker(work)

    def tell_worker(self, function: Callable[[], None]) -> None:
        """Run ``function`` in the worker, between two frames, without waiting for it."""
        if self._worker is not None:
            self._worker.tell(function)

    def call_worker(self, function: Callable[[], Result]) -> Future[Result]:
        """Run ``function`` in the worker, between two frames; its outcome is in the future.

        :raises BackendError: when the node is not configured.
        """
        if self._worker is None:
            raise BackendError(f'{self.get_name()} is not configured')
        return self._worker.call(function)

    def ask_worker(self, function: Callable[[], Result]) -> Result:
        """Run ``function`` in the worker, between two frames, and return its result.

        :raises BackendError: when the worker is too busy or the node is shutting down.
        """
        try:
            return self.call_worker(function).result(REQUEST_TIMEOUT_S)
        except (FutureTimeoutError, CancelledError) as error:
            raise BackendError(
                f'{self.get_name()} did not come to the request', remedy='Ask again.'
            ) from error

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Build the stage and start its worker."""
        result = super().on_configure(state)
        if result == TransitionCallbackReturn.SUCCESS:
            self._worker = Worker(self._work, self._failed, f'{self.get_name()} worker')
        return result

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Connect, and tell the node's health."""
        result = super().on_activate(state)
        if result == TransitionCallbackReturn.SUCCESS:
            self.on_close(Diagnostics(self, [self._status]).close)
        return result

    def disconnect(self) -> None:
        """Unsubscribe and drop the input that waits."""
        super().disconnect()
        if self._worker is not None:
            self._worker.flush()

    def release(self) -> None:
        """End the worker."""
        if self._worker is not None and not self._worker.stop():
            self.get_logger().warning('the worker is still busy and is left behind')
        self._worker = None

    def _status(self) -> Status:
        return self.health.status('stage', self._worker.dropped if self._worker else 0)

    def _work(self, item: Any) -> None:
        begin = perf_counter()
        self.process(item)
        self.health.done(perf_counter() - begin)

    def _failed(self, error: Exception) -> None:
        """Report what the stage raised; the next frame gets a new chance."""
        self.health.failed(str(error) or type(error).__name__)
        is_ours = isinstance(error, Sam3dError)
        text = str(error) if is_ours else ''.join(traceback.format_exception(error))
        said, since = self._last_failure
        if text != said or perf_counter() - since > REPEAT_S:
            self._last_failure = text, perf_counter()
            self.get_logger().error(text)
