# SPDX-License-Identifier: Apache-2.0
"""Bench of things that range sensors see badly: what a session makes of objects of glass, chrome
and black rubber, and of objects that have lost half of their returns.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from sam3d_ros.bench.harness import BenchOptions, Measurement, Picture, Table, Value
from sam3d_ros.bench.metrics.scoring import SceneScore, score_scene, summary
from sam3d_ros.bench.pictures import compare_meshes
from sam3d_ros.bench.reconstruction import posed
from sam3d_ros.bench.report import best_median_worst
from sam3d_ros.bench.shapes.answers import blinded
from sam3d_ros.bench.worlds import Case, TruthSegmenter, case_of, cases, episode_of
from sam3d_ros.session.session import Session
from sam3d_ros.world.solid import Material, Solid
from sam3d_ros.world.sources import ProceduralSource

EPISODES = (8, 1)
"""Of each kind: full, quick."""
FIRST_SEED = 700
SUITE = 'spaced'
KEPT = 0.5
"""Share of each mask's returns that is left, in one blob, where half of its depth is missing."""
WORST_PICTURED = 10
HALF = 'half'
MADE_OF: Mapping[str, tuple[Material, tuple[int, int, int]]] = {
    'clear': (Material(0.3, 0.8, 0.92), (250, 252, 252)),
    'mirror': (Material(0.5, 1.0, 0.0, 0.9), (205, 205, 210)),
    'black': (Material(0.04, 0.3), (22, 22, 24)),
}
"""What things are made of, and their colour."""
VESSELS = ('bottle', 'bowl', 'can', 'cup', 'jug', 'mug', 'tumbler', 'vase', 'wine_glass')
"""Families that there are of glass, chrome or rubber."""
SHOWN: Mapping[str, str] = {
    'recall': 'recall',
    'precision': 'precision',
    'box_iou': '3D IoU',
    'solid_iou': 'solid IoU',
    'f1_5mm': 'F1 @5mm',
    'chamfer_mm': 'chamfer mm',
}


def run(options: BenchOptions) -> Measurement:
    """Measure the configured pipeline with its own and with the true masks, kind by kind."""
    values: dict[str, Value] = {}
    rows: list[tuple[str, ...]] = []
    pictures: list[Picture] = []
    for kind in options.chosen((HALF, *MADE_OF)):
        own: list[SceneScore] = []
        given: list[SceneScore] = []
        returns: list[float] = []
        gallery: list[tuple[float, Picture]] = []
        for case in _cases(kind, options):
            returns += _returns(case)
            truth = TruthSegmenter(case)
            session = Session.from_config(options.config)
            own.append(_scored(session, case))
            session = Session.from_config(options.config)
            session.segmenter = truth
            given.append(_scored(session, case))
            found = posed(session.known())
            for name, item, score in zip(case.names, case.truth, given[-1].objects, strict=True):
                caption = f'{case.name}: {kind} {name}, true masks; image, truth, result, both '
                caption += f'from behind; solid IoU {score.solid_iou:.2f}'
                picture = compare_meshes(caption, case.frames[-1], [item.mesh], found)
                gallery.append((score.solid_iou, picture))
        pictures += best_median_worst(gallery, WORST_PICTURED)
        values[f'{kind}_returns'] = float(np.mean(returns))
        for way, scores in (('own', own), ('given', given)):
            figures = summary(scores)
            values |= {f'{kind}_{way}_{name}': figures[name] for name in SHOWN}
            label = f'{kind}, {"own" if way == "own" else "true"} masks'
            rows.append((label, *(f'{figures[name]:.3f}' for name in SHOWN)))
        rows[-1] = (f'{rows[-1][0]} ({np.mean(returns):.0%} have returns)', *rows[-1][1:])
    title = 'Things that range sensors see badly'
    table = Table(title, ('', *SHOWN.values()), tuple(rows))
    return Measurement('holes', values, (table,), tuple(pictures))


def of_material(solid: Solid, kind: str) -> Solid:
    """Return a thing made of something else.

    :param kind: key of ``MADE_OF``.
    """
    material, color = MADE_OF[kind]
    colors = np.tile(np.array(color, np.uint8), (len(solid.vertices_m), 1))
    return replace(solid, material=material, colors=colors, texture=None)


def _cases(kind: str, options: BenchOptions) -> Iterator[Case]:
    count = EPISODES[options.quick]
    if kind == HALF:
        for case in cases(SUITE, count, replace(options, seed=options.seed + FIRST_SEED)):
            truth = TruthSegmenter(case)
            frames = (blinded(frame, truth, KEPT, k) for k, frame in enumerate(case.frames))
            yield replace(case, frames=tuple(frames))
        return
    for seed in range(options.seed + FIRST_SEED, options.seed + FIRST_SEED + count):
        episode = episode_of(SUITE, seed, ProceduralSource(VESSELS), options.sensor)
        objects = tuple(of_material(solid, kind) for solid in episode.objects)
        yield case_of(replace(episode, objects=objects))


def _returns(case: Case) -> list[float]:
    """Share of the pixels of each true mask of the last frame that have a return."""
    frame = case.frames[-1]
    masks = [item.mask for item in TruthSegmenter(case).segment(frame).items]
    return [float(np.isfinite(frame.depth_m[mask]).mean()) for mask in masks]


def _scored(session: Session, case: Case) -> SceneScore:
    for frame in case.frames:
        session.step(frame)
    return score_scene(posed(session.known()), case.truth, emd=False)
