# SPDX-License-Identifier: Apache-2.0
"""Bench ``clicks``: how well, and how soon, a click or a hand-drawn box is answered.

Every object is asked for once by each kind of prompt, of the odd real frames and of clutter made
of test scans. A click is then corrected twice, as in the training of SAM (Kirillov et al., ICCV
2023, section 5): by a click in the middle of the largest region that is wrong. Handles, caps and
lids of made-up mugs, pans, bottles and pots are clicked on, too: the alternative that fits best
counts.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from scipy.spatial import cKDTree

from sam3d_ros.bench.harness import BenchOptions, Measurement, Table
from sam3d_ros.bench.masks.real_frames import labels_file
from sam3d_ros.bench.masks.scenes_segmentation import (
    LabelledFrame,
    frame_files,
    read_frame,
    world_frames,
)
from sam3d_ros.bench.metrics.metrics_layout import calibration_error
from sam3d_ros.bench.worlds import as_measured, episode_of, object_source
from sam3d_ros.core.interfaces import Segmenter
from sam3d_ros.core.registry import make_backend
from sam3d_ros.core.types import BoolArray, BoxPrompt, FloatArray, Frame, PointPrompt, Prompt
from sam3d_ros.geometry.masks import mask_iou
from sam3d_ros.geometry.transforms import apply, inverse
from sam3d_ros.session.prompts.answers import SURE
from sam3d_ros.world.samples import samples
from sam3d_ros.world.solid import Solid
from sam3d_ros.world.sources import ProceduralSource

LEAST_AREA_PX = 300
CLUTTER_FRAMES, PART_FRAMES = (24, 4), (16, 3)
"""Full, quick."""
QUICK_FRAMES = 4
CORRECTIONS = 2
LEAST_PART_PX = 120
PARTED = (('spaced', ('mug', 'pan', 'bottle'), 1), ('pair', ('pot',), 2))
"""Suites and families with parts, and of which share of the worlds: every, every second."""
LIDDED = 4
"""Pieces of a pot with a lid, which is the last of them."""
RIM_PX = 5
"""Clicks keep half of this away from the rim of a thing where they can."""
BOX_SIGMA = 0.05
"""Error of a box's sides, of its size."""


def ask(item: LabelledFrame, rng: np.random.Generator) -> Iterator[tuple[str, Prompt, BoolArray]]:
    """Yield kind, prompt and true mask of a click and a box for every object of a frame.

    :param item: the frame with its true masks.
    :param rng: draws where the clicks fall.
    """
    for k in np.unique(item.truth[item.truth > 0]):
        mask = (item.truth == k) & item.valid
        if mask.sum() < LEAST_AREA_PX:
            continue
        inner = cv2.erode(mask.astype(np.uint8), np.ones((RIM_PX, RIM_PX), np.uint8)) > 0
        rows, columns = np.nonzero(inner if inner.any() else mask)
        pick = int(rng.integers(len(rows)))
        yield 'click', PointPrompt(((float(columns[pick]), float(rows[pick])),), (1,)), mask
        left, top, width, height = cv2.boundingRect(mask.astype(np.uint8))
        box = np.array([left, top, left + width, top + height], np.float64)
        box += rng.normal(0, BOX_SIGMA, 4) * [width, height, width, height]
        sides = np.clip(box, 0, [*mask.shape[::-1]] * 2).tolist()
        yield 'box', BoxPrompt((sides[0], sides[1], sides[2], sides[3])), mask


def answered(
    segmenter: Segmenter, frames: Iterable[LabelledFrame], seed: int
) -> dict[str, list[float]]:
    """Return the IoU of the first answer to every prompt, by kind; 0 where there is none.

    ``corrected 1`` and so on are of a click's answer after so many corrections; ``seconds`` are
    from a click to its first answer, with the encoding at hand; ``predicted`` is the IoU that the
    answer to a click says it has.

    :param segmenter: who answers.
    :param frames: with their true masks.
    :param seed: of where the clicks fall.
    """
    scores: dict[str, list[float]] = defaultdict(list)
    for number, item in enumerate(frames):
        segmenter.segment(item.frame)
        for kind, prompt, mask in ask(item, np.random.default_rng([seed, number])):
            start_s = time.perf_counter()
            mine, predicted = _answer(segmenter, item, prompt)
            if kind == 'click':
                scores['seconds'].append(time.perf_counter() - start_s)
                scores['predicted'].append(predicted)
            scores[kind].append(mask_iou(mine, mask))
            if not isinstance(prompt, PointPrompt):
                continue
            clicks = prompt
            for count in range(1, CORRECTIONS + 1):
                clicks = correction(clicks, mine, mask, item.valid)
                if clicks.before is not None:
                    mine, _ = _answer(segmenter, item, clicks)
                scores[f'corrected {count}'].append(mask_iou(mine, mask))
    return scores


def correction(
    prompt: PointPrompt, mine: BoolArray, mask: BoolArray, valid: BoolArray
) -> PointPrompt:
    """Return a prompt with one click more: in the middle of the largest region that is wrong.

    :param prompt: with all clicks so far.
    :param mine: (H, W) bool, what it was answered with.
    :param mask: (H, W) bool, what it means.
    :param valid: (H, W) bool, pixels that carry truth.
    """
    best = (0, 0.0, 0.0, 1)
    for region, label in ((mask & ~mine, 1), (mine & ~mask & valid, 0)):
        count, of, stats, _ = cv2.connectedComponentsWithStats(region.astype(np.uint8))
        if count < 2:
            continue
        k = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
        inner = cv2.distanceTransform(np.pad(of == k, 1).astype(np.uint8), cv2.DIST_L2, 3)
        row, column = np.unravel_index(inner.argmax(), inner.shape)
        area = int(stats[k, cv2.CC_STAT_AREA])
        best = max(best, (area, float(column) - 1, float(row) - 1, label))
    area, u, v, label = best
    if not area:
        return PointPrompt(prompt.points_px, prompt.labels)
    before = np.where(mine, SURE, -SURE).astype(np.float32)
    return PointPrompt((*prompt.points_px, (u, v)), (*prompt.labels, label), before)


