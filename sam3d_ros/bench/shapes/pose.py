# SPDX-License-Identifier: Apache-2.0
"""Bench of poses: the mesh made from the first view, looked for in each later view anew.

As Any6D and other methods that have one RGB-D anchor: where the mesh was made, it gets the true
object's frame; from then on the pose found for the mesh is a pose of the true model. Masks are
given, what is up is known, where the camera has gone is not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace

import numpy as np
from scipy.spatial.transform import Rotation

from sam3d_ros.bench.harness import BenchOptions, Measurement, Picture, Table, Value
from sam3d_ros.bench.metrics import metrics_pose
from sam3d_ros.bench.metrics.metrics_layout import diameter
from sam3d_ros.bench.metrics.scoring import PosedMesh
from sam3d_ros.bench.pictures import compare_meshes
from sam3d_ros.bench.worlds import Case, TruthSegmenter, cases
from sam3d_ros.core.types import Frame
from sam3d_ros.geometry.shapes.symmetries import looks_same, same_poses, symmetry_of
from sam3d_ros.geometry.transforms import apply, inverse, rotation_angle, transform, upright_axes
from sam3d_ros.reconstruction.completion.completer import Completer, Job
from sam3d_ros.reconstruction.pose.layout import Placed
from sam3d_ros.reconstruction.pose.relocation import relocated
from sam3d_ros.reconstruction.views import View, crop_view

COUNTS = {'spaced': (8, 1), 'clutter': (4, 0)}
"""Episodes of each suite: full, quick."""
FRAMES, SWEEP_DEG = 4, 120.0
LEAST_POINTS = 60
WORST_PICTURED = 10
HEADINGS = {
    'found': 'found',
    'ar': 'BOP AR',
    'ar_vsd': 'AR VSD',
    'ar_mssd': 'AR MSSD',
    'ar_mspd': 'AR MSPD',
    'add_below_01': 'ADD @0.1 d',
    'add_s_below_01': 'ADD-S @0.1 d',
    'rotation_deg': 'rotation p50, deg',
    'scale_error': 'scale error',
}


@dataclass(frozen=True, slots=True)
class PoseScore:
    """How one object was found in one view; field names carry the unit.

    :param rotation_deg: from the nearest of all poses in which the true model looks the same.
    :param scale_error: relative error of the mesh's diameter.
    """

    found: float
    ar_vsd: float
    ar_mssd: float
    ar_mspd: float
    add_below_01: float
    add_s_below_01: float
    rotation_deg: float
    scale_error: float


@dataclass(frozen=True, slots=True, eq=False)
class Sought:
    """One object in one later view.

    :param model: the true mesh where it really is, fixed frame.
    :param found: the true mesh where it was found, None = nowhere.
    """

    name: str
    frame: Frame
    model: PosedMesh
    found: PosedMesh | None
    score: PoseScore


def run(options: BenchOptions) -> Measurement:
    """Make meshes from first views by the configured backend, and look for them."""
    values: dict[str, Value] = {}
    rows: list[tuple[str, ...]] = []
    pictures: list[Picture] = []
    completer = Completer(options.config.reconstruction)
    for suite in options.chosen(COUNTS):
        full, quick = COUNTS[suite]
        count = quick if options.quick else full
        sought = [
            item
            for case in cases(suite, count, options, frames=FRAMES, sweep_deg=SWEEP_DEG)
            for item in look_for(case, completer, options)
        ]
        if not sought:
            continue
        figures = summary([item.score for item in sought])
        values |= {f'{suite}_{name}': value for name, value in figures.items()}
        values[f'{suite}_views'] = len(sought)
        rows.append((suite, *(f'{figures[name]:.3g}' for name in HEADINGS)))
        sought.sort(key=lambda item: item.score.ar_mssd + item.score.ar_vsd)
        for place, item in enumerate(sought[:WORST_PICTURED], start=1):
            caption = f'Worst pose {place} of {len(sought)}: {item.name}; true model where it is, '
            caption += f'and where it was found; rotation {item.score.rotation_deg:.0f} deg'
            found = [] if item.found is None else [item.found]
            pictures.append(compare_meshes(caption, item.frame, [item.model], found))
    title = f'the mesh of the first view in {FRAMES - 1} later ones, over {SWEEP_DEG:.0f} degrees'
    note = (
        'Worlds of scans that no training saw; up is known, as to a robot, and masks are given. '
        'Published AR of methods with one anchor are of real videos with hands and with masks of '
        'detectors, and know nothing of up.'
    )
    table = Table(title, ('', *HEADINGS.values()), tuple(rows))
    return Measurement('pose', values, (table,), tuple(pictures), (note,))


def look_for(case: Case, completer: Completer, options: BenchOptions) -> Iterator[Sought]:
    """Yield every object of a case's first frame in every later frame that shows enough of it.

    :param completer: makes the meshes.
    :param options: of the bench.
    """
    segmenter = TruthSegmenter(case)
    anchors = _views(case, 0, segmenter)
    jobs = [
        Job(k, (view,), options.config.reconstruction.completer) for k, view in anchors.items()
    ]
    shapes = {item.track_id: item.shape for item in completer.complete(jobs)}
    for number in range(1, len(case.frames)):
        frame, truth = case.frames[number], case.samples[number].truth
        T_cam_fixed = inverse(frame.T_fixed_cam)
        for k, view in _views(case, number, segmenter).items():
            shape = shapes.get(k)
            if shape is None or np.count_nonzero(view.own) < LEAST_POINTS:
                continue
            # Ref is the fixed frame: at the first view mesh and truth are both where they are.
            local = shape.moved(inverse(_standing(shape.mesh.vertices_m)))
            up = T_cam_fixed[:3, :3] @ np.array([0.0, 0.0, 1.0])
            start = transform(upright_axes(up).T, np.array([0.0, 0.0, 1.0]))
            one = replace(view, T_ref_cam=np.eye(4))
            answer = relocated(Placed(local, one, start), options.config.reconstruction.layout)
            T_first = case.samples[0].truth.T_fixed_obj[k]
            T_true = T_cam_fixed @ truth.T_fixed_obj[k]
            model = PosedMesh(
                apply(
                    inverse(case.samples[-1].truth.T_fixed_obj[k]), case.truth[k].mesh.vertices_m
                ),
                case.truth[k].mesh.faces,
            )
            T_found = None
            if answer is not None:
                T_found = answer[0] @ inverse(_standing(shape.mesh.vertices_m)) @ T_first
            size = diameter(shape.mesh.vertices_m.astype(np.float64))
            score = score_pose(T_found, T_true, model, frame, size)
            placed = (
                None
                if T_found is None
                else PosedMesh(apply(frame.T_fixed_cam @ T_found, model.vertices_m), model.faces)
            )
            real = PosedMesh(apply(frame.T_fixed_cam @ T_true, model.vertices_m), model.faces)
            name = f'{case.name}, frame {number}: {case.names[k]}'
            yield Sought(name, frame, real, placed, score)


def score_pose(
    T_found: np.ndarray | None,
    T_true: np.ndarray,
    model: PosedMesh,
    frame: Frame,
    size_m: float,
) -> PoseScore:
    """Score one pose of a true model.

    :param T_found: (4, 4) model to optical frame; None = it was found nowhere.
    :param T_true: (4, 4) where it is.
    :param model: in its own frame.
    :param frame: that shows it.
    :param size_m: diameter of the mesh that was looked for.
    """
    points = model.samples()
    true_m = diameter(points)
    scale_error = abs(size_m / true_m - 1.0)
    if T_found is None:
        return PoseScore(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 180.0, scale_error)
    same = all_same(model, inverse(T_true) @ T_found)
    vertices = points[::4]
    surface = metrics_pose.mssd(T_found, T_true, same, vertices)
    projection = metrics_pose.mspd(T_found, T_true, same, vertices, frame.camera)
    mesh = (model.vertices_m, model.faces)
    turned = min(rotation_angle(inverse(T_true @ S) @ T_found) for S in same)
    return PoseScore(
        found=1.0,
        ar_vsd=metrics_pose.vsd_recall(T_found, T_true, mesh, frame.depth_m, frame.camera, true_m),
        ar_mssd=metrics_pose.surface_recall(surface, true_m),
        ar_mspd=metrics_pose.projection_recall(projection),
        add_below_01=float(metrics_pose.add(T_found, T_true, points) < 0.1 * true_m),
        add_s_below_01=float(metrics_pose.add_s(T_found, T_true, points) < 0.1 * true_m),
        rotation_deg=float(np.degrees(turned)),
        scale_error=scale_error,
    )


def all_same(model: PosedMesh, T_true_found: np.ndarray) -> np.ndarray:
    """Return (K, 4, 4) motions of a model that nobody can see, the identity first.

    Beside those of its symmetry, half turns about its other axes, as a box has; of a ball the one
    that makes good whatever turn was found.

    :param T_true_found: (4, 4) from where it was found to where it is.
    """
    points = model.samples()
    middle = points.mean(axis=0)

    def about_the_middle(R: np.ndarray) -> np.ndarray:
        return transform(R, middle - R @ middle)

    same = same_poses(symmetry_of(model.vertices_m, model.faces))
    if all(looks_same(points, R) for R in Rotation.random(3, random_state=0).as_matrix()):
        return np.concatenate([same, about_the_middle(T_true_found[:3, :3])[None]])
    for axis in np.linalg.eigh(np.cov((points - middle).T))[1].T:
        flip = 2.0 * np.outer(axis, axis) - np.eye(3)
        if looks_same(points, flip):
            same = np.concatenate([same, same @ about_the_middle(flip)])
    return same


def summary(scores: list[PoseScore]) -> dict[str, float]:
    """Return means over all views, of rotations the median; AR is the mean of its three parts."""
    means = {
        field.name: float(np.mean([getattr(item, field.name) for item in scores]))
        for field in fields(PoseScore)
    }
    means['rotation_deg'] = float(np.median([item.rotation_deg for item in scores]))
    return means | {'ar': (means['ar_vsd'] + means['ar_mssd'] + means['ar_mspd']) / 3}


def _standing(vertices: np.ndarray) -> np.ndarray:
    """(4, 4) from a frame in the middle of a mesh, upright, to the frame it is in."""
    middle = (vertices.min(axis=0) + vertices.max(axis=0)) / 2
    return transform(np.eye(3), middle.astype(np.float64))


def _views(case: Case, number: int, segmenter: TruthSegmenter) -> dict[int, View]:
    """Views of a frame by the number of the object in the truth's order."""
    frame = case.frames[number]
    instances = segmenter.segment(frame)
    return {
        int(item.source.rpartition(':')[2]) - 1: crop_view(frame, instances, at)
        for at, item in enumerate(instances.items)
    }
