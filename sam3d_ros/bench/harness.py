# SPDX-License-Identifier: Apache-2.0
"""What every bench shares: options in, a measurement out, and where the figures were taken.

A bench is one module with ``run(options: BenchOptions) -> Measurement``, listed in ``BENCHES``.
"""

from __future__ import annotations

import math
import os
import platform
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

from sam3d_ros.core.config import flatten
from sam3d_ros.core.errors import BackendError, ConfigurationError
from sam3d_ros.core.sensors import STRUCTURED_LIGHT
from sam3d_ros.core.types import ByteArray
from sam3d_ros.session.config import Config

Value = float | int | str | None

BENCHES: Mapping[str, str] = {
    'segmentation': 'sam3d_ros.bench.masks.segmentation',
    'clicks': 'sam3d_ros.bench.masks.prompts_segmentation',
    'reconstruction': 'sam3d_ros.bench.reconstruction',
    'answers': 'sam3d_ros.bench.shapes.answers',
    'tracking': 'sam3d_ros.bench.tracking',
    'single_view': 'sam3d_ros.bench.shapes.single_view',
    'holes': 'sam3d_ros.bench.shapes.holes',
    'pose': 'sam3d_ros.bench.shapes.pose',
    'canonical': 'sam3d_ros.bench.shapes.canonical',
    'texture': 'sam3d_ros.bench.shapes.texture',
    'novel_view': 'sam3d_ros.bench.shapes.novel_view',
    'physics': 'sam3d_ros.bench.physics',
    'views': 'sam3d_ros.bench.views',
    'people': 'sam3d_ros.bench.people',
    'words': 'sam3d_ros.bench.language.phrases',
    'latency': 'sam3d_ros.bench.live.latency',
    'sensors': 'sam3d_ros.bench.ranges.spectrum',
    'memory': 'sam3d_ros.bench.live.memory',
    'pointmaps': 'sam3d_ros.bench.ranges.pointmaps',
    'odometry': 'sam3d_ros.bench.ranges.drifting',
    'rigs': 'sam3d_ros.bench.ranges.rigs',
    'viewer': 'sam3d_ros.bench.live.viewer',
}
"""Name to module, in the order of the report."""


@dataclass(frozen=True, slots=True)
class BenchOptions:
    """What to measure on.

    :param data: folders of labelled frames (``segmentation``).
    :param objects: folder of scanned objects with an index.json, or None = procedural ones only.
    :param quick: fewer scenes and no slow metrics; the whole of ``all`` within 3 minutes.
    :param seed: of the worlds.
    :param sensor: name of the range camera that the worlds are seen by.
    :param suites: only these sets of scenes, or () = all that a bench has.
    :param config: configuration of the pipeline under test.
    :param config_file: the file it was read from, for the nodes, or None.
    :param save_labels: folder for label images, or None.
    :param ledger: ``latency`` says what each part of a frame costs, and how poses keep up.
    """

    data: tuple[Path, ...] = ()
    objects: Path | None = None
    quick: bool = False
    seed: int = 0
    sensor: str = STRUCTURED_LIGHT.name
    suites: tuple[str, ...] = ()
    config: Config = field(default_factory=Config)
    config_file: Path | None = None
    save_labels: Path | None = None
    ledger: bool = False

    def chosen(self, suites: Iterable[str]) -> list[str]:
        """Return those of a bench's sets of scenes that are wanted, in the bench's order.

        :raises ConfigurationError: when sets are named and the bench has none of them.
        """
        known = list(suites)
        wanted = [name for name in known if not self.suites or name in self.suites]
        if not wanted:
            raise ConfigurationError(
                f'no set of scenes "{", ".join(self.suites)}"', wanted=f'one of {", ".join(known)}'
            )
        return wanted


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """An image for the report: (H, W, 3) uint8 RGB and what it shows."""

    caption: str
    image: ByteArray


@dataclass(frozen=True, slots=True)
class Table:
    """A table for the report; cells are text already."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Measurement:
    """What one bench found.

    :param values: flat figures, SI unit in the key; what ``--json`` writes.
    :param tables: the same for people.
    :param pictures: best, median and worst cases.
    :param notes: sentences on what was left out and why.
    """

    name: str
    values: Mapping[str, Value]
    tables: tuple[Table, ...] = ()
    pictures: tuple[Picture, ...] = ()
    notes: tuple[str, ...] = ()


def run_bench(name: str, options: BenchOptions) -> Measurement:
    """Run one bench by name.

    :param options: of the bench.
    :raises BackendError: when there is no bench of that name.
    """
    if name not in BENCHES:
        raise BackendError(f'no bench "{name}"', wanted=f'one of {", ".join(BENCHES)}')
    measurement: Measurement = import_module(BENCHES[name]).run(options)
    return measurement


def as_json(measurements: Sequence[Measurement], options: BenchOptions) -> dict[str, object]:
    """Return the flat JSON object of formats: figures plus machine, commit and configuration.

    Of several benches the keys begin with the bench's name. A figure that was not measured (NaN)
    is null.

    :param measurements: of one bench or of several.
    :param options: of the bench.
    """
    several = len(measurements) > 1
    figures = {
        f'{item.name}_{key}' if several else key: None if _is_nan(value) else value
        for item in measurements
        for key, value in item.values.items()
    }
    return {
        'bench': 'all' if several else measurements[0].name,
        **figures,
        'quick': options.quick,
        'seed': options.seed,
        'sensor': options.sensor,
        'objects': 'procedural' if options.objects is None else 'scans',
        'machine': machine(),
        'commit': commit(),
        'config': flatten(options.config),
    }


def _is_nan(value: Value) -> bool:
    return isinstance(value, float) and math.isnan(value)


def machine() -> str:
    """Return processor, cores, memory and Python of this machine, in a line."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path('/proc/cpuinfo')
    if cpuinfo.exists():
        names = [
            line for line in cpuinfo.read_text().splitlines() if line.startswith('model name')
        ]
        model = names[0].partition(':')[2].strip() if names else model
    memory_gb = os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 1e9
    cores = len(os.sched_getaffinity(0))
    return f'{model}, {cores} cores, {memory_gb:.0f} GB, Python {platform.python_version()}'


def commit() -> str:
    """Return the short hash of the checkout, with ``+`` when it has changes, or ``unknown``."""
    root = Path(__file__).resolve().parents[2]
    try:
        described = subprocess.run(
            ['git', 'describe', '--always', '--dirty=+', '--abbrev=10'],
            cwd=root,
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return 'unknown'
    return described.stdout.strip()
