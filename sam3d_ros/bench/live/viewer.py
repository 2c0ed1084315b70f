# SPDX-License-Identifier: Apache-2.0
"""What a viewer costs the graph: pairs of plays, without one and with one for eleven visitors.

Ten of the visitors read all that they are sent; one reads nothing.
"""

from __future__ import annotations

import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from sam3d_ros.bench.harness import BenchOptions, Measurement, Picture, Table, Value
from sam3d_ros.bench.live import latency
from sam3d_ros.core.errors import BackendError
from sam3d_ros.messages import topics
from sam3d_ros.viewer.screenshot import write_screenshot
from sam3d_ros.world import recording

if TYPE_CHECKING:
    from sam3d_ros.nodes.processes import Processes
    from sam3d_ros.ros.arrivals import Arrivals

SUITE = 'spaced'
FRAMES, QUICK_FRAMES = 16, 8
PAIRS, QUICK_PAIRS = 8, 1
RATE = 3.0
"""Images of a world come ten times a second; played at this multiple of the bench's usual one."""
SETTLE_S = 1.0
"""After the last image, so that the frame that is worked on then is counted too."""
VISITORS = 10
PACE_EVERY_S = 0.1


class Pace:
    """How long a piece of work that is always the same takes now, in CPU time of its thread.

    Neighbours on the machine make all of it slower by what they take of caches and cores, so that
    CPU times of different minutes compare in these pieces, not in seconds.
    """

    def __init__(self) -> None:
        self._image = np.random.default_rng(0).random((480, 640), np.float32)
        self._seconds: list[float] = []
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name='pace', daemon=True)
        self._thread.start()

    def close(self) -> float:
        """End; return the median, seconds."""
        self._closing.set()
        self._thread.join()
        return float(np.median(self._seconds))

    def _run(self) -> None:
        while not self._closing.wait(PACE_EVERY_S):
            begin_s = time.thread_time()
            np.median(np.sqrt(self._image), axis=0)
            self._seconds.append(time.thread_time() - begin_s)


@dataclass(frozen=True, slots=True)
class Cost:
    """One play of the world.

    :param graph_cpu_s: CPU time of the graph for a frame.
    :param pace_s: CPU time of a piece of work that is always the same, meanwhile.
    :param total_s: median time from image to TF.
    :param viewer_share: CPU of the viewer, share of a core; 0 without one.
    :param least_bytes: what the visitor who got least was sent; 0 without one.
    """

    graph_cpu_s: float
    pace_s: float
    total_s: float
    viewer_share: float = 0.0
    least_bytes: int = 0


def run(options: BenchOptions) -> Measurement:
    """Play one world into one graph again and again, in turn without and with a viewer.

    What is compared is the CPU time of the graph's process, in pieces of :class:`Pace`, between
    neighbours in time; a median over all pairs is what is told.
    """
    if find_spec('rclpy') is None or find_spec('viser') is None:
        return Measurement('viewer', {}, notes=('No ROS or no viser here: left out.',))
    from sam3d_ros.nodes.links import stamp_of

    readers: dict[topics.Topic, Any] = dict.fromkeys(
        (latency.SENT, *latency.ENDS.values()), stamp_of
    )
    readers[topics.TF] = latency.ObjectFrames()
    pairs: list[tuple[Cost, Cost]] = []
    with tempfile.TemporaryDirectory() as folder, latency.own_domain():
        world = Path(folder) / 'world'
        frames = QUICK_FRAMES if options.quick else FRAMES
        recording.write_episode(latency.world_of(SUITE, frames, options), world)
        with latency.watched_graph(options, readers) as (processes, arrivals):
            # The first time there are no shapes yet, and code is loaded.
            _play(world, processes, arrivals, viewed=False)
            for number in range(QUICK_PAIRS if options.quick else PAIRS):
                # Every second pair begins with the viewer, so that a drift cancels out.
                order = (False, True) if number % 2 == 0 else (True, False)
                costs = {it: _play(world, processes, arrivals, viewed=it) for it in order}
                pairs.append((costs[False], costs[True]))
            pictures, notes = _photograph(Path(folder) / 'page.png')
    more = [
        (after.graph_cpu_s / after.pace_s) / (before.graph_cpu_s / before.pace_s) - 1
        for before, after in pairs
    ]
    wait = [after.total_s / before.total_s - 1 for before, after in pairs]
    values: dict[str, Value] = {
        'pairs': len(pairs),
        'graph_cpu_more': float(np.median(more)),
        'graph_cpu_more_lower_quartile': float(np.quantile(more, 0.25)),
        'graph_cpu_more_upper_quartile': float(np.quantile(more, 0.75)),
        'image_to_tf_more': float(np.median(wait)),
        'viewer_share_of_a_core': float(np.median([after.viewer_share for _, after in pairs])),
        'least_bytes_a_visitor': min(after.least_bytes for _, after in pairs),
    }
    rows = tuple(
        (
            f'{number}',
            *(f'{1e3 * cost.graph_cpu_s:.0f}' for cost in pair),
            *(f'{1e3 * cost.pace_s:.2f}' for cost in pair),
            f'{100 * more[number - 1]:+.1f}',
            *(f'{1e3 * cost.total_s:.0f}' for cost in pair),
            f'{100 * pair[1].viewer_share:.0f}',
            f'{pair[1].least_bytes / 1e6:.1f}',
        )
        for number, pair in enumerate(pairs, 1)
    )
    head = (
        'pair', 'graph alone, CPU ms a frame', 'viewed', 'pace alone, ms', 'viewed',
        '% more at the same pace', 'image to TF alone, ms', 'viewed', 'viewer, % of a core',
        'MB to the visitor who got least',
    )  # fmt: skip
    notes.append(
        f'{VISITORS} visitors who read and one who does not. Image to TF is by the wall clock: '
        'it says something on a quiet machine alone.'
    )
    table = Table('Cost of a viewer', head, rows)
    return Measurement('viewer', values, (table,), tuple(pictures), tuple(notes))


