# SPDX-License-Identifier: Apache-2.0
"""Sequences in which things happen: are objects still the same ones afterwards?

The suite ``events`` of the world (:mod:`sam3d_ros.world.events`), scored from frame 5 on, without
look-ahead.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import tee

import numpy as np

from sam3d_ros.bench.calibration import Calibration
from sam3d_ros.bench.harness import BenchOptions, Picture, Table, Value
from sam3d_ros.bench.metrics.metrics_layout import coverage
from sam3d_ros.bench.metrics.metrics_tracking import (
    FrameBoxes,
    frames_until_absent,
    hota,
    id_switches,
    same_ids,
)
from sam3d_ros.bench.metrics.scoring import PosedMesh, Reference, within_region
from sam3d_ros.bench.pictures import boxes
from sam3d_ros.bench.worlds import as_measured, episode_of, object_source
from sam3d_ros.core.types import BoolArray, FloatArray, Frame, ObjectState, Scene
from sam3d_ros.geometry.transforms import apply, rotation_angle
from sam3d_ros.pointmaps.odometry.odometry import LostError, Odometry
from sam3d_ros.session.session import Session
from sam3d_ros.world.episode import Episode
from sam3d_ros.world.events import AWAY, BACK, FRAMES, VANISHED
from sam3d_ros.world.samples import samples
from sam3d_ros.world.truth import FrameTruth

SEQUENCES = 3
FIRST_SCORED = 5
LEAST_PX = 400
"""Pixels of an object in view from which it should be found."""
CALIBRATED_EVERY = 10
SURE_BEFORE = 10
"""An object's id is the one it had most often in so many frames before the camera looked away."""
FOUND, GHOST, MISSED = (40, 200, 60), (240, 60, 50), (60, 120, 255)
HEADINGS = {
    'hota': 'HOTA',
    'detection': 'detection',
    'association': 'association',
    'id_switches': 'id switches',
    'same_id': 'same id afterwards',
    'ghosts': 'ghosts a frame',
    'absent_after_frames': 'frames until absence is known',
    'jitter_p95_mm': 'jitter p95, mm',
    'jitter_p95_deg': 'jitter p95, deg',
    'within_1_sigma': 'within 1 sigma',
    'within_2_sigma': 'within 2 sigma',
}


@dataclass(slots=True)
class Sequence:
    """What was true and what was told of one sequence.

    :param pictures: each with the number of ghosts, misses and switches that it shows.
    """

    frames: list[FrameBoxes] = field(default_factory=list)
    steps_mm: list[float] = field(default_factory=list)
    steps_deg: list[float] = field(default_factory=list)
    calibration: Calibration = field(default_factory=Calibration)
    pictures: list[tuple[int, Picture]] = field(default_factory=list)

    def absences(self) -> list[int]:
        """Return for each object that went: frames until it was known that it had gone."""
        delays = []
        present = np.array([frame.present for frame in self.frames])
        for k in np.flatnonzero(~present[-1]).tolist():
            gone = int(np.argmin(present[:, k]))
            known = [ids[k] for f in self.frames[:gone] if k in (ids := f.known_as())]
            if known:
                shown = max(gone, BACK) if gone == AWAY else gone
                place = self.frames[gone - 1].true_bounds[k]
                delay = frames_until_absent(self.frames[shown:], known[-1], place)
                delays.append(FRAMES if delay is None else delay)
        return delays


def measure(options: BenchOptions) -> tuple[dict[str, Value], Table, tuple[Picture, ...]]:
    """Return figures, a table and the worst frame of each sequence."""
    followed = [
        follow(episode, options)
        for seed in range(options.seed, options.seed + SEQUENCES)
        for episode in [episode_of('events', seed, object_source(options), options.sensor)]
    ]
    total = figures_of(followed)
    rows = [('all', *(f'{value:.2f}' for value in total.values()))]
    for number, sequence in enumerate(followed, start=options.seed):
        single = figures_of([sequence])
        rows.append((f'sequence {number}', *(f'{value:.2f}' for value in single.values())))
    title = (
        f'events: {SEQUENCES} sequences of {FRAMES} frames, own masks, from frame {FIRST_SCORED}'
    )
    table = Table(title, ('', *HEADINGS.values()), tuple(rows))
    worst = tuple(max(s.pictures, key=lambda scored: scored[0])[1] for s in followed)
    return {f'events_{name}': value for name, value in total.items()}, table, worst


def follow(episode: Episode, options: BenchOptions, odometry: Odometry | None = None) -> Sequence:
    """Step a session through an episode and write down what it tells.

    :param options: of the bench.
    :param odometry: says where the camera is, and nobody where up is; None = the truth does.
    """
    session = Session.from_config(options.config)
    sequence = Sequence()
    poses: dict[int, FloatArray] = {}
    drawn, measured = tee(samples(episode))
    for number, (sample, frame) in enumerate(zip(drawn, as_measured(measured), strict=True)):
        truth = sample.truth
        placed = frame if odometry is None else _placed(frame, odometry)
        scene = session.scene() if placed is None else session.step(placed).scene
        if scene is None:
            continue
        told = _told(scene, episode, truth)
        sequence.frames.append(told)
        if number < FIRST_SCORED:
            continue
        is_still = (truth.T_fixed_obj == episode.T_fixed_obj[number - 1]).all(axis=(1, 2))
        _note_jitter(sequence, scene, poses, is_still)
        sequence.pictures.append(_picture(frame, told, f'seed {episode.seed}, frame {number}'))
        if number % CALIBRATED_EVERY == 0:
            sequence.calibration.add(scene, _references(episode, truth))
    return sequence


