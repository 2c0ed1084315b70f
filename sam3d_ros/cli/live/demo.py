# SPDX-License-Identifier: Apache-2.0
"""``sam3d demo``: a made-up recording through the real nodes on real DDS, checked against truth.

Leaves the world with its truth, the result recording, scene.json, meshes, scene.glb and a picture.
Exit code 1 when an object is missing or more than 2 cm off, or when a process died.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING

from sam3d_ros.core.errors import Sam3dError

if TYPE_CHECKING:
    from sam3d_ros.nodes.collector import Collector
    from sam3d_ros.nodes.processes import Processes
    from sam3d_ros.world.truth import Truth

WORLD, RESULT, LOGS, SNAPSHOT = 'world', 'result', 'logs', 'snapshot.png'
START_TIMEOUT_S = 60.0
PLAY_TIMEOUT_S = 240.0


class DemoError(Sam3dError):
    """A process that died, or a graph that did not come to life."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``sam3d demo``."""
    parser.add_argument('--out', type=Path, default=Path('out/demo'), metavar='DIR')
    parser.add_argument('--seed', type=int, default=0, help='another seed, other objects')
    parser.add_argument('--frames', type=int, default=40, metavar='N', help='at 10 Hz')
    parser.add_argument('--size', default='640x480', metavar='WxH', help='of the images')
    parser.add_argument('--view', action='store_true', help='end in a page that shows the result')
    parser.add_argument('--port', type=int, default=8080, help='of the page; 0 = any that is free')
    parser.add_argument(
        '--screenshot', type=Path, metavar='FILE', help='write a picture of the page instead'
    )


def run(args: argparse.Namespace) -> int:
    """Make, play, collect, compare; 0 when every object was found where it is."""
    from sam3d_ros.cli.console import print_table, progress, working
    from sam3d_ros.cli.live.demo_table import compare, table
    from sam3d_ros.messages.topics import DETECTIONS
    from sam3d_ros.nodes.collector import collecting
    from sam3d_ros.viewer.snapshot import write_snapshot

    begin = time.monotonic()
    args.out.mkdir(parents=True, exist_ok=True)
    for name in (WORLD, RESULT, LOGS, 'meshes'):  # what an earlier demo left, and nothing else
        if (args.out / name).exists():
            rmtree(args.out / name)
    # DDS stays on this machine, and away from other graphs on it.
    os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
    os.environ['ROS_DOMAIN_ID'] = str(1 + os.getpid() % 100)
    with _graph(args.out / LOGS) as processes:
        _say(begin, 'nodes started as separate processes; making the recording')
        truth = _make_world(args)
        total = len(truth.frames)
        with (
            progress('frames processed') as show,
            collecting(args.out / RESULT, lambda done: show(done, total)) as collector,
        ):
            _say(begin, 'waiting for the nodes to find each other')
            _wait_for_graph(collector, processes)
            _say(begin, f'playing {len(truth.frames)} frames')
            _play(args.out, processes)
            _wait(lambda: collector.counts[DETECTIONS.name] >= total, processes, 2.0)
            _wait(lambda: collector.is_settled, processes, 10.0)
            frame, tracks, scene = collector.frame, collector.tracks, collector.scene
            if frame is None or tracks is None or scene is None:
                raise DemoError('the nodes published no scene', remedy=f'See {args.out / LOGS}.')
            _say(begin, collector.save(args.out.absolute()))
        failures = [f'{death} while stopping' for death in processes.stop()]
    with working('drawing the picture'):
        write_snapshot(args.out / SNAPSHOT, frame, tracks, scene)
    verdict = compare(scene, truth)
    print_table(table(verdict))
    _say(begin, f'results in {args.out}, a picture in {args.out / SNAPSHOT}')
    for failure in failures:
        print(failure, file=sys.stderr)
    if args.view or args.screenshot:
        from sam3d_ros.cli.view import show as show_page
        from sam3d_ros.viewer.results import ResultFolder

        source = ResultFolder(args.out)
        show_page(source, 'localhost', args.port, args.screenshot, heading='sam3d · demo')
    return 0 if verdict.good and not failures else 1


