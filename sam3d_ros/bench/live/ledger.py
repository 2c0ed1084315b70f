# SPDX-License-Identifier: Apache-2.0
"""The ledger of a frame: the share of T that each part costs, and how poses keep up live.

T is twice the median time that the Open3D tutorial needs to segment a real frame on this machine,
measured before and after, the lower one. Parts are timed one after the other in this process,
shapes are completed by the worker in between; :mod:`.live_poses` says how poses keep up.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from time import perf_counter

import numpy as np

from sam3d_ros.bags.recording import Recording
from sam3d_ros.bags.selection import select
from sam3d_ros.bench.harness import BenchOptions, Measurement, Table, Value
from sam3d_ros.bench.live import latency
from sam3d_ros.bench.live.live_poses import Live, live
from sam3d_ros.bench.masks.scenes_segmentation import frame_files, read_frame
from sam3d_ros.bench.peers.peers_segmentation import open3d_tutorial
from sam3d_ros.core.errors import ConfigurationError, Sam3dError
from sam3d_ros.core.types import Frame, Scene
from sam3d_ros.messages.cdr import encode
from sam3d_ros.pipeline.frames import FrameReader
from sam3d_ros.reconstruction.completion.lane import CompletionWorker
from sam3d_ros.session.session import Session
from sam3d_ros.sinks.messages import ResultMessages
from sam3d_ros.world import recording

SUITE = 'clutter'
FRAMES, QUICK_FRAMES = 300, 120
TUTORIAL_FRAMES = 9
RATES_HZ = (5.0, 30.0)
SETTLE_FRAMES = 8
"""Frames of each kind before parts are timed: objects are confirmed and code is loaded."""

BUDGET: Mapping[str, float] = {
    'intake': 0.08,
    'segmentation': 0.45,
    'follow and track': 0.20,
    'scene, messages, publishing': 0.05,
    'a segmented frame': 1.0,
    'poses of a segmented frame': 0.55,
    'a tracked-only frame': 0.55,
}
"""Parts of a frame, and the share of T that each may cost."""


def run(options: BenchOptions) -> Measurement:
    """Measure T, the parts of a frame, and poses on the wire at two rates."""
    frames = QUICK_FRAMES if options.quick else FRAMES
    episode = latency.world_of(SUITE, frames, options)
    with tempfile.TemporaryDirectory() as folder, latency.own_domain():
        worlds = {hz: Path(folder) / f'{hz:.0f}hz' for hz in RATES_HZ}
        for hz, world in worlds.items():
            # The session goes by stamps, which are as far apart as a camera of this rate has them.
            stamps_ns = episode.stamps_ns[0] + np.rint(np.arange(frames) * 1e9 / hz)
            recording.write_episode(replace(episode, stamps_ns=stamps_ns.astype(np.int64)), world)
        before_s = tutorial_s(options)
        parts = parts_s(worlds[RATES_HZ[0]], options)
        lives = [live(world, hz, options) for hz, world in worlds.items()]
        T_s = 2.0 * min(before_s, tutorial_s(options))
    values: dict[str, Value] = {'T_s': T_s}
    values |= {f'{name.replace(",", "").replace(" ", "_")}_s': s for name, s in parts.items()}
    for item in lives:
        values |= {
            f'live_{item.hz:.0f}hz_{name}': getattr(item, name)
            for name in item.__slots__
            if name != 'hz'
        }
    note = 'The machine must be quiet: everything is a multiple of what it needs for T just then.'
    rows = [
        (name, f'{1e3 * seconds:.0f}', f'{seconds / T_s:.2f}', f'{BUDGET[name]:.2f}')
        for name, seconds in parts.items()
    ]
    title = f'What a frame costs; T is {1e3 * T_s:.0f} ms'
    table = Table(title, ('', 'ms', 'share of T', 'may be'), tuple(rows))
    return Measurement('latency', values, (table, _live_table(lives, T_s)), (), (note,))


def tutorial_s(options: BenchOptions) -> float:
    """Return the median time of the Open3D tutorial on real frames, seconds.

    :param options: names the folder of frames.
    :raises ConfigurationError: when it names none.
    """
    if not options.data:
        raise ConfigurationError(
            'no real frames', wanted='a folder of them', remedy='Name it: latency DIR --ledger.'
        )
    times = []
    for file in frame_files(options.data[0])[: TUTORIAL_FRAMES + 1]:
        frame = read_frame(file).frame
        begin = perf_counter()
        open3d_tutorial(frame)
        times.append(perf_counter() - begin)
    return float(np.median(times[1:]))


def parts_s(world: Path, options: BenchOptions) -> dict[str, float]:
    """Return the median time of each part of a frame, seconds.

    :param world: folder of the written episode.
    :param options: configuration under test.
    :raises Sam3dError: what went wrong with a shape.
    """
    config = replace(
        options.config, session=replace(options.config.session, segment_every=2, folder='')
    )
    failures: list[Sam3dError] = []
    lane = CompletionWorker(config.reconstruction, failures.append)
    session = Session.from_config(config, lane=lane)
    messages = ResultMessages(config.outputs, config.tf)
    spent: dict[str, list[float]] = {name: [] for name in BUDGET}
    with Recording(world / recording.RECORDING) as recorded:
        frames = iter(FrameReader(recorded, select(recorded), config.pointmaps))
        while True:
            begin = perf_counter()
            frame = next(frames, None)
            intake_s = perf_counter() - begin
            if not isinstance(frame, Frame):
                break
            begin = perf_counter()
            early: list[float] = []

            def tell(scene: Scene, at: list[float] = early) -> None:
                at.append(perf_counter())

            result = session.step(frame, early=tell)
            told = perf_counter()
            for topic, message in messages.of_frame(result, lambda topic: False):
                encode(message, topic.type)
            end = perf_counter()
            times = result.times
            spent['intake'].append(intake_s)
            spent['scene, messages, publishing'].append(times.scene_s + end - told)
            if times.segmentation_s > 0:
                spent['segmentation'].append(times.segmentation_s)
                spent['follow and track'].append(times.tracking_s + times.reconstruction_s)
                spent['a segmented frame'].append(intake_s + end - begin)
                spent['poses of a segmented frame'] += [intake_s + at - begin for at in early]
            else:
                spent['a tracked-only frame'].append(intake_s + end - begin)
            lane.wait_until_idle()
    session.close()
    lane.close()
    if failures:
        raise failures[0]
    return {name: float(np.median(seconds[SETTLE_FRAMES:])) for name, seconds in spent.items()}


def _live_table(lives: list[Live], T_s: float) -> Table:
    rows = [
        (
            f'{item.hz:.0f} images a second, objects {item.found} of {item.objects}',
            f'{item.answered:.2f}',
            f'{item.poses_hz:.1f}',
            f'{item.p50_s / T_s:.1f}',
            f'{item.p95_s / T_s:.1f}',
            f'{item.steady:.3f}',
            f'{item.right:.3f}',
        )
        for item in lives
    ]
    head = (
        '',
        'answered',
        'poses a second',
        'p50, T',
        'p95, T',
        '1 cm of settled',
        '1 cm of truth',
    )
    return Table('Image to poses on the wire', head, tuple(rows))
