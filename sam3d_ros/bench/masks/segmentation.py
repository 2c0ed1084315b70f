# SPDX-License-Identifier: Apache-2.0
"""Bench of the segmentation backend: labelled real frames, made-up clutter, time, and the peer."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from sam3d_ros.bench.harness import BenchOptions, Measurement, Picture, Table, Value
from sam3d_ros.bench.masks.boxes_segmentation import measure_boxes
from sam3d_ros.bench.masks.real_frames import labels_file, read_box_frame
from sam3d_ros.bench.masks.scenes_segmentation import (
    LabelledFrame,
    frame_files,
    read_frame,
    save_labels,
    world_frames,
)
from sam3d_ros.bench.metrics.metrics_segmentation import (
    SegmentationScore,
    mean_score,
    score_labels,
)
from sam3d_ros.bench.peers.peers_segmentation import SegmentFrame, open3d_tutorial
from sam3d_ros.bench.report import best_median_worst
from sam3d_ros.bench.worlds import object_source
from sam3d_ros.core.registry import make_backend
from sam3d_ros.core.types import ByteArray, Frame, IndexArray

PEER = 'Open3D tutorial'
REAL, BOXES = 'real', 'boxes'
"""Sets of real frames: with label images, and with boxes."""
QUICK_FRAMES = 10
WORST_FRAMES = 10
WORLD_FRAMES: Mapping[str, tuple[int, int]] = {'clutter': (24, 4), 'spaced': (12, 3)}
"""Frames of each suite of worlds: full, quick."""


@dataclass(frozen=True, slots=True, eq=False)
class _Result:
    """Scores and times of one way to segment, frame by frame."""

    names: tuple[str, ...]
    scores: tuple[SegmentationScore, ...]
    times_s: tuple[float, ...]
    pictures: tuple[ByteArray, ...]

    @property
    def mean(self) -> SegmentationScore:
        return mean_score(self.scores)

    @property
    def time_s(self) -> float:
        return float(np.median(self.times_s))


def run(options: BenchOptions) -> Measurement:
    """Measure the configured backend and the peer on the same frames, alternating."""
    config = options.config.segmentation
    segmenter = make_backend('segmentation', config.backend, config)

    def ours(frame: Frame) -> IndexArray:
        return label_image(frame, [item.mask for item in segmenter.segment(frame).items])

    ways = {config.backend: ours, PEER: open3d_tutorial}
    notes: list[str] = []
    if options.objects is None:
        notes.append('No scanned objects were given: worlds are made of procedural ones.')
    masked, boxed = _real_files(options, notes)
    known = [REAL] * bool(masked) + [BOXES] * bool(boxed) + list(WORLD_FRAMES)
    values: dict[str, Value] = {}
    tables: list[Table] = []
    pictures: list[Picture] = []
    for name in options.chosen(known):
        if name == BOXES:
            measured = measure_boxes(map(read_box_frame, boxed), ways, options.save_labels)
        elif name == REAL:
            measured = _measured(name, map(read_frame, masked), ways, options.save_labels)
        else:
            full, quick = WORLD_FRAMES[name]
            count = quick if options.quick else full
            source = object_source(options)
            made = world_frames(name, count, options.seed, source, options.sensor)
            measured = _measured(name, made, ways)
        values |= measured.values
        tables += measured.tables
        pictures += measured.pictures
    return Measurement('segmentation', values, tuple(tables), tuple(pictures), tuple(notes))


def label_image(frame: Frame, masks: Sequence[np.ndarray]) -> IndexArray:
    """Return (H, W) int32 labels 1..n of masks; where two overlap, the later one.

    :param frame: that the masks are of.
    """
    labels = np.zeros(frame.depth_m.shape, np.int32)
    for index, mask in enumerate(masks, start=1):
        labels[mask] = index
    return labels


def _real_files(options: BenchOptions, notes: list[str]) -> tuple[list[Path], list[Path]]:
    """Return the real frames with label images, and those with boxes."""
    if not options.data:
        notes.append('No folder of labelled frames was given: real frames are left out.')
    files = [path for folder in options.data for path in frame_files(folder)]
    boxed = [path for path in files if labels_file(path).exists()]
    masked = [path for path in files if not labels_file(path).exists()]
    if options.quick:
        masked = masked[:: max(1, len(masked) // QUICK_FRAMES)]
    return masked, boxed


def _measured(
    name: str,
    frames: Iterable[LabelledFrame],
    ways: Mapping[str, SegmentFrame],
    save: Path | None = None,
) -> Measurement:
    """Run ours and the peer on frames with label images."""
    results = dict(zip(ways, _measure(frames, list(ways.values()), save), strict=True))
    ours, peer = results.values()
    rows = []
    for label, result in results.items():
        mean = result.mean
        figures = [f'{getattr(mean, field):.3f}' for field in mean.__slots__]
        rows.append((label, *figures, f'{result.time_s * 1e3:.0f}'))
    head = ('', *(field.replace('_', ' ') for field in SegmentationScore.__slots__), 'ms')
    table = Table(f'{name}, {len(result.names)} frames', head, tuple(rows))
    overlap = [score.overlap_f for score in ours.scores]
    cases = [
        (f, Picture(f'{name} {frame}: colour, truth, result; overlap F {f:.2f}', image))
        for frame, f, image in zip(ours.names, overlap, ours.pictures, strict=True)
    ]
    pictures = best_median_worst(cases, WORST_FRAMES)
    return Measurement(name, _values(name, ours, peer), (table,), tuple(pictures))


def _measure(
    frames: Iterable[LabelledFrame], ways: Sequence[SegmentFrame], save: Path | None
) -> list[_Result]:
    names: list[str] = []
    scores: list[list[SegmentationScore]] = [[] for _ in ways]
    times: list[list[float]] = [[] for _ in ways]
    pictures: list[list[ByteArray]] = [[] for _ in ways]
    for item in frames:
        if not names:
            for way in ways:
                way(item.frame)  # imports and caches are not what is timed
        names.append(item.name)
        for k, way in enumerate(ways):
            start_s = time.perf_counter()
            labels = way(item.frame)
            times[k].append(time.perf_counter() - start_s)
            scores[k].append(score_labels(labels, item.truth, item.valid, item.others))
            pictures[k].append(_picture(item, labels))
            if save is not None and k == 0:
                save_labels(save, item.name, labels)
    return [
        _Result(tuple(names), tuple(scores[k]), tuple(times[k]), tuple(pictures[k]))
        for k in range(len(ways))
    ]


def _values(name: str, ours: _Result, peer: _Result) -> dict[str, Value]:
    values: dict[str, Value] = {f'{name}_frames': len(ours.names)}
    for prefix, result in ((name, ours), (f'{name}_peer', peer)):
        mean = result.mean
        values |= {f'{prefix}_{field}': getattr(mean, field) for field in mean.__slots__}
        values[f'{prefix}_time_s'] = result.time_s
    values[f'{name}_time_ratio'] = ours.time_s / peer.time_s
    for half in (0, 1):
        if len(ours.scores) > 1:
            part = mean_score(ours.scores[half::2])
            suffix = ('even', 'odd')[half]
            values[f'{name}_{suffix}_overlap_f'] = part.overlap_f
            values[f'{name}_{suffix}_boundary_f'] = part.boundary_f
            values[f'{name}_{suffix}_detected'] = part.detected
    return values


def _picture(item: LabelledFrame, labels: IndexArray) -> ByteArray:
    """Colour, truth and result side by side at half size."""
    palette = np.random.default_rng(5).integers(60, 256, (256, 3)).astype(np.uint8)
    panels = [item.frame.rgb]
    for marks in (item.truth, labels):
        tinted = (item.frame.rgb // 3 + palette[marks % 256] // 3 * 2).astype(np.uint8)
        panels.append(np.where((marks > 0)[..., None], tinted, item.frame.rgb))
    side_by_side = np.concatenate(panels, axis=1)
    height, width = side_by_side.shape[0] // 2, side_by_side.shape[1] // 2
    small = cv2.resize(side_by_side, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8)
