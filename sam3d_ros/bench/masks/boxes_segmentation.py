# SPDX-License-Identifier: Apache-2.0
"""Segmentation of real frames with boxes of their objects: figures, tables, a picture of each."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sam3d_ros.bench.harness import Measurement, Table, Value
from sam3d_ros.bench.masks.misses import misses
from sam3d_ros.bench.masks.pictures_boxes import box_picture
from sam3d_ros.bench.masks.real_frames import BoxFrame, sensor_key
from sam3d_ros.bench.masks.scenes_segmentation import save_labels
from sam3d_ros.bench.metrics.metrics_boxes import BoxCounts, BoxVerdict, judge_boxes
from sam3d_ros.bench.peers.peers_segmentation import SegmentFrame
from sam3d_ros.core.types import IndexArray

FIGURES: Mapping[str, str] = {
    'recall': 'recall',
    'precision': 'precision',
    'clear_recall': 'recall, unoccluded',
}
"""Shares of ``BoxCounts`` in the tables, and their headings."""


@dataclass(frozen=True, slots=True, eq=False)
class _Result:
    """What one way made of one frame."""

    item: BoxFrame
    labels: IndexArray
    verdict: BoxVerdict
    time_s: float


def measure_boxes(
    frames: Iterable[BoxFrame], ways: Mapping[str, SegmentFrame], save: Path | None
) -> Measurement:
    """Run every way on every frame, alternating; the first way is ours, the second the peer.

    :param frames: with labelled boxes.
    :param ways: label to way.
    :param save: folder for our label images, or None.
    """
    results: dict[str, list[_Result]] = {label: [] for label in ways}
    for number, item in enumerate(frames):
        for label, way in ways.items():
            if number == 0:
                way(item.frame)  # imports and caches are not what is timed
            start_s = time.perf_counter()
            labels = way(item.frame)
            time_s = time.perf_counter() - start_s
            results[label].append(_Result(item, labels, judge_boxes(labels, item.labels), time_s))
        if save is not None:
            save_labels(save, item.name, results[next(iter(ways))][-1].labels)
    ours, peer = results.values()
    values: dict[str, Value] = {}
    for sensor, chosen in _by_sensor(ours).items():
        values |= _values(f'boxes_{sensor_key(sensor)}' if sensor else 'boxes', ours, chosen)
        values |= _values(
            f'boxes_peer_{sensor_key(sensor)}' if sensor else 'boxes_peer', peer, chosen
        )
    values['boxes_time_ratio'] = _time_s(ours) / _time_s(peer)
    worst_first = _worst_first(ours)
    pictures = [box_picture(r.item, r.labels, r.verdict, r.time_s) for r in worst_first]
    tables = _tables(results, worst_first)
    return Measurement('boxes', values, tables, tuple(pictures))


def _by_sensor(results: Sequence[_Result]) -> dict[str, list[int]]:
    """Return all frames ('') and then those of each sensor, by number."""
    chosen: dict[str, list[int]] = {'': list(range(len(results)))}
    for sensor in sorted({result.item.sensor for result in results}):
        chosen[sensor] = [k for k, result in enumerate(results) if result.item.sensor == sensor]
    return chosen


def _counts(results: Iterable[_Result]) -> BoxCounts:
    return BoxCounts.total(result.verdict.counts for result in results)


def _time_s(results: Iterable[_Result]) -> float:
    return float(np.median([result.time_s for result in results]))


def _values(prefix: str, results: Sequence[_Result], chosen: Sequence[int]) -> dict[str, Value]:
    kept = [results[k] for k in chosen]
    counts = _counts(kept)
    return {
        f'{prefix}_frames': counts.frames,
        f'{prefix}_objects': counts.opaque,
        **{f'{prefix}_{name}': getattr(counts, name) for name in FIGURES},
        f'{prefix}_transparent': counts.transparent,
        f'{prefix}_transparent_found': counts.transparent_found,
        f'{prefix}_predictions': counts.counted,
        f'{prefix}_false_per_frame': counts.false_objects / counts.frames,
        f'{prefix}_over': counts.over,
        f'{prefix}_under': counts.under,
        f'{prefix}_time_s': _time_s(kept),
    }


def _cells(results: Sequence[_Result]) -> tuple[str, ...]:
    counts = _counts(results)
    return (
        f'{counts.right} / {counts.opaque}',
        f'{counts.right} / {counts.counted}',
        *(f'{getattr(counts, name):.2f}' for name in FIGURES),
        f'{counts.transparent_found} / {counts.transparent}',
        f'{counts.false_objects / counts.frames:.1f}',
        f'{counts.over}',
        f'{counts.under}',
        f'{_time_s(results) * 1e3:.0f}',
    )


_HEAD = (
    'found',
    'right',
    *FIGURES.values(),
    'transparent',
    'false a frame',
    'over',
    'under',
    'ms',
)


def _tables(
    results: Mapping[str, Sequence[_Result]], worst_first: Sequence[_Result]
) -> tuple[Table, ...]:
    """Return figures by sensor and, of our own way, by frame, and what was not found and why."""
    label, ours = next(iter(results.items()))
    by_sensor = [
        (f'{sensor or "all"} ({len(chosen)}), {way}', *_cells([of_way[k] for k in chosen]))
        for sensor, chosen in _by_sensor(ours).items()
        for way, of_way in results.items()
    ]
    by_frame = [(result.item.name, *_cells([result])) for result in worst_first]
    missed = [
        (result.item.name, thing, reason)
        for result in worst_first
        for thing, reason in misses(result.item, result.labels, result.verdict)
    ]
    head = ('', *_HEAD)
    return (
        Table(f'boxes, {len(ours)} real frames by sensor', head, tuple(by_sensor)),
        Table(f'boxes, frame by frame, {label}, worst first', head, tuple(by_frame)),
        Table(
            'boxes, what was not found, worst frame first', ('', 'object', 'why'), tuple(missed)
        ),
    )


def _worst_first(results: Sequence[_Result]) -> list[_Result]:
    """Sort by F-measure; of equals that with more false objects comes first."""

    def key(result: _Result) -> tuple[float, int]:
        counts = result.verdict.counts
        return counts.f_measure, -counts.false_objects

    return sorted(results, key=key)
