# SPDX-License-Identifier: Apache-2.0
"""What a viewer costs the graph: pairs of runs, without one and with one for eleven visitors.

Ten of the visitors read all that they are sent; one reads nothing.
"""

from __future__ import annotations

import socket
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from sam3d_ros.bench import latency
from sam3d_ros.bench.harness import BenchOptions, Measurement, Table, Value
from sam3d_ros.messages import topics
from sam3d_ros.world import recording

SUITE = 'spaced'
FRAMES, QUICK_FRAMES = 30, 12
PAIRS, QUICK_PAIRS = 3, 1
RATE = 3.0
"""Images of a world come ten times a second; played at this multiple of the bench's usual one."""
VISITORS = 10


@dataclass(frozen=True, slots=True)
class Cost:
    """One run.

    :param graph_cpu_s: CPU time of the graph for a frame.
    :param total_s: median time from image to TF.
    :param viewer_share: CPU of the viewer, share of a core; 0 without one.
    :param least_bytes: what the visitor who got least was sent; 0 without one.
    """

    graph_cpu_s: float
    total_s: float
    viewer_share: float = 0.0
    least_bytes: int = 0


def run(options: BenchOptions) -> Measurement:
    """Measure pairs of runs in turn, on freshly started graphs."""
    if find_spec('rclpy') is None or find_spec('viser') is None:
        return Measurement('viewer', {}, notes=('No ROS or no viser here: left out.',))
    frames = QUICK_FRAMES if options.quick else FRAMES
    with tempfile.TemporaryDirectory() as folder, latency.own_domain():
        world = Path(folder) / 'world'
        recording.write_episode(latency.world_of(SUITE, frames, options), world)
        pairs = [
            (_measure(world, options, viewed=False), _measure(world, options, viewed=True))
            for _ in range(QUICK_PAIRS if options.quick else PAIRS)
        ]
    cpu = float(np.median([after.graph_cpu_s / before.graph_cpu_s - 1 for before, after in pairs]))
    wait = float(np.median([after.total_s / before.total_s - 1 for before, after in pairs]))
    share = float(np.median([after.viewer_share for _, after in pairs]))
    values: dict[str, Value] = {
        'graph_cpu_more': cpu,
        'image_to_tf_more': wait,
        'viewer_share_of_a_core': share,
        'least_bytes_a_visitor': min(after.least_bytes for _, after in pairs),
    }
    rows = tuple(
        (
            f'{number}',
            *(f'{1e3 * cost.graph_cpu_s:.0f}' for cost in pair),
            *(f'{1e3 * cost.total_s:.0f}' for cost in pair),
            f'{100 * pair[1].viewer_share:.0f}',
            f'{pair[1].least_bytes / 1e6:.1f}',
        )
        for number, pair in enumerate(pairs, 1)
    )
    head = (
        'pair', 'graph alone, CPU ms a frame', 'viewed', 'image to TF alone, ms', 'viewed',
        'viewer, % of a core', 'MB to the visitor who got least',
    )  # fmt: skip
    note = f'{VISITORS} visitors who read and one who does not; the machine must be quiet.'
    return Measurement('viewer', values, (Table('Cost of a viewer', head, rows),), (), (note,))


def _measure(world: Path, options: BenchOptions, *, viewed: bool) -> Cost:
    from sam3d_ros.nodes.links import stamp_of

    readers: dict[topics.Topic, Any] = dict.fromkeys(
        (latency.SENT, *latency.ENDS.values()), stamp_of
    )
    readers[topics.TF] = latency.ObjectFrames()
    with latency.watched_graph(options, readers) as (processes, arrivals):
        port = _free_port()
        if viewed:
            processes.start('viewer', [*latency.PROGRAM, 'view', '--port', str(port)])
            latency.wait(lambda: _answers(port), processes, latency.START_TIMEOUT_S)
        with _visitors(port if viewed else 0) as counts:
            before_s = latency.usage(processes.pid('viewer')).cpu_s if viewed else 0.0
            processes.start('replay', latency.replay_command(world, RATE * latency.RATE))
            cpu_s, _ = latency.follow(arrivals, processes)
            share = 0.0
            if viewed:
                spent_s = latency.usage(processes.pid('viewer')).cpu_s - before_s
                share = spent_s / max(1e-3, _played_s(arrivals.times_s(latency.SENT.name)))
        ends_s = {stage: arrivals.times_s(topic.name) for stage, topic in latency.ENDS.items()}
        sent_s = arrivals.times_s(latency.SENT.name)
        total_s = latency.stage_times(sent_s, ends_s, latency.WARM_UP_FRAMES)['total']
    return Cost(cpu_s, float(np.median(total_s)), share, min(counts.values(), default=0))


def _played_s(sent_s: Mapping[int, float]) -> float:
    return max(sent_s.values()) - min(sent_s.values())


def _free_port() -> int:
    with socket.create_server(('127.0.0.1', 0)) as server:
        return int(server.getsockname()[1])


def _answers(port: int) -> bool:
    try:
        socket.create_connection(('127.0.0.1', port), 1.0).close()
    except OSError:
        return False
    return True


@contextmanager
def _visitors(port: int) -> Iterator[dict[int, int]]:
    """Visit a page by many who read and one who does not; 0 = nobody visits anything.

    :return: bytes by visitor, counted while the context lasts.
    """
    import viser
    from websockets.exceptions import ConnectionClosed
    from websockets.sync.client import ClientConnection, connect
    from websockets.typing import Subprotocol

    counts: dict[int, int] = {}
    if not port:
        yield counts
        return

    def read(number: int, visitor: ClientConnection) -> None:
        with suppress(ConnectionClosed, OSError):
            for data in visitor:
                counts[number] += len(data)

    protocol = Subprotocol(f'viser-v{viser.__version__}')
    address = f'ws://localhost:{port}/'
    visits = [
        connect(address, subprotocols=[protocol], max_size=2**28) for _ in range(VISITORS + 1)
    ]
    counts.update(dict.fromkeys(range(VISITORS), 0))
    for number, visitor in enumerate(visits[:VISITORS]):
        threading.Thread(target=read, args=(number, visitor), daemon=True).start()
    try:
        yield counts
    finally:
        for visitor in visits:
            with suppress(OSError):
                visitor.socket.shutdown(socket.SHUT_RDWR)
            visitor.socket.close()
