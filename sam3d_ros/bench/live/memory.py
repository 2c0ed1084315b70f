# SPDX-License-Identifier: Apache-2.0
"""Bench of memory: does a recording that is played over and over grow the process?

Two ways: stamps go back at each turn, as ``ros2 bag play --loop`` has it and sessions begin anew;
or they go on, and one session remembers it all. Frames come at full speed, so that a few turns
stand for half an hour: resident memory is regressed over the turns after the first ones, which
fill caches and the allocator's arenas. How large a session would be saved is exact beside that.
"""

from __future__ import annotations

import ctypes
import gc
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from scipy.stats import theilslopes

from sam3d_ros.bench.harness import BenchOptions, Measurement, Table, Value
from sam3d_ros.core.types import Frame
from sam3d_ros.pipeline.reading import read_recording
from sam3d_ros.session.session import Session
from sam3d_ros.world.samples import samples
from sam3d_ros.world.suites import make_episode

TURNS, QUICK_TURNS = 16, 4
WARM_UP = 0.34
"""Share of the turns, the first, that the regression leaves out."""
HALF_HOUR_S = 1800.0
ONE_SIGMA = 0.68
SHELF = Path('recordings/shelf')
"""The recording, beside the folders of frames."""
WORLD_FRAMES = 12
PAUSE_NS = 100_000_000
WAYS = {'anew': 'stamps go back', 'on': 'stamps go on'}


@dataclass(slots=True)
class Turns:
    """What every turn left behind.

    :param length_s: of the recording, one pause included.
    :param resident_mb: memory of the process after each turn.
    :param saved_kb: size of the session as saved after each turn.
    :param objects: known objects after each turn.
    """

    length_s: float
    resident_mb: list[float] = field(default_factory=list)
    saved_kb: list[float] = field(default_factory=list)
    objects: list[int] = field(default_factory=list)

    def growth(self, kept: list[float]) -> tuple[float, float]:
        """Return growth in half an hour over the mean, and its one-sigma error, in percent.

        The median of the slopes between all pairs of turns (Theil and Sen) does not mind a jump.

        :param kept: one figure a turn.
        """
        after = kept[round(WARM_UP * len(kept)) :]
        if len(after) < 3:
            return float('nan'), float('nan')
        slope = theilslopes(after, alpha=ONE_SIGMA)
        scale = 100.0 * HALF_HOUR_S / self.length_s / float(np.mean(after))
        error = (slope.high_slope - slope.low_slope) / 2
        return float(slope.slope) * scale, float(error) * scale


def run(options: BenchOptions) -> Measurement:
    """Measure the growth by a recording, or by a made-up world where there is none."""
    folders = [(folder, folder.parent / SHELF) for folder in options.data]
    recordings = [item for pair in folders for item in pair if (item / 'metadata.yaml').is_file()]
    source = recordings[0] if recordings else None
    count = QUICK_TURNS if options.quick else TURNS
    values: dict[str, Value] = {}
    rows = []
    for way, label in WAYS.items():
        turns = play(source, options, count, goes_on=way == 'on')
        resident, error = turns.growth(turns.resident_mb)
        saved, _ = turns.growth(turns.saved_kb)
        values |= {
            f'{way}_resident_mb': turns.resident_mb[-1],
            f'{way}_growth_percent': resident,
            f'{way}_growth_sigma_percent': error,
            f'{way}_saved_kb': turns.saved_kb[-1],
            f'{way}_saved_growth_percent': saved,
        }
        rows.append(
            (
                label,
                f'{turns.resident_mb[0]:.0f}',
                f'{turns.resident_mb[-1]:.1f}',
                f'{resident:+.2f} +- {error:.2f}',
                f'{turns.saved_kb[-1]:.0f}',
                f'{saved:+.2f}',
                f'{turns.objects[0]} to {turns.objects[-1]}',
            )
        )
    sizes = ('MB, first turn', 'MB, last turn', 'in 30 minutes, %')
    saves = ('saved session, kB', 'in 30 minutes, %')
    name = 'a made-up world' if source is None else source.name
    title = f'memory: {count} turns of {name}, {turns.length_s:.1f} s each'
    return Measurement(
        'memory', values, (Table(title, ('', *sizes, *saves, 'objects'), tuple(rows)),)
    )


def play(source: Path | None, options: BenchOptions, count: int, *, goes_on: bool) -> Turns:
    """Play a recording over and over to one session.

    :param source: the recording; None = a made-up world.
    :param options: of the bench.
    :param count: turns.
    :param goes_on: stamps go on from turn to turn.
    """
    session = Session.from_config(options.config, lambda sentence: None)
    turns = Turns(0.0)
    for turn in range(count):
        first_ns = last_ns = None
        for frame in _frames(source, options):
            first_ns = frame.stamp_ns if first_ns is None else first_ns
            shift_ns = round(turn * turns.length_s * 1e9) if goes_on else 0
            session.step(replace(frame, stamp_ns=frame.stamp_ns + shift_ns))
            last_ns = frame.stamp_ns
        assert first_ns is not None and last_ns is not None
        turns.length_s = turns.length_s or (last_ns - first_ns + PAUSE_NS) * 1e-9
        turns.resident_mb.append(_resident_mb())
        turns.saved_kb.append(_saved_kb(session))
        scene = session.scene()
        turns.objects.append(len(scene.objects) if scene is not None else 0)
    session.close()
    return turns


def _frames(source: Path | None, options: BenchOptions) -> Iterator[Frame]:
    if source is not None:
        yield from read_recording(source, options.config.pointmaps)
        return
    episode = make_episode('spaced', options.seed, frames=WORLD_FRAMES)
    yield from (sample.frame() for sample in samples(episode))


def _resident_mb() -> float:
    """Return the memory of this process; what the allocator holds back for later is given up."""
    gc.collect()
    if (trim := getattr(ctypes.CDLL(None), 'malloc_trim', None)) is not None:
        trim(0)
    pages = int(Path('/proc/self/statm').read_text().split()[1])
    return pages * os.sysconf('SC_PAGE_SIZE') / 1e6


def _saved_kb(session: Session) -> float:
    with tempfile.TemporaryDirectory() as folder:
        session.save(Path(folder))
        return sum(file.stat().st_size for file in Path(folder).rglob('*') if file.is_file()) / 1e3
