# SPDX-License-Identifier: Apache-2.0
"""What every stage node is: a lifecycle node around one worker thread.

Configure loads, activate subscribes, deactivate frees; with ``autostart`` both happen at once.
Callbacks only put data into the worker, which keeps the newest. What a stage raises becomes an
ERROR line and a diagnostic: the node lives on, and so does what it knows.
"""

from __future__ import annotations

import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from time import perf_counter
from typing import Any, TypeVar

from rcl_interfaces.msg import SetParametersResult
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter
from rclpy.publisher import Publisher

from sam3d_ros.core.errors import BackendError, Sam3dError
from sam3d_ros.messages.topics import Topic
from sam3d_ros.messages.types import import_message
from sam3d_ros.nodes.bus import Bus
from sam3d_ros.nodes.config import NodeConfig
from sam3d_ros.nodes.join import StampJoin
from sam3d_ros.nodes.links import Arrival, Link, Sender, receive
from sam3d_ros.nodes.requests import answering, call
from sam3d_ros.nodes.worker import Worker
from sam3d_ros.ros.diagnostics import Diagnostics, Health, Status
from sam3d_ros.ros.parameters import Parameters
from sam3d_ros.ros.qos import profile

Result = TypeVar('Result')

ALL_GROUPS = (
    'pointmaps',
    'segmentation',
    'tracking',
    'reconstruction',
    'scene',
    'outputs',
    'inputs',
    'prompts',
    'tf',
    'replay',
)
"""Prefixes that one parameter file for the whole graph may hold."""

REPEAT_S = 5.0
"""How long the same failure is not logged again."""

REQUEST_TIMEOUT_S = 10.0
"""How long a service waits for the worker to finish the frame it is at."""


