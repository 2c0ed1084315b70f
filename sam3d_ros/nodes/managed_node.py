# SPDX-License-Identifier: Apache-2.0
"""What every node of the project is: a lifecycle node that can start itself.

Configure builds, activate connects, deactivate disconnects, clean up lets go; with
``node.autostart`` the first two happen at once. What cannot be configured or activated as things
are is refused with the reason and leaves nothing behind; any other failure is an error, after
which the node has let go of everything and may be configured again.
"""

from __future__ import annotations

import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from typing import Any

from rcl_interfaces.msg import SetParametersResult
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter
from rclpy.publisher import Publisher

from sam3d_ros.core.errors import NotReadyError, Sam3dError
from sam3d_ros.messages.topics import Topic
from sam3d_ros.messages.types import import_message
from sam3d_ros.nodes.config import NodeConfig
from sam3d_ros.nodes.requests import answer_from, answering
from sam3d_ros.ros.parameters import Parameters
from sam3d_ros.ros.qos import profile
from sam3d_ros.session.config import Config

ALL_GROUPS = (*(item.name for item in fields(Config)), 'inputs', 'replay')
"""Prefixes that one parameter file for the whole graph may hold."""

MOST_REQUESTS = 4
"""Requests that are served at a time; others wait for their turn."""


class ManagedNode(LifecycleNode, ABC):
    """Base of the nodes: parameters, lifecycle, and connections that end with it.

    :param name: of the node.
    :param groups: configuration dataclasses by parameter prefix.
    :param live: prefixes of the groups that a running node takes new values of.
    """

    def __init__(
        self, name: str, groups: Mapping[str, type], live: Sequence[str] = (), **arguments: Any
    ) -> None:
        super().__init__(name, **arguments)
        self._groups = {'node': NodeConfig, **groups}
        self._live = tuple(f'{prefix}.' for prefix in live)
        self._options = Parameters(self, self._groups, ALL_GROUPS)
        self.add_on_set_parameters_callback(self._refuse_fixed)
        # Services and actions wait for the worker, so they must not hold up the topics.
        self.requests = ThreadPoolExecutor(MOST_REQUESTS, f'{name} requests')
        self._publishers_made: list[Publisher] = []
        self._closers: list[Callable[[], None]] = []
        self._is_active = False
        # rclpy would raise where a state has no such way out, and never answer.
        self._change = self._service_change_state.callback
        self._service_change_state.callback = self._change_state

    @abstractmethod
    def build(self) -> None:
        """Make what the node works with, and its publishers (configure)."""

    @abstractmethod
    def connect(self) -> None:
        """Subscribe; hand what ends that to :meth:`on_close` (activate)."""

    def release(self) -> None:
        """Let go of what :meth:`build` made (clean up); publishers go by themselves."""

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

    def listen(self, kind: type, name: str, callback: Callable[[Any], None]) -> None:
        """Call ``callback`` with the messages of a reliable topic while the node is active.

        :param kind: class of the messages.
        :param name: of the topic, relative to the node's namespace.
        """
        subscription = self.create_subscription(kind, name, callback, 10)
        self.on_close(lambda: _discard(self.destroy_subscription(subscription)))

    def serve(self, kind: type, name: str, handle: Callable[[Any, Any], str]) -> None:
        """Offer a service for as long as the node lives; it says so while the node is not active.

        :param kind: type of the service.
        :param name: relative to the node's namespace.
        :param handle: see :func:`requests.answering`.
        """

        def guarded(request: Any, response: Any) -> str:
            if not self._is_active:
                raise NotReadyError(
                    f'{self.get_name()} is not active yet',
                    wanted='an active node',
                    remedy='Ask again when it has loaded its backends; without node.autostart it '
                    'waits to be configured and activated.',
                )
            return handle(request, response)

        callback = answering(guarded, self.get_logger().error)
        answer_from(self.requests, self.create_service(kind, name, callback))

    def every(self, period_s: float, callback: Callable[[], None]) -> None:
        """Call ``callback`` regularly, by the wall clock, while the node is active.

        :param period_s: from one call to the next.
        """
        clock = Clock(clock_type=ClockType.STEADY_TIME)
        timer = self.create_timer(period_s, callback, clock=clock)
        self.on_close(lambda: _discard(self.destroy_timer(timer)))

    def on_close(self, close: Callable[[], None]) -> None:
        """Have ``close`` called when the node is deactivated; the last one first."""
        self._closers.append(close)

    def start(self) -> bool:
        """Configure and activate when ``node.autostart`` says so; False when that failed."""
        if not self.config('node').autostart:
            return True
        success = TransitionCallbackReturn.SUCCESS
        return self.trigger_configure() == success and self.trigger_activate() == success

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Build; FAILURE and an ERROR line when that cannot be done."""
        return self._guarded('configure', self.build, self._free)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Connect; FAILURE and an ERROR line when that cannot be done."""
        result = self._guarded('activate', self.connect, self.disconnect)
        self._is_active = result == TransitionCallbackReturn.SUCCESS
        return result

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Disconnect."""
        return self._guarded('deactivate', self.disconnect)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Let go of everything."""
        return self._guarded('clean up', self._free)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Let go of everything."""
        return self._guarded('shut down', self._free)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Let go of everything after an error; SUCCESS when the node may be configured again."""
        return self._guarded('recover', self._free)

    def destroy_node(self) -> None:
        """Let go of everything, whatever state the node is in."""
        self._free()
        self.requests.shutdown(cancel_futures=True)
        super().destroy_node()

    def disconnect(self) -> None:
        """End what :meth:`connect` began."""
        self._is_active = False
        while self._closers:
            self._closers.pop()()

    def _change_state(self, request: Any, response: Any) -> Any:
        """Refuse a transition that the state does not have; let rclpy do the others."""
        asked = request.transition
        ways = {item[0]: item[1] for item in self._state_machine.available_transitions}
        if asked.label or asked.id in ways:
            return self._change(request, response)
        state = self._state_machine.current_state[1]
        self.get_logger().error(
            f'transition {asked.id} refused: the node is {state}; wanted one of '
            f'{", ".join(f"{key} ({label})" for key, label in ways.items())}'
        )
        response.success = False
        return response

    def _free(self) -> None:
        self.disconnect()
        self.release()
        while self._publishers_made:
            self.destroy_publisher(self._publishers_made.pop())

    def _guarded(
        self, what: str, step: Callable[[], None], undo: Callable[[], None] | None = None
    ) -> TransitionCallbackReturn:
        """Run a lifecycle step; rclpy would swallow what it raises.

        :param what: is done, for the log.
        :param step: does it.
        :param undo: takes back what a refused step has done; None = a step that fails is an error.
        """
        try:
            try:
                step()
            except Sam3dError as error:
                self.get_logger().error(f'cannot {what}: {error}')
                if undo is None:
                    return TransitionCallbackReturn.ERROR
                undo()
                return TransitionCallbackReturn.FAILURE
        except Exception:
            self.get_logger().error(f'cannot {what}:\n{traceback.format_exc()}')
            return TransitionCallbackReturn.ERROR
        return TransitionCallbackReturn.SUCCESS

    def _refuse_fixed(self, parameters: Sequence[Parameter]) -> SetParametersResult:
        """Reject new values of options that the node was made with."""
        for parameter in parameters:
            group = parameter.name.partition('.')[0]
            if group in self._groups and not parameter.name.startswith(self._live):
                reason = f'{parameter.name} takes a new value only at start'
                return SetParametersResult(successful=False, reason=reason)
        return SetParametersResult(successful=True)


def _discard(result: bool) -> None:
    """Make a closer of a call that returns something."""