def _answer(segmenter: Segmenter, item: LabelledFrame, prompt: Prompt) -> tuple[BoolArray, float]:
    """Return the mask of the first answer, where there is truth, and its score."""
    found = segmenter.segment(item.frame, [prompt]).items
    if not found:
        return np.zeros_like(item.valid), 0.0
    return found[0].mask & item.valid, found[0].score


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """A part of an object in a frame: (H, W) bool of it."""

    frame: Frame
    name: str
    mask: BoolArray


def parts(count: int, options: BenchOptions) -> Iterator[Part]:
    """Yield the handles, caps and lids of mugs, pans, bottles and pots in made-up worlds.

    :param count: of worlds.
    :param options: seed and sensor.
    """
    worlds = [
        (suite, number, families)
        for suite, families, every in PARTED
        for number in range(options.seed, options.seed + -(-count // every))
    ]
    for suite, number, families in worlds:
        episode = episode_of(suite, number, ProceduralSource(families), options.sensor)
        drawn = next(samples(episode))
        frame = next(as_measured([drawn]))
        rows, columns = np.nonzero((drawn.rendering.instances > 0) & np.isfinite(frame.depth_m))
        points = apply(episode.T_fixed_cam[0], frame.pointmap[rows, columns].astype(np.float64))
        of = drawn.rendering.instances[rows, columns]
        for k, solid in enumerate(episode.objects, start=1):
            name, is_part = _part_of(solid, apply(inverse(episode.T_fixed_obj[0][k - 1]), points))
            mask = np.zeros(frame.depth_m.shape, bool)
            mask[rows, columns] = (of == k) & is_part
            if np.count_nonzero(mask) >= LEAST_PART_PX:
                yield Part(frame, name, mask)


def _part_of(solid: Solid, points: FloatArray) -> tuple[str, BoolArray]:
    """Return the name of a solid's part, and which (N, 3) points in its frame are of it."""
    if solid.family == 'bottle':
        return 'cap', points[:, 2] > 0.4 * solid.extents_m[2]
    if solid.family == 'pot':
        assert solid.piece_of is not None
        of_lid = np.zeros(len(solid.vertices_m), bool)
        of_lid[solid.faces[solid.piece_of == LIDDED - 1]] = True
        return 'lid', of_lid[cKDTree(solid.vertices_m).query(points)[1]]
    body = float(solid.vertices_m[:, 0].min()) + solid.extents_m[1]
    return 'handle', points[:, 0] > body + 0.002


def run(options: BenchOptions) -> Measurement:
    """Ask the configured backend for every object and part.

    :param options: data, scans, seed, sensor, suites and configuration.
    """
    segmentation = options.config.segmentation
    segmenter = make_backend('segmentation', segmentation.backend, segmentation)
    values: dict[str, float] = {}
    rows = []
    quick = int(options.quick)
    for suite in options.chosen([*['real'] * bool(options.data), 'clutter', 'parts']):
        scores: dict[str, list[float]] = defaultdict(list)
        if suite == 'parts':
            for part in parts(PART_FRAMES[quick], options):
                inner = cv2.distanceTransform(part.mask.astype(np.uint8), cv2.DIST_L2, 3)
                row, column = np.unravel_index(inner.argmax(), inner.shape)
                click = PointPrompt(((float(column), float(row)),), (1,))
                found = segmenter.segment(part.frame, [click]).items
                scores[part.name].append(max(mask_iou(it.mask, part.mask) for it in found))
        elif suite == 'real':
            files = [p for folder in options.data for p in labelled(folder)][1::2]
            frames = map(read_frame, files[:QUICK_FRAMES] if options.quick else files)
            scores |= answered(segmenter, frames, options.seed)
        else:
            source = object_source(options)
            drawn = world_frames(
                suite, CLUTTER_FRAMES[quick], options.seed, source, options.sensor
            )
            scores |= answered(segmenter, drawn, options.seed)
        if told := scores.pop('predicted', None):
            error = calibration_error(np.array(told), np.array(scores['click']))
            values[f'{suite}_predicted_iou_error'] = error
            rows.append(
                (suite, 'predicted IoU, calibration error', f'{error:.3f}', f'{len(told)}')
            )
        for kind, found_scores in scores.items():
            key = kind.replace(' ', '_')
            if kind == 'seconds':
                values[f'{suite}_click_median_s'] = float(np.median(found_scores))
                values[f'{suite}_click_p95_s'] = float(np.percentile(found_scores, 95))
                continue
            values[f'{suite}_{key}_iou'] = float(np.mean(found_scores))
            rows.append((suite, kind, f'{np.mean(found_scores):.3f}', f'{len(found_scores)}'))
    for key, value in values.items():
        suite, _, what = key.partition('_')
        if what.endswith('_s'):
            rows.append((suite, what, f'{value:.3f}', ''))
    table = Table(
        'Clicks, corrections, boxes and parts', ('suite', 'what', 'IoU', 'asked'), tuple(rows)
    )
    return Measurement('clicks', values, (table,))


def labelled(folder: Path) -> list[Path]:
    """Return those frames of a folder that have masks, sorted by name."""
    return [path for path in frame_files(folder) if not labels_file(path).exists()]