def _photograph(file: Path) -> tuple[list[Picture], list[str]]:
    """Return a picture of the page of the running graph, and why there is none."""
    from sam3d_ros.nodes.processes import Processes

    port = _free_port()
    with tempfile.TemporaryDirectory() as logs, Processes(Path(logs)) as viewers:
        viewers.start('viewer', [*latency.PROGRAM, 'view', '--port', str(port)])
        latency.wait(lambda: _answers(port), viewers, latency.START_TIMEOUT_S)
        try:
            write_screenshot(f'http://localhost:{port}/', file)
        except BackendError as error:
            return [], [f'No picture of the page: {error}']
    image = np.asarray(cv2.imread(str(file), cv2.IMREAD_COLOR_RGB), np.uint8)
    return [Picture('The page after the last image, in a browser without a window', image)], []


def _play(world: Path, processes: Processes, arrivals: Arrivals, *, viewed: bool) -> Cost:
    """Play a world once into a running graph, with or without a viewer and its visitors."""
    from sam3d_ros.nodes.processes import Processes

    port, seen_by = _free_port(), topics.VIEW.resolve()
    with tempfile.TemporaryDirectory() as logs, Processes(Path(logs)) as viewers:
        if viewed:
            viewers.start('viewer', [*latency.PROGRAM, 'view', '--port', str(port)])
            latency.wait(lambda: _answers(port), viewers, latency.START_TIMEOUT_S)
        latency.wait(
            lambda: bool(arrivals.count_subscribers(seen_by)) == viewed,
            processes,
            latency.START_TIMEOUT_S,
        )
        with _visitors(port if viewed else 0) as counts:
            arrivals.forget()
            graph_s = latency.usage(processes.pid('graph')).cpu_s
            viewer_s = latency.usage(viewers.pid('viewer')).cpu_s if viewed else 0.0
            pace = Pace()
            processes.start('replay', latency.replay_command(world, RATE * latency.RATE))
            latency.wait(
                lambda: processes.exit_code('replay') == 0, processes, latency.PLAY_TIMEOUT_S
            )
            threading.Event().wait(SETTLE_S)
            graph_s = latency.usage(processes.pid('graph')).cpu_s - graph_s
            pace_s = pace.close()
            if viewed:
                viewer_s = latency.usage(viewers.pid('viewer')).cpu_s - viewer_s
    sent_s = arrivals.times_s(latency.SENT.name)
    ends_s = {stage: arrivals.times_s(topic.name) for stage, topic in latency.ENDS.items()}
    done = len(ends_s['transport_and_pointmap'])
    total_s = latency.stage_times(sent_s, ends_s, latency.WARM_UP_FRAMES)['total']
    if not total_s:
        raise BackendError('no frame came through', remedy=latency.logs(processes))
    played_s = max(sent_s.values()) - min(sent_s.values())
    return Cost(
        graph_s / done,
        pace_s,
        float(np.median(total_s)),
        viewer_s / played_s,
        min(counts.values(), default=0),
    )


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
