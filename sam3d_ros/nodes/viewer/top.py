# SPDX-License-Identifier: Apache-2.0
"""A running graph as a table in a terminal: rates, latencies, drops, objects, and why not."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import monotonic_ns
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.context import Context
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.serialization import deserialize_message
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from sam3d_ros.core.types import ObjectState
from sam3d_ros.messages.headers import nanoseconds
from sam3d_ros.messages.topics import DETECTIONS, OBJECTS, PEOPLE, Topic
from sam3d_ros.messages.types import import_message
from sam3d_ros.nodes.links import stamp_of
from sam3d_ros.nodes.processes import stop_on_signals
from sam3d_ros.ros.qos import profile
from sam3d_ros.ros.spinning import own_spun_node

WATCHED = (DETECTIONS, OBJECTS, PEOPLE)
LEVELS = {0: ('ok', 'green'), 1: ('warning', 'yellow'), 2: ('error', 'red'), 3: ('stale', 'red')}
WINDOW_NS = 5_000_000_000
"""Rates are those of so long."""
P50 = ' p50 ms'
"""How the names of medians end in what nodes say."""
SILENT_NS = 3_000_000_000
"""A node that has said nothing for so long is silent."""


@dataclass(slots=True)
class Heard:
    """What came on a topic lately.

    :param came_ns: when, by the steady clock.
    :param age_ns: how old the last message's stamp was by the node's clock.
    """

    came_ns: deque[int] = field(default_factory=lambda: deque(maxlen=500))
    age_ns: int = 0


class Monitor:
    """Listens to what the nodes of a graph say about themselves and what they publish.

    :param node: listens; spun by the caller.
    :param namespace: absolute, of the graph.
    """

    def __init__(self, node: Node, namespace: str) -> None:
        self._node = node
        self._namespace = namespace
        self._lock = threading.Lock()
        self._nodes: dict[str, tuple[int, Any]] = {}
        self._heard = {topic.name: Heard() for topic in WATCHED}
        self._objects: Sequence[Any] = ()
        node.create_subscription(DiagnosticArray, '/diagnostics', self.take_diagnostics, 50)
        for topic in WATCHED:
            self._listen(topic)

    def _listen(self, topic: Topic) -> None:
        kind = import_message(topic.type)

        def take(data: bytes) -> None:
            self.take_message(topic, stamp_of(data), self._node.get_clock().now().nanoseconds)
            if topic is OBJECTS:
                self.take_objects(deserialize_message(data, kind))

        name = topic.resolve(self._namespace)
        self._node.create_subscription(kind, name, take, profile(topic.quality), raw=True)

    def take_diagnostics(self, message: DiagnosticArray) -> None:
        """Keep what nodes of the graph say of themselves."""
        now_ns = monotonic_ns()
        with self._lock:
            for status in message.status:
                if status.name.startswith(self._namespace):
                    self._nodes[status.name] = (now_ns, status)

    def take_message(self, topic: Topic, stamp_ns: int, now_ns: int) -> None:
        """Count a message.

        :param topic: that it came on.
        :param stamp_ns: its own.
        :param now_ns: by the clock that stamps are of.
        """
        with self._lock:
            heard = self._heard[topic.name]
            heard.came_ns.append(monotonic_ns())
            heard.age_ns = now_ns - stamp_ns

    def take_objects(self, message: Any) -> None:
        """Keep the list of objects."""
        with self._lock:
            self._objects = message.objects

    def table(self) -> RenderableType:
        """Return everything as tables for a terminal."""
        now_ns = monotonic_ns()
        with self._lock:
            parts = [self._stages(now_ns), *self._ledger(), self._topics(now_ns), self._known()]
        return Group(*parts)

    def _stages(self, now_ns: int) -> RenderableType:
        if not self._nodes:
            return Text(f'no node of {self._namespace} says anything: is "sam3d up" running?')
        table = Table(title=f'nodes of {self._namespace}', expand=True)
        for name in ('node', 'state', 'Hz', 'p50 ms', 'p95 ms', 'dropped', 'why'):
            is_number = name in ('Hz', 'p50 ms', 'p95 ms', 'dropped')
            table.add_column(name, justify='right' if is_number else 'left')
        for name, (said_ns, status) in sorted(self._nodes.items()):
            values = {item.key: item.value for item in status.values}
            level = status.level if isinstance(status.level, int) else status.level[0]
            word, color = LEVELS.get(level, ('?', 'red'))
            if now_ns - said_ns > SILENT_NS:
                word, color = f'silent for {(now_ns - said_ns) * 1e-9:.0f} s', 'red'
            table.add_row(
                name.removeprefix(f'{self._namespace}/'),
                f'[{color}]{word}[/]',
                values.get('rate Hz', ''),
                values.get('stage p50 ms', ''),
                values.get('stage p95 ms', ''),
                values.get('inputs replaced by newer', ''),
                '' if status.message.endswith(' Hz') else Text(status.message),
            )
        return table

    def _ledger(self) -> list[RenderableType]:
        """Return what each part of a frame costs, in the order of the work; nothing before."""
        parts: dict[str, tuple[float, str]] = {}
        # Pointmap nodes come first on a frame's way, and name no parts.
        for name in sorted(self._nodes, key=lambda name: ('pointmap' not in name, name)):
            status = self._nodes[name][1]
            values = {item.key: item.value for item in status.values}
            medians = [key for key in values if key.endswith(P50)]
            for key in [key for key in medians if key != f'stage{P50}'] or medians:
                node = name.removeprefix(f'{self._namespace}/').partition(':')[0]
                part = key.removesuffix(P50)
                label = node if part == 'stage' else f'{node}: {part}'
                parts[label] = float(values[key]), values.get(f'{part} p95 ms', '')
        total_ms = sum(median for median, _ in parts.values())
        if not total_ms:
            return []
        table = Table(title='where the time of a frame goes', expand=True)
        for name in ('part', 'p50 ms', 'p95 ms', 'share'):
            table.add_column(name, justify='left' if name == 'part' else 'right')
        for part, (median, p95) in parts.items():
            table.add_row(part, f'{median:.1f}', p95, f'{100 * median / total_ms:.0f} %')
        return [table]

    def _topics(self, now_ns: int) -> RenderableType:
        table = Table(title='results', expand=True)
        for name in ('topic', 'Hz', 'age of the last, ms'):
            table.add_column(name, justify='left' if name == 'topic' else 'right')
        for name, heard in self._heard.items():
            recent = [at for at in heard.came_ns if now_ns - at < WINDOW_NS]
            rate = f'{len(recent) * 1e9 / WINDOW_NS:.1f}' if heard.came_ns else 'never'
            table.add_row(name, rate, f'{heard.age_ns * 1e-6:.0f}' if heard.came_ns else '')
        return table

    def _known(self) -> RenderableType:
        table = Table(title=f'{len(self._objects)} objects', expand=True)
        for name in ('id', 'name', 'state', 'why', 'seen', 'last seen, s'):
            table.add_column(name, justify='right' if name in ('id', 'seen') else 'left')
        for item in self._objects:
            ago_ns = nanoseconds(item.header.stamp) - nanoseconds(item.last_seen)
            table.add_row(
                item.id,
                Text(item.label or '-'),
                ObjectState(item.state).words,
                item.state_reason,
                f'{100 * item.observed_fraction:.0f} %',
                f'{ago_ns * 1e-9:.1f}',
            )
        return table


def watch(
    namespace: str, console: Console, *, sim_time: bool = False, once_s: float | None = None
) -> None:
    """Show a graph in a terminal until Ctrl-C or SIGTERM.

    :param namespace: absolute, of the graph.
    :param console: prints the tables.
    :param sim_time: whether ages are by ``/clock``.
    :param once_s: listen so long and print once; None = twice a second.
    """
    stop = stop_on_signals()
    clock = [Parameter('use_sim_time', value=True)] if sim_time else []

    def make(context: Context) -> Node:
        name = f'top_{monotonic_ns() % 100_000}'
        return Node(name, context=context, parameter_overrides=clock)

    with own_spun_node(make) as node:
        monitor = Monitor(node, namespace)
        if once_s is not None:
            stop.wait(once_s)
            console.print(monitor.table())
            return
        with Live(monitor.table(), console=console, screen=console.is_terminal) as shown:
            while not stop.wait(0.5):
                shown.update(monitor.table())
