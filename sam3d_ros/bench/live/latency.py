# SPDX-License-Identifier: Apache-2.0
"""Bench of latency: image to TF on the wire, over real DDS, and how cost grows with objects.

The nodes run as ``sam3d up`` starts them; ``sam3d replay`` sends one image a second. The clock
starts when the image's CameraInfo arrives here, which is sent right before the image.
"""

from __future__ import annotations

import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sam3d_ros.bench.harness import BenchOptions, Measurement, Table, Value
from sam3d_ros.bench.report import line_plot
from sam3d_ros.bench.worlds import bare, episode_of, object_source
from sam3d_ros.core.errors import BackendError
from sam3d_ros.messages import topics
from sam3d_ros.messages.topics import Topic
from sam3d_ros.messages.typestore import typestore
from sam3d_ros.world import recording
from sam3d_ros.world.episode import Episode

if TYPE_CHECKING:
    from sam3d_ros.nodes.processes import Processes
    from sam3d_ros.ros.arrivals import Arrivals, Reader

SUITES, QUICK_SUITES = ('single', 'stacked', 'spaced', 'clutter', 'piled'), ('single', 'clutter')
FRAMES, QUICK_FRAMES = 40, 13
WARM_UP_FRAMES = 4
"""Frames that are not timed: the first load code, and objects are not confirmed yet."""

RATE = 0.1
"""Of real time: a world's 10 images a second become one."""

START_TIMEOUT_S = 120.0
PLAY_TIMEOUT_S = 120.0
OBJECT_PREFIX = 'object_'


def resolved(topic: Topic) -> Topic:
    """Return a topic of the graph with its absolute name."""
    return Topic(topic.resolve(), topic.type, topic.quality)


SENT = recording.COLOR_INFO
ENDS: Mapping[str, Topic] = {
    'transport_and_pointmap': resolved(topics.CAMERA_INFO),
    'session': topics.TF,
}
"""Stages to the topic that shows that they have ended, in order; the session tells poses first."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process has used: CPU time of all its threads, and the most memory it ever held."""

    cpu_s: float
    peak_memory_mb: float


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """What one recording showed.

    :param objects: frames of objects in TF at the last stamp.
    :param stages_s: stage, and ``total``, to seconds of every timed frame.
    """

    suite: str
    objects: int
    stages_s: Mapping[str, tuple[float, ...]]
    cpu_s_per_frame: float
    cpu_share: float
    peak_memory_mb: float

    def quantiles_s(self, stage: str) -> tuple[float, float, float]:
        """Return p50, p95 and the maximum."""
        p50, p95, most = np.quantile(self.stages_s[stage], [0.5, 0.95, 1.0])
        return float(p50), float(p95), float(most)

    def values(self) -> dict[str, Value]:
        """Return the figures, with the suite in the key."""
        values: dict[str, Value] = {
            f'{self.suite}_objects': self.objects,
            f'{self.suite}_frames': len(self.stages_s['total']),
            f'{self.suite}_cpu_s_per_frame': self.cpu_s_per_frame,
            f'{self.suite}_cpu_share': self.cpu_share,
            f'{self.suite}_peak_memory_mb': self.peak_memory_mb,
        }
        for stage in self.stages_s:
            for name, figure in zip(('p50', 'p95', 'max'), self.quantiles_s(stage), strict=True):
                values[f'{self.suite}_{stage}_{name}_s'] = figure
        return values


class ObjectFrames:
    """Reads the stamps of /tf messages with objects, and counts these at the last stamp."""

    def __init__(self) -> None:
        self.count, self._stamp_ns = 0, 0

    def __call__(self, data: bytes) -> int | None:
        """Return the stamp of a message with objects, else None."""
        message = typestore().deserialize_cdr(data, topics.TF.type)
        stamps = [
            item.header.stamp
            for item in message.transforms  # type: ignore[attr-defined]
            if item.child_frame_id.startswith(OBJECT_PREFIX)
        ]
        if not stamps:
            return None
        stamp_ns = int(stamps[0].sec) * 1_000_000_000 + int(stamps[0].nanosec)
        # Some leave before the frame is segmented, the others after it.
        self.count = len(stamps) + (self.count if stamp_ns == self._stamp_ns else 0)
        self._stamp_ns = stamp_ns
        return stamp_ns