@contextmanager
def _graph(logs: Path) -> Iterator[Processes]:
    """Run the stage nodes, each in its own process."""
    from sam3d_ros.nodes.graph import GraphOptions
    from sam3d_ros.nodes.processes import Processes
    from sam3d_ros.world import recording

    options = GraphOptions(rgb=recording.COLOR.name, depth=recording.DEPTH.name, use_sim_time=True)
    with Processes(logs) as processes:
        for node in options.nodes():
            processes.start(node.name, node.command())
        yield processes


def _make_world(args: argparse.Namespace) -> Truth:
    from sam3d_ros.cli.console import progress
    from sam3d_ros.world.recording import write_episode
    from sam3d_ros.world.suites import make_episode

    width, _, height = args.size.partition('x')
    size_px = (int(width), int(height))
    episode = make_episode('demo', args.seed, frames=args.frames, size_px=size_px)
    with progress('frames drawn') as show:
        return write_episode(episode, args.out / WORLD, progress=show)


def _wait_for_graph(collector: Collector, processes: Processes) -> None:
    """Wait until every node listens to the ones before it, and we hear the last one.

    :raises DemoError: when a process dies or it takes too long.
    """
    from sam3d_ros.nodes.links import FRAMES
    from sam3d_ros.sinks.messages import TOPICS
    from sam3d_ros.world.recording import COLOR, DEPTH

    # The collector listens to frames too.
    listeners = {COLOR.name: 1, DEPTH.name: 1, FRAMES.topic.resolve(): 2}

    def is_complete() -> bool:
        heard = all(collector.count_publishers(topic.resolve()) for topic in TOPICS)
        return heard and all(collector.count_subscribers(it) >= n for it, n in listeners.items())

    if not _wait(is_complete, processes, START_TIMEOUT_S):
        known = {name: collector.count_subscribers(name) for name in listeners}
        raise DemoError(
            f'after {START_TIMEOUT_S:.0f} s the nodes listen to {known}', wanted=f'{listeners}'
        )


def _play(out: Path, processes: Processes) -> None:
    """Replay the recording, each frame when the one before is through all stages.

    :raises DemoError: when a process dies or it takes too long.
    """
    from sam3d_ros.messages.topics import DETECTIONS
    from sam3d_ros.nodes.graph import node_command
    from sam3d_ros.world.recording import RECORDING

    parameters = {
        'recording': out / WORLD / RECORDING,
        'clock': 'true',
        # Large best-effort images are lost between processes, and the demo may not lose any.
        'reliability': 'reliable',
        'pace': DETECTIONS.resolve(),
        'pace_timeout_s': 20.0,
        'wait_s': 20.0,
    }
    arguments = ['--ros-args']
    for name, value in parameters.items():
        arguments += ['-p', f'replay.{name}:={value}']
    processes.start('replay', node_command('replay', arguments))
    if not _wait(lambda: processes.exit_code('replay') == 0, processes, PLAY_TIMEOUT_S):
        raise DemoError(f'the recording did not play in {PLAY_TIMEOUT_S:.0f} s')


def _wait(condition: Callable[[], bool], processes: Processes, timeout_s: float) -> bool:
    """Wait for a condition, as long as every process lives; return False on timeout."""
    deadline = time.monotonic() + timeout_s
    pause = threading.Event()
    while not condition():
        for death in processes.deaths():
            raise DemoError(
                str(death), remedy=f'Its last words:\n{processes.log_tail(death.name)}'
            )
        if time.monotonic() > deadline:
            return False
        pause.wait(0.1)
    return True


def _say(begin: float, sentence: str) -> None:
    print(f'[{time.monotonic() - begin:5.1f} s] {sentence}', flush=True)
