# SPDX-License-Identifier: Apache-2.0
"""Bench of symmetry and canonical orientation: what is published against the true meshes'.

The truth of a symmetry is what the same geometry says of the true mesh. Frames of scans do not say
which way is up; procedural solids are built upright, and of those that belong one way up the truth
is their z, or any direction that the shape cannot tell from it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import product

import numpy as np
from scipy.spatial.transform import Rotation

from sam3d_ros.bench.harness import BenchOptions, Measurement, Picture, Table, Value
from sam3d_ros.bench.metrics.scoring import PosedMesh, matched
from sam3d_ros.bench.pictures import compare_meshes
from sam3d_ros.bench.reconstruction import posed
from sam3d_ros.bench.worlds import TruthSegmenter, cases
from sam3d_ros.core.solids import Symmetry
from sam3d_ros.core.types import FloatArray
from sam3d_ros.geometry.shapes.symmetries import OPEN, looks_same, sight_m, symmetry_of
from sam3d_ros.session.session import Session

COUNTS = {'spaced': (12, 2), 'clutter': (6, 0)}
"""Episodes of each suite, of scans and of procedural solids each: full, quick."""
STANDING = {'bottle', 'bowl', 'can', 'cup', 'flat', 'mug', 'pan', 'plate', 'tray', 'vase'}
"""Families that belong one way up; of vases those that are open: the others are solid and have an
outline drawn at random, either end of which may be the foot."""
UP_DEG = 30.0
"""A direction that is off by less is right."""
YAWS_RAD = np.deg2rad(np.arange(0.0, 360.0, 5.0))
WORST_PICTURED = 10


def run(options: BenchOptions) -> Measurement:
    """Compare what the configured pipeline says, by true masks, with the true meshes."""
    values: dict[str, Value] = {}
    rows: list[tuple[str, ...]] = []
    pictures: list[Picture] = []
    confusions: Counter[tuple[str, str]] = Counter()
    made_of = {'scans': options, 'procedural': replace(options, objects=None)}
    if options.objects is None:
        del made_of['scans']
    for suite, source in product(options.chosen(COUNTS), made_of):
        full, quick = COUNTS[suite]
        same: list[bool] = []
        up: list[bool] = []
        standing: list[bool] = []
        axis: list[bool] = []
        for case in cases(suite, quick if options.quick else full, made_of[source]):
            session = Session.from_config(options.config)
            session.segmenter = TruthSegmenter(case)
            for frame in case.frames:
                scene = session.step(frame).scene
            objects = [item for item in scene.objects if len(item.mesh.faces)]
            found = posed(scene)
            for row, k in matched(found, case.truth):
                item, truth = objects[row], case.truth[k].mesh
                if item.mesh.symmetry is None or item.mesh.up is None:
                    continue
                R = item.T_fixed_obj[:3, :3]
                real = symmetry_of(truth.vertices_m, truth.faces)
                said, known = class_of(item.mesh.symmetry), class_of(real)
                confusions[known, said] += 1
                same.append(said == known)
                if same[-1] and real.kind in ('mirror', 'revolution'):
                    here = R @ item.mesh.symmetry.axis
                    axis.append(any(is_up(sign * here, real.axis, truth) for sign in (1, -1)))
                is_right = True
                family = case.names[k].partition('_')[0]
                true_up = case.samples[-1].truth.T_fixed_obj[k][:3, 2]
                middle = truth.vertices_m.mean(axis=0)
                depth_m = sight_m(truth.vertices_m, truth.faces, true_up, middle)
                is_open = depth_m > OPEN * np.ptp(truth.vertices_m @ true_up)
                stands = family in STANDING and (is_open or family != 'vase')
                if source == 'procedural' and stands:
                    is_right = is_up(R @ item.mesh.up, true_up, truth)
                    up.append(is_right)
                    standing.append(is_up(np.array([0.0, 0.0, 1.0]), true_up, truth))
                is_wrong = not same[-1] or not is_right
                if is_wrong and len(pictures) < WORST_PICTURED:
                    caption = f'{case.name}: {case.names[k]}; {known}, said to be {said}; up is '
                    caption += 'right or not asked' if is_right else 'wrong'
                    shown = [found[row]]
                    pictures.append(compare_meshes(caption, case.frames[-1], [truth], shown))
        figures = {
            'symmetry_right': _share(same),
            'axis_right': _share(axis),
            'up_right': _share(up),
            'up_as_it_stands_right': _share(standing),
        }
        values |= {f'{suite}_{source}_{name}': value for name, value in figures.items()}
        values[f'{suite}_{source}_objects'] = len(same)
        rows.append(
            (f'{suite}, {len(same)} {source}', *(f'{value:.2f}' for value in figures.values()))
        )
    head = ('', 'class', 'axis where the class is right', 'up', 'up, if all stood as they belong')
    tables = (
        Table('share that is right', head, tuple(rows)),
        Table(
            'classes',
            ('the true mesh', 'said', 'objects'),
            tuple((*pair, str(count)) for pair, count in confusions.most_common()),
        ),
    )
    return Measurement('canonical', values, tables, tuple(pictures))


def class_of(symmetry: Symmetry) -> str:
    """Return the class of a symmetry in words: its kind, and the fold of a rotation."""
    return f'{symmetry.fold}-fold' if symmetry.kind == 'rotation' else symmetry.kind


def is_up(found: FloatArray, true: FloatArray, mesh: PosedMesh) -> bool:
    """Return whether a direction is up for a shape, or cannot be told from it.

    :param found: (3,) unit.
    :param true: (3,) unit.
    :param mesh: the true shape, where it is.
    """
    turn, _ = Rotation.align_vectors(found[None], true[None])
    if turn.magnitude() <= np.deg2rad(UP_DEG):
        return True
    points = mesh.samples()
    # About the direction found, a shape that is the same upside down may have to turn first.
    yaws = Rotation.from_rotvec(YAWS_RAD[:, None] * found)
    return any(looks_same(points, (yaw * turn).as_matrix()) for yaw in yaws)


def _share(right: list[bool]) -> float:
    return float(np.mean(right)) if right else float('nan')