def run(options: BenchOptions) -> Measurement:
    """Measure worlds of more and more objects, each on a freshly started graph; or the ledger."""
    if find_spec('rclpy') is None:
        return Measurement('latency', {}, notes=('No ROS (rclpy) here: latency is left out.',))
    if options.ledger:
        from sam3d_ros.bench.live import ledger

        return ledger.run(options)
    suites = options.chosen(QUICK_SUITES if options.quick else SUITES)
    runs = [_measure(suite, options) for suite in suites]
    values: dict[str, Value] = {}
    for item in runs:
        values |= item.values()
    objects = [item.objects for item in runs]
    values['cpu_s_per_frame_and_object'] = slope(objects, [item.cpu_s_per_frame for item in runs])
    values['total_p50_s_per_object'] = slope(
        objects, [item.quantiles_s('total')[0] for item in runs]
    )
    rows = [
        (
            item.suite,
            f'{item.objects}',
            f'{1e3 * item.quantiles_s("total")[0]:.0f}',
            f'{1e3 * item.cpu_s_per_frame:.0f}',
            f'{100 * item.cpu_share:.0f}',
            f'{item.peak_memory_mb:.0f}',
        )
        for item in runs
    ]
    head = ('', 'objects', 'image to TF, ms', 'CPU ms a frame', 'CPU, % of a core', 'peak MB')
    cost = Table('Cost and number of objects', head, tuple(rows))
    ordered = sorted(runs, key=lambda item: item.objects)
    p50, p95 = ([1e3 * item.quantiles_s('total')[k] for item in ordered] for k in (0, 1))
    cpu = [1e3 * item.cpu_s_per_frame for item in ordered]
    growth = line_plot(
        'How cost grows with the number of objects',
        ('objects', [item.objects for item in ordered]),
        'milliseconds a frame',
        [('image to TF, p50', p50), ('image to TF, p95', p95), ('CPU time', cpu)],
    )
    tables = (*(_stage_table(item) for item in runs), cost)
    note = 'All nodes in one process, as sam3d up starts them; 640x480; one image a second.'
    return Measurement('latency', values, tables, (growth,), (note,))


def slope(x: Sequence[float], y: Sequence[float]) -> float:
    """Return the slope of the line of least squares; NaN when all x are equal.

    :param y: as many as ``x``.
    """
    if len(set(x)) < 2:
        return float('nan')
    return float(np.polyfit(x, y, 1)[0])


def stage_times(
    sent_s: Mapping[int, float], ends_s: Mapping[str, Mapping[int, float]], skip: int
) -> dict[str, tuple[float, ...]]:
    """Return for each stage, and ``total``, the seconds it took for each complete frame.

    A stage whose message comes after the next one's had ended by then.

    :param sent_s: stamp to when the image was sent.
    :param ends_s: stage, in order, to stamp to when the stage had ended.
    :param skip: so many first frames of the first stage are not timed.
    """
    known = [sent_s, *ends_s.values()]
    stamps = sorted(next(iter(ends_s.values())))[skip:]
    stamps = [stamp for stamp in stamps if all(stamp in times for times in known)]
    times = np.array([[known_s[stamp] for known_s in known] for stamp in stamps])
    times = times.reshape(-1, len(known))
    times = np.minimum.accumulate(times[:, ::-1], axis=1)[:, ::-1]
    spans = dict(zip(ends_s, map(tuple, np.diff(times).T.tolist()), strict=True))
    spans['total'] = tuple((times[:, -1] - times[:, 0]).tolist())
    return spans


def usage(pid: int) -> Usage:
    """Return what a process has used so far (Linux: from /proc)."""
    fields = Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()
    ticks = int(fields[11]) + int(fields[12])  # utime and stime, proc(5)
    status = Path(f'/proc/{pid}/status').read_text()
    peak_kb = next(line.split()[1] for line in status.splitlines() if line.startswith('VmHWM'))
    return Usage(ticks / os.sysconf('SC_CLK_TCK'), int(peak_kb) * 1024 / 1e6)


def _measure(suite: str, options: BenchOptions) -> Run:
    from sam3d_ros.nodes.links import stamp_of

    frames = QUICK_FRAMES if options.quick else FRAMES
    object_frames = ObjectFrames()
    readers: dict[Topic, Reader] = dict.fromkeys((SENT, *ENDS.values()), stamp_of)
    readers[topics.TF] = object_frames
    with tempfile.TemporaryDirectory() as folder, own_domain():
        recording.write_episode(world_of(suite, frames, options), Path(folder) / 'world')
        with watched_graph(options, readers) as (processes, arrivals):
            processes.start('replay', replay_command(Path(folder) / 'world'))
            cpu = follow(arrivals, processes)
            ends_s = {stage: arrivals.times_s(topic.name) for stage, topic in ENDS.items()}
            stages_s = stage_times(arrivals.times_s(SENT.name), ends_s, WARM_UP_FRAMES)
            if not stages_s['total']:
                raise BackendError(f'{suite}: no frame came through', remedy=logs(processes))
            peak_mb = usage(processes.pid('graph')).peak_memory_mb
    return Run(suite, object_frames.count, stages_s, *cpu, peak_mb)