def _placed(frame: Frame, odometry: Odometry) -> Frame | None:
    """Return a frame where odometry says it is; None = that is lost."""
    try:
        place = odometry.place(frame.stamp_ns, frame.rgb, frame.depth_m, frame.camera)
    except LostError:
        return None
    return replace(
        frame,
        fixed_frame=place.frame,
        T_fixed_cam=place.T_odom_cam,
        pose_covariance=place.covariance,
        up_cam=None,
    )


def figures_of(sequences: list[Sequence]) -> dict[str, float]:
    """Return the figures of some sequences together."""
    scored = [sequence.frames[FIRST_SCORED:] for sequence in sequences]
    scores = [hota(frames) for frames in scored]
    same = [
        is_same
        for s in sequences
        for is_same in same_ids(s.frames[AWAY - SURE_BEFORE : AWAY], s.frames[BACK:VANISHED])
    ]
    ghosts = [len(frame.ghosts()) for frames in scored for frame in frames]
    delays = [delay for sequence in sequences for delay in sequence.absences()]
    errors = [
        error for s in sequences for error in s.calibration.position + s.calibration.rotation
    ]
    one, two = coverage(np.array(errors))
    return {
        'hota': _mean([score.hota for score in scores]),
        'detection': _mean([score.detection for score in scores]),
        'association': _mean([score.association for score in scores]),
        'id_switches': _mean([id_switches(frames) for frames in scored]),
        'same_id': _mean(same),
        'ghosts': _mean(ghosts),
        'absent_after_frames': _mean(delays),
        'jitter_p95_mm': _p95([step for s in sequences for step in s.steps_mm]),
        'jitter_p95_deg': _p95([step for s in sequences for step in s.steps_deg]),
        'within_1_sigma': one,
        'within_2_sigma': two,
    }


def _told(scene: Scene, episode: Episode, truth: FrameTruth) -> FrameBoxes:
    """Return the true boxes of a frame and those of objects said to be seen or hidden."""
    true = np.stack(
        [
            PosedMesh(apply(T, solid.vertices_m.astype(np.float64)), solid.faces).bounds()
            for T, solid in zip(truth.T_fixed_obj, episode.objects, strict=True)
        ]
    )
    pixels = np.bincount(truth.instances.reshape(-1), minlength=len(true) + 1)[1:]
    items = [
        item
        for item in scene.objects
        if item.state in (ObjectState.VISIBLE, ObjectState.OCCLUDED) and len(item.mesh.vertices_m)
    ]
    found = [apply(i.T_fixed_obj, i.mesh.vertices_m.astype(np.float64)) for i in items]
    bounds = np.array([[v.min(axis=0), v.max(axis=0)] for v in found]).reshape(-1, 2, 3)
    ids = np.array([item.id for item in items], np.int64)
    near = within_region(bounds.mean(axis=1), true)
    return FrameBoxes(true, truth.present, pixels >= LEAST_PX, ids[near], bounds[near])


def _note_jitter(
    sequence: Sequence, scene: Scene, poses: dict[int, FloatArray], is_still: BoolArray
) -> None:
    """Add how far the visible objects that rest have stepped since the frame before."""
    known = sequence.frames[-1].known_as()
    resting = {object_id for k, object_id in known.items() if is_still[k]}
    seen = {i.id: i.T_fixed_obj for i in scene.objects if i.state == ObjectState.VISIBLE}
    for object_id in resting & seen.keys() & poses.keys():
        T_before, T_now = poses[object_id], seen[object_id]
        step_m = float(np.linalg.norm(T_now[:3, 3] - T_before[:3, 3]))
        sequence.steps_mm.append(1e3 * step_m)
        sequence.steps_deg.append(np.degrees(rotation_angle(T_now @ np.linalg.inv(T_before))))
    poses.clear()
    poses.update(seen)


def _references(episode: Episode, truth: FrameTruth) -> list[Reference]:
    return [
        Reference(PosedMesh(apply(T, solid.vertices_m.astype(np.float64)), solid.faces))
        for T, solid, here in zip(truth.T_fixed_obj, episode.objects, truth.present, strict=True)
        if here
    ]


def _picture(frame: Frame, told: FrameBoxes, name: str) -> tuple[int, Picture]:
    """Return a frame with what was found, ghosts and misses, and how many of the latter two."""
    known, ghosts = told.known_as(), set(told.ghosts())
    missed = [k for k in np.flatnonzero(told.counts & told.present) if k not in known]
    drawn = [
        (bounds, GHOST if object_id in ghosts else FOUND, str(object_id))
        for object_id, bounds in zip(told.ids.tolist(), told.bounds, strict=True)
    ]
    drawn += [(told.true_bounds[k], MISSED, '') for k in missed]
    caption = f'{name}: found (green), {len(ghosts)} ghosts (red), {len(missed)} missed (blue)'
    return len(ghosts) + len(missed), boxes(caption, frame, drawn)


def _mean(values: list[float] | list[int] | list[bool]) -> float:
    return float(np.mean(values)) if values else float('nan')


def _p95(values: list[float]) -> float:
    return float(np.quantile(values, 0.95)) if values else float('nan')