class StageNode(LifecycleNode, ABC):
    """Base of the stage nodes; see the module's docstring.

    A stage implements :meth:`build`, :meth:`connect`, :meth:`process` and :meth:`forget`.

    :param groups: configuration dataclasses by parameter prefix.
    :param live: prefixes of the groups that a running node takes new values of.
    :param bus: where stage data goes inside one process; None = DDS only.
    """

    def __init__(
        self,
        name: str,
        groups: Mapping[str, type],
        bus: Bus | None = None,
        live: Sequence[str] = (),
        **arguments: Any,
    ) -> None:
        super().__init__(name, **arguments)
        self.bus = bus
        self.health = Health()
        self._groups = {'node': NodeConfig, **groups}
        self._live = tuple(f'{prefix}.' for prefix in live)
        self._options = Parameters(self, self._groups, ALL_GROUPS)
        self.add_on_set_parameters_callback(self._refuse_fixed)
        self.add_post_set_parameters_callback(lambda _: self.tell_worker(self.reconfigure))
        # Services and actions wait for the worker, so they must not hold up the topics.
        self.requests = ReentrantCallbackGroup()
        self._worker: Worker[tuple[int, Any]] | None = None
        self._publishers_made: list[Publisher] = []
        self._closers: list[Callable[[], None]] = []
        self._last_stamp_ns: int | None = None
        self._last_failure = '', 0.0

    # What a stage provides

    @abstractmethod
    def build(self) -> None:
        """Make the stage and the publishers (configure)."""

    @abstractmethod
    def connect(self) -> None:
        """Subscribe and offer services; hand what ends that to :meth:`on_close` (activate)."""

    @abstractmethod
    def process(self, item: Any) -> None:
        """Work on one input and publish what comes of it; in the worker thread."""

    @abstractmethod
    def forget(self) -> None:
        """Forget what was learnt from earlier frames, since stamps went back; in the worker."""

    def reconfigure(self) -> None:
        """Take new values of the options that may change while running; in the worker thread."""

    # What a stage uses

    def config(self, prefix: str) -> Any:
        """Return the configuration dataclass of a group of parameters, as it is now."""
        return self._options.read(prefix, self._groups[prefix])

    def publish_topic(self, topic: Topic) -> Publisher:
        """Return a publisher for one of the graph's topics."""
        publisher = self.create_publisher(
            import_message(topic.type), topic.name, profile(topic.quality)
        )
        self._publishers_made.append(publisher)
        return publisher

    def publish_link(self, link: Link[Result]) -> Sender[Result]:
        """Return the sending end of a link."""
        return Sender(self.publish_topic(link.topic), link, self.bus)

    def follow(self, *links: Link[Any]) -> None:
        """Work on what arrives on links, joined by stamp: a tuple of arrivals, one a link."""
        join = StampJoin([link.topic.name for link in links], self.config('node').link_depth)

        def listener(link: Link[Any]) -> Callable[[Arrival[Any]], None]:
            def on_arrival(arrival: Arrival[Any]) -> None:
                parts = join.add(link.topic.name, arrival.stamp_ns, arrival)
                if parts is not None:
                    self.offer(arrival.stamp_ns, parts)

            return on_arrival

        for link in links:
            self.on_close(receive(self, link, self.bus, listener(link)))

    def listen(self, kind: type, name: str, callback: Callable[[Any], None]) -> None:
        """Call ``callback`` with the messages of a reliable topic while the node is active."""
        subscription = self.create_subscription(kind, name, callback, 10)
        self.on_close(lambda: _discard(self.destroy_subscription(subscription)))

    def serve(self, kind: type, name: str, handle: Callable[[Any, Any], str]) -> None:
        """Offer a service while the node is active; see :func:`requests.answering`."""
        callback = answering(handle, self.get_logger().error)
        service = self.create_service(kind, name, callback, callback_group=self.requests)
        self.on_close(lambda: _discard(self.destroy_service(service)))

    def client(self, kind: type, name: str) -> Callable[[Any], Any]:
        """Return a call of another node's service that raises NotReadyError when that fails."""
        client = self.create_client(kind, name, callback_group=self.requests)
        self.on_close(lambda: _discard(self.destroy_client(client)))
        return lambda request: call(client, request)

    def every(self, period_s: float, callback: Callable[[], None]) -> None:
        """Call ``callback`` regularly, by the wall clock, while the node is active."""
        clock = Clock(clock_type=ClockType.STEADY_TIME)
        timer = self.create_timer(period_s, callback, clock=clock)
        self.on_close(lambda: _discard(self.destroy_timer(timer)))

    def tell_worker(self, function: Callable[[], None]) -> None:
        """Run ``function`` in the worker, between two frames, without waiting for it."""
        if self._worker is not None:
            self._worker.call(function)

    def offer(self, stamp_ns: int, item: Any) -> None:
        """Leave an input to the worker; it replaces one that still waits."""
        if self._worker is not None:
            self._worker.offer((stamp_ns, item))

    def on_close(self, close: Callable[[], None]) -> None:
        """Have ``close`` called when the node is deactivated."""
        self._closers.append(close)

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

    # Lifecycle

    def start(self) -> bool:
        """Configure and activate when ``node.autostart`` says so; False when that failed."""
        if not self.config('node').autostart:
            return True
        success = TransitionCallbackReturn.SUCCESS
        return self.trigger_configure() == success and self.trigger_activate() == success

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Build the stage; FAILURE and an ERROR line when that cannot be done."""
        return self._guarded('configure', self._configure)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Subscribe."""
        return self._guarded('activate', self._connect)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Unsubscribe and drop the input that waits."""
        return self._guarded('deactivate', self._disconnect)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """End the worker and let the stage go."""
        return self._guarded('clean up', self._close)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free everything."""
        return self._guarded('shut down', self._close)

    def destroy_node(self) -> None:
        """Free everything, whatever state the node is in."""
        self._close()
        super().destroy_node()

    def _refuse_fixed(self, parameters: Sequence[Parameter]) -> SetParametersResult:
        """Reject new values of options that the stage was made with."""
        for parameter in parameters:
            group = parameter.name.partition('.')[0]
            if group in self._groups and not parameter.name.startswith(self._live):
                reason = f'{parameter.name} takes a new value only at start'
                return SetParametersResult(successful=False, reason=reason)
        return SetParametersResult(successful=True)

    def _configure(self) -> None:
        self.build()
        self._worker = Worker(self._work, self._failed, f'{self.get_name()} worker')

    def _connect(self) -> None:
        self.connect()
        self.on_close(Diagnostics(self, [self._status]).close)

    def _status(self) -> Status:
        return self.health.status('stage', self._worker.dropped if self._worker else 0)

    def _disconnect(self) -> None:
        while self._closers:
            self._closers.pop()()
        if self._worker is not None:
            self._worker.flush()

    def _close(self) -> None:
        self._disconnect()
        if self._worker is not None and not self._worker.stop():
            self.get_logger().warning('the worker is still busy and is left behind')
        self._worker = None
        while self._publishers_made:
            self.destroy_publisher(self._publishers_made.pop())

    def _work(self, offered: tuple[int, Any]) -> None:
        """Process one input; forget the past first when its stamp lies in the past."""
        stamp_ns, item = offered
        if self._last_stamp_ns is not None and stamp_ns <= self._last_stamp_ns:
            if stamp_ns == self._last_stamp_ns:
                return
            self.get_logger().warning(
                f'stamps went back by {(self._last_stamp_ns - stamp_ns) * 1e-9:.3f} s: '
                'tracks start anew'
            )
            self.forget()
        self._last_stamp_ns = stamp_ns
        begin = perf_counter()
        self.process(item)
        self.health.done(perf_counter() - begin)

    def _failed(self, error: Exception) -> None:
        """Report what the stage raised; the next frame gets a new chance."""
        if isinstance(error, Sam3dError):
            text = str(error)
        else:
            text = ''.join(traceback.format_exception(error))
        said, since = self._last_failure
        if text != said or perf_counter() - since > REPEAT_S:
            self._last_failure = text, perf_counter()
            self.get_logger().error(text)

    def _guarded(self, what: str, step: Callable[[], None]) -> TransitionCallbackReturn:
        """Run a lifecycle step; rclpy would swallow what it raises."""
        try:
            step()
        except Sam3dError as error:
            self.get_logger().error(f'cannot {what}: {error}')
            return TransitionCallbackReturn.FAILURE
        except Exception:
            self.get_logger().error(f'cannot {what}:\n{traceback.format_exc()}')
            return TransitionCallbackReturn.FAILURE
        return TransitionCallbackReturn.SUCCESS


def _discard(result: bool) -> None:
    """Make a closer of a call that returns something."""