def world_of(suite: str, frames: int, options: BenchOptions) -> Episode:
    """Return an episode of a suite with nothing around its objects but floor, wall and table.

    :param frames: how many.
    :param options: of the bench.
    """
    source = object_source(options)
    return bare(episode_of(suite, options.seed, source, options.sensor, frames))


@contextmanager
def watched_graph(
    options: BenchOptions, readers: Mapping[Topic, Reader]
) -> Iterator[tuple[Processes, Arrivals]]:
    """Bring the graph up as a process called ``graph``, and watch it until the context ends.

    :param options: configuration under test.
    :param readers: topics that are listened to, and how their stamps are read.
    :return: the processes, and what arrives, once the graph listens to the camera.
    """
    from sam3d_ros.nodes.processes import Processes
    from sam3d_ros.ros.arrivals import listening

    with (
        tempfile.TemporaryDirectory() as logs_folder,
        Processes(Path(logs_folder)) as processes,
        listening(readers) as arrivals,
    ):
        processes.start('graph', up_command(options))
        camera = recording.DEPTH.name
        wait(lambda: arrivals.count_subscribers(camera) > 0, processes, START_TIMEOUT_S)
        yield processes, arrivals


def follow(arrivals: Arrivals, processes: Processes) -> tuple[float, float]:
    """Watch the graph until the recording has been played.

    :return: its CPU seconds a frame, and its share of a core, after the warm-up.
    """

    def done() -> int:
        return len(arrivals.times_s(ENDS['session'].name))

    def played() -> bool:
        return processes.exit_code('replay') == 0

    pid = processes.pid('graph')
    wait(lambda: played() or done() >= WARM_UP_FRAMES, processes, PLAY_TIMEOUT_S)
    before, first, begin_s = usage(pid), done(), time.monotonic()
    wait(played, processes, PLAY_TIMEOUT_S)
    cpu_s = usage(pid).cpu_s - before.cpu_s
    return cpu_s / max(1, done() - first), cpu_s / (time.monotonic() - begin_s)


@contextmanager
def own_domain() -> Iterator[None]:
    """Keep DDS on this machine and away from other graphs on it."""
    wanted = {
        'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST',
        'ROS_DOMAIN_ID': str(1 + os.getpid() % 100),
    }
    former = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in former.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def up_command(options: BenchOptions) -> list[str]:
    """Return the command that brings the graph up on a world's topics."""
    command = [*PROGRAM, 'up', '--rgb', recording.COLOR.name, '--depth', recording.DEPTH.name]
    if options.config_file is not None:
        command += ['--config', str(options.config_file)]
    return command


def replay_command(world: Path, rate: float = RATE) -> list[str]:
    """Return the command that plays a world at a multiple of real time.

    :param rate: multiple of real time.
    """
    return [*PROGRAM, 'replay', str(world / recording.RECORDING), '--rate', f'{rate}']


PROGRAM = (sys.executable, '-m', 'sam3d_ros.cli.main')


def wait(condition: Callable[[], bool], processes: Processes, timeout_s: float) -> None:
    """Wait for a condition while every process lives.

    :param processes: those that have to live.
    :raises BackendError: when one dies, or after ``timeout_s``.
    """
    deadline, pause = time.monotonic() + timeout_s, threading.Event()
    while not condition():
        for death in processes.deaths():
            raise BackendError(str(death), remedy=processes.log_tail(death.name))
        if time.monotonic() > deadline:
            raise BackendError(f'nothing came of it in {timeout_s:.0f} s', remedy=logs(processes))
        pause.wait(0.05)


def logs(processes: Processes) -> str:
    """Return what the graph said last, as a sentence of an error."""
    return f'The nodes said last:\n{processes.log_tail("graph")}'


def _stage_table(item: Run) -> Table:
    rows = []
    for stage in item.stages_s:
        figures = (f'{1e3 * seconds:.0f}' for seconds in item.quantiles_s(stage))
        name = 'image to TF' if stage == 'total' else stage.replace('_', ' ')
        rows.append((name, *figures))
    count = len(item.stages_s['total'])
    title = f'{item.suite}: objects {item.objects}, frames {count}; milliseconds'
    return Table(title, ('', 'p50', 'p95', 'max'), tuple(rows))
