# SPDX-License-Identifier: Apache-2.0
"""``sam3d bench``: measure against truth and against peers."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

from sam3d_ros.core.sensors import MODELS, STRUCTURED_LIGHT


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``sam3d bench``."""
    from sam3d_ros.bench.harness import BENCHES

    parser.add_argument('name', choices=[*BENCHES, 'all'], help='what to measure')
    parser.add_argument(
        'data',
        nargs='?',
        type=Path,
        help='folder of real frames, with label images or boxes',
    )
    parser.add_argument('--objects', type=Path, help='folder of scanned objects with index.json')
    parser.add_argument('--json', type=Path, metavar='FILE', help='write the figures here')
    parser.add_argument('--html', type=Path, metavar='FILE', help='write a report page here')
    parser.add_argument('--save-labels', type=Path, metavar='DIR', help='write label images here')
    parser.add_argument('--config', type=Path, metavar='YAML', help='configuration under test')
    parser.add_argument('--seed', type=int, default=0, help='seed of the worlds')
    parser.add_argument(
        '--sensor',
        choices=list(MODELS),
        default=STRUCTURED_LIGHT.name,
        help='range camera that the worlds are seen by',
    )
    parser.add_argument(
        '--suite',
        action='append',
        default=[],
        metavar='NAME',
        help='only this set of scenes (boxes, real, clutter, spaced, ...); may be repeated',
    )
    parser.add_argument(
        '--ledger',
        action='store_true',
        help='latency: the share of each part of a frame, and how poses keep up at 5 and 30 Hz',
    )
    parser.add_argument('--quick', action='store_true', help='fewer scenes, no slow metrics')


def run(args: argparse.Namespace) -> int:
    """Run the benches, print their tables, write what was asked for."""
    from sam3d_ros.bench.harness import BENCHES, BenchOptions, Measurement, as_json, run_bench
    from sam3d_ros.bench.report import page
    from sam3d_ros.cli.console import working
    from sam3d_ros.session.config import load_config

    shared = Path(__file__).resolve().parents[3] / 'shared' / 'data'
    real = tuple(folder for name in ('osd', 'real') if (folder := _existing(shared / name)))
    options = BenchOptions(
        data=(args.data,) if args.data else real,
        objects=args.objects or _existing(shared / 'objects'),
        quick=args.quick,
        seed=args.seed,
        sensor=args.sensor,
        suites=tuple(args.suite),
        config=load_config(args.config),
        config_file=args.config,
        save_labels=args.save_labels,
        ledger=args.ledger,
    )
    measurements: list[Measurement] = []
    names = list(BENCHES) if args.name == 'all' else [args.name]
    for number, name in enumerate(names, 1):
        start_s = time.perf_counter()
        which = f' ({number} of {len(names)})' if len(names) > 1 else ''
        with working(f'bench {name}{which}'):
            measurements.append(run_bench(name, options))
        _print_tables(measurements[-1])
        print(f'{name}: {time.perf_counter() - start_s:.0f} s', file=sys.stderr)
    if args.json:
        figures = as_json(measurements, options)
        args.json.write_text(json.dumps(figures, indent=1, sort_keys=True) + '\n')
    if args.html:
        args.html.write_text(page(measurements, options))
        print(f'report: {args.html}', file=sys.stderr)
    return 0


def _existing(folder: Path) -> Path | None:
    return folder if folder.is_dir() else None


def _print_tables(measurement: object) -> None:
    from sam3d_ros.bench.harness import Measurement

    assert isinstance(measurement, Measurement)
    for note in measurement.notes:
        print(f'note: {note}')
    for table in measurement.tables:
        rows = [table.columns, *table.rows]
        widths = [max(len(row[i]) for row in rows) for i in range(len(table.columns))]
        print(f'\n{table.title}')
        for row in rows:
            cells = [
                cell.ljust(width) if i == 0 else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(row, widths, strict=True))
            ]
            print('  '.join(cells))
