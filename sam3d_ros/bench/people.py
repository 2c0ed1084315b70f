# SPDX-License-Identifier: Apache-2.0
"""People against truth: made-up ones in rooms, and photographs. Perception, not a safety function.

Missed person-frames, joints lifted from landmarks with noise, ids through crossings and absence,
pictures taken for people, time to the first capsule, cost of two people in a frame.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import perf_counter

import cv2
import numpy as np

from sam3d_ros.bench.harness import BenchOptions, Measurement, Picture, Table, Value
from sam3d_ros.core.people import BONES, INDEX, People
from sam3d_ros.core.types import ByteArray, FloatArray, Frame, TrackState
from sam3d_ros.geometry.cameras import project
from sam3d_ros.geometry.transforms import apply, inverse
from sam3d_ros.people.blazepose.detector import Square
from sam3d_ros.people.blazepose.landmarks import BodyNetworks, Landmarks
from sam3d_ros.people.joints import JointFilter
from sam3d_ros.people.lifting import TRUNK, lift
from sam3d_ros.people.looking import find_in_photograph
from sam3d_ros.people.stage import PeopleStage
from sam3d_ros.session.session import Session
from sam3d_ros.world.people.episodes import PeopleEpisode, people_episode
from sam3d_ros.world.samples import Sample, samples

SENSOR = 'd435'
PRESENT = ('standing', 'walking', 'sitting', 'half_hidden')
"""Activities in which nobody may be missed."""
NEAR_M = 0.5
"""Somebody who is told no farther from the true trunk, over the ground, is found."""
IN_SIGHT = 0.3
"""Less of a body in sight does not count as a person-frame."""
LEAST_PX = 600
LANDMARK_SIGMA_PX = 4.0
RELATIVE_SIGMA_M = 0.04
CORRECT = 0.2
"""A joint is right within this share of the trunk's length (PCK@.2)."""


@dataclass
class _Followed:
    """What a stage told of one episode.

    :param ids: for every frame, by person: the id, 0 = missed, None = not in sight.
    :param extra: people told where none are, by frame.
    """

    ids: list[list[int | None]] = field(default_factory=list)
    extra: int = 0
    time_s: list[float] = field(default_factory=list)
    first_s: list[float] = field(default_factory=list)
    pictures: list[ByteArray] = field(default_factory=list)

    @property
    def counted(self) -> tuple[int, int]:
        """How many person-frames were missed, of how many."""
        seen = [id_ for frame in self.ids for id_ in frame if id_ is not None]
        return seen.count(0), len(seen)


def run(options: BenchOptions) -> Measurement:
    """Measure people of worlds and of the shared photographs.

    :param options: ``quick`` draws a quarter of the episodes.
    """
    seeds = range(options.seed, options.seed + (2 if options.quick else 6))
    values: dict[str, Value] = {}
    rows: list[tuple[str, ...]] = []
    pictures: list[Picture] = []
    missed = counted = extra = 0
    for activity in PRESENT:
        results = [_follow(people_episode(activity, seed, 14, SENSOR), options) for seed in seeds]
        lost = sum(result.counted[0] for result in results)
        whole = sum(result.counted[1] for result in results)
        others = sum(result.extra for result in results)
        rows.append((activity, str(whole), str(lost), str(others)))
        missed, counted, extra = missed + lost, counted + whole, extra + others
        pictures.append(Picture(f'{activity}: joints and capsules', results[0].pictures[-1]))
    values['missed_share'] = missed / max(1, counted)
    values['person_frames'], values['extra_people_frames'] = counted, extra
    values['joints_visible_mm'], values['joints_hidden_mm'] = _lifted_mm(seeds)
    values['same_id_share'] = _same_ids(seeds, options)
    values['first_capsule_s'] = _first_capsule_s(seeds, options)
    values['objects_of_people'] = _objects_of_people(seeds, options)
    cost_s, alone_s, sequence = _cost_s(options)
    values['two_people_s'], values['nobody_s'] = cost_s, alone_s
    pictures.append(Picture('two people crossing, every third frame', sequence))
    notes = ['Perception, not a safety function.']
    folders = [path.parent / 'people' for path in options.data]
    photographs = next((folder for folder in folders if (folder / 'index.json').is_file()), None)
    if photographs is None:
        notes.append('no shared photographs of people: that part is left out')
    else:
        found, wanted, shares, more = _photographs(photographs)
        values['photographs_found'], values['photographs_with_people'] = found, wanted
        values |= {f'pck_{name}': share for name, share in shares.items()}
        values['posters_taken_for_people'] = _posters(photographs, seeds, options)
        pictures += more
    table = Table(
        'people in worlds', ('activity', 'person-frames', 'missed', 'extra'), tuple(rows)
    )
    figures = Table(
        'people',
        ('figure', 'value'),
        tuple(
            (name, f'{value:.4g}' if isinstance(value, float) else str(value))
            for name, value in values.items()
        ),
    )
    return Measurement('people', values, (table, figures), tuple(pictures), tuple(notes))


def _follow(episode: PeopleEpisode, options: BenchOptions) -> _Followed:
    """Return what a new stage tells of an episode, frame by frame."""
    stage, result = PeopleStage(options.config.people), _Followed()
    came_ns: dict[int, int] = {}
    for index, sample in enumerate(samples(episode.episode)):
        frame = sample.frame()
        start_s = perf_counter()
        people = stage.update(frame)
        result.time_s.append(perf_counter() - start_s)
        told = [item for item in people.items if item.in_view]
        ids: list[int | None] = []
        for person in range(len(episode.joints_m[index])):
            if not _in_sight(episode, index, person, sample):
                ids.append(None)
                continue
            came_ns.setdefault(person, frame.stamp_ns)
            trunk = episode.joints_m[index, person, TRUNK].mean(axis=0)
            apart = {
                item.id: float(np.linalg.norm((item.position_m - trunk)[:2]))
                for item in told
                if item.id not in ids
            }
            nearest = min(apart, key=lambda id_: apart[id_], default=0)
            ids.append(nearest if nearest and apart[nearest] < NEAR_M else 0)
            if ids[-1] and person in came_ns and came_ns[person] >= 0:
                result.first_s.append((frame.stamp_ns - came_ns[person]) * 1e-9)
                came_ns[person] = -1
        result.ids.append(ids)
        here = np.isfinite(episode.joints_m[index]).all(axis=(1, 2))
        trunks = episode.joints_m[index][here][:, TRUNK].mean(axis=1)
        for item in told:
            away = np.linalg.norm((trunks - item.position_m)[:, :2], axis=1)
            result.extra += bool(away.min(initial=np.inf) > NEAR_M)
        result.pictures.append(people_picture(frame, people))
    return result


def _in_sight(episode: PeopleEpisode, index: int, person: int, sample: Sample) -> bool:
    """Return whether enough of somebody is in the picture to count."""
    joints = episode.joints_m[index, person]
    if not np.isfinite(joints).all():
        return False
    pixels = project(apply(inverse(sample.truth.T_fixed_cam), joints[11:29]), sample.camera)
    size = np.array([sample.camera.width, sample.camera.height])
    inside = ((pixels > 0) & (pixels < size - 1)).all(axis=1)
    whole = int(sample.rendering.amodal[episode.owner == person].any(axis=0).sum())
    shown = int(episode.masks(sample)[person].sum())
    return bool(inside.mean() >= 0.5 and shown > max(LEAST_PX, IN_SIGHT * whole))


def _lifted_mm(seeds: Sequence[int]) -> tuple[float, float]:
    """Return the mean errors of visible and hidden joints that landmarks with noise give."""
    visible: list[float] = []
    hidden: list[float] = []
    for activity in ('standing', 'walking', 'sitting', 'reaching'):
        for seed in seeds:
            rng = np.random.default_rng([seed, 7])
            distance = 1.0 + 2.0 * (seed - seeds[0]) / max(1, len(seeds) - 1)
            episode = people_episode(activity, seed, 6, SENSOR, distance)
            joints = JointFilter()
            for index, sample in enumerate(samples(episode.episode)):
                frame, truth = sample.frame(), episode.joints_m[index, 0]
                shown = episode.visible(index, sample)[0]
                landmarks = noisy_landmarks(frame, truth, shown, rng)
                lifted = lift(frame, landmarks, joints.size)
                R = frame.T_fixed_cam[:3, :3]
                joints.update(
                    frame.stamp_ns,
                    apply(frame.T_fixed_cam, lifted.points_m),
                    R @ lifted.covariance @ R.T,
                    landmarks.visibility,
                    lifted.measured,
                    lifted.size,
                )
                apart = np.linalg.norm(joints.skeleton().points_m - truth, axis=1)
                visible += apart[shown].tolist()
                hidden += apart[~shown].tolist()
    return 1e3 * float(np.mean(visible)), 1e3 * float(np.mean(hidden))


def noisy_landmarks(
    frame: Frame, joints_m: FloatArray, visible: FloatArray, rng: np.random.Generator
) -> Landmarks:
    """Return what a network with errors would say about true joints.

    :param frame: that shows them.
    :param joints_m: (33, 3), fixed frame.
    :param visible: (33,) bool.
    :param rng: of the errors: :data:`LANDMARK_SIGMA_PX` in each coordinate, and
        :data:`RELATIVE_SIGMA_M` in the relative depth of a body of usual size.
    """
    points = apply(inverse(frame.T_fixed_cam), joints_m)
    hips = (points[INDEX['left_hip']] + points[INDEX['right_hip']]) / 2
    size = np.linalg.norm(points[INDEX['left_shoulder']] - points[INDEX['left_hip']]) / 0.5
    relative = (points - hips) / size + rng.normal(0, RELATIVE_SIGMA_M, points.shape)
    pixels = project(points, frame.camera)
    pixels = pixels + rng.normal(0, LANDMARK_SIGMA_PX, pixels.shape)
    visibility = np.where(visible, 0.9, 0.2)
    return Landmarks(1.0, pixels, visibility, relative, Square((0.0, 0.0), 1.0, 0.0))


def _same_ids(seeds: Sequence[int], options: BenchOptions) -> float:
    """Return the share of people who have the id that they had before a crossing or an absence."""
    kept = []
    for seed in seeds:
        for activity, frames, distance in (('crossing', 16, 2.7), ('leaving', 28, 2.2)):
            episode = people_episode(activity, seed, frames, SENSOR, distance)
            ids = _follow(episode, options).ids
            for person in range(episode.joints_m.shape[1]):
                seen = [frame[person] for frame in ids if frame[person]]
                if len(seen) > 3:
                    kept.append(seen[1] == seen[-1])
    return float(np.mean(kept))


def _first_capsule_s(seeds: Sequence[int], options: BenchOptions) -> float:
    """Return the longest time from the first frame that shows somebody to one that tells it."""
    times = [
        time_s
        for seed in seeds
        for time_s in _follow(people_episode('entering', seed, 9, SENSOR), options).first_s
    ]
    return max(times, default=float('nan'))


def _objects_of_people(seeds: Sequence[int], options: BenchOptions) -> int:
    """Return how many confirmed tracks are mostly people in a frame of the whole product."""
    made: set[tuple[str, int, int]] = set()
    for activity in ('sitting', 'reaching'):
        for seed in seeds[:2]:
            episode = people_episode(activity, seed, 8, SENSOR, 1.8)
            session = Session.from_config(options.config)
            for sample in samples(episode.episode):
                result = session.step(sample.frame())
                people = episode.masks(sample).any(axis=0)
                for track in result.tracks.items:
                    if track.instance < 0 or track.state != TrackState.CONFIRMED:
                        continue
                    mask = result.tracks.instances.items[track.instance].mask
                    if 2 * int((mask & people).sum()) > int(mask.sum()):
                        made.add((activity, seed, track.id))
            session.close()
    return len(made)


def _cost_s(options: BenchOptions) -> tuple[float, float, ByteArray]:
    """Return the mean time of a frame with two people, and with nobody, and a sequence of one."""
    crossing = people_episode('crossing', options.seed, 18, SENSOR, 2.8)
    two = _follow(crossing, options)
    nobody = replace(
        crossing, episode=replace(crossing.episode, present=0 * crossing.episode.present > 0)
    )
    empty = _follow(replace(nobody, joints_m=np.nan * nobody.joints_m), options)
    shown = [cv2.resize(picture, (320, 240)) for picture in two.pictures[::3]]
    rows = [np.hstack(shown[k : k + 3]) for k in range(0, len(shown) // 3 * 3, 3)]
    return (
        float(np.mean(two.time_s[1:])),
        float(np.mean(empty.time_s[1:])),
        np.asarray(np.vstack(rows), np.uint8),
    )


def _read(file: Path) -> ByteArray:
    bgr = np.asarray(cv2.imread(str(file)), np.uint8)
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)


def _photographs(folder: Path) -> tuple[int, int, dict[str, float], list[Picture]]:
    """Return how many people were found, of how many, the share of right joints, and pictures."""
    index = json.loads((folder / 'index.json').read_text())
    networks = BodyNetworks()
    found = wanted = 0
    shares: dict[str, float] = {}
    pictures = []
    for image in index['images']:
        rgb = _read(folder / image['file'])
        people = [landmarks for _, landmarks in find_in_photograph(networks, rgb)]
        for person in image['people']:
            wanted += 1
            truth = np.array(person['keypoints'], np.float64)
            at = {name: truth[k, :2] for k, name in enumerate(index['joints'])}
            ends = [(at[f'left_{end}'] + at[f'right_{end}']) / 2 for end in ('shoulder', 'hip')]
            trunk = float(np.linalg.norm(ends[0] - ends[1]))
            errors = [
                np.linalg.norm(
                    item.points_px[[INDEX[name] for name in index['joints']]] - truth[:, :2],
                    axis=1,
                )
                for item in people
            ]
            right = [float((e[truth[:, 2] > 0] < CORRECT * trunk).mean()) for e in errors]
            found += bool(right) and max(right) > 0.3
            shares[Path(image['file']).stem] = max(right, default=0.0)
        drawn = rgb.copy()
        for item in people:
            _draw_bones(drawn, item.points_px)
        count = f'{len(people)} found of {len(image["people"])}'
        pictures.append(Picture(f'{image["file"]}: {count}', drawn))
    return found, wanted, shares, pictures


def _posters(folder: Path, seeds: Sequence[int], options: BenchOptions) -> int:
    """Return how many pictures on walls are taken for people, in any frame."""
    taken = 0
    for seed in seeds:
        picture = _read(folder / ('person_sitting.jpg', 'coco_000000000785.jpg')[seed % 2])
        episode = people_episode('entering', seed, 9, SENSOR, 2.0, poster=picture)
        nobody = replace(episode.episode, present=0 * episode.episode.present > 0)
        empty = replace(episode, episode=nobody, joints_m=np.nan * episode.joints_m)
        taken += _follow(empty, options).extra > 0
    return taken


def people_picture(frame: Frame, people: People) -> ByteArray:
    """Return a frame with everybody's skeleton, capsules and id drawn over it.

    :param frame: one observation.
    :param people: everybody after it.
    """
    picture = frame.rgb.copy()
    T_cam_fixed = inverse(frame.T_fixed_cam)
    for item in people.items:
        over = picture.copy()
        for capsule in item.capsules:
            ends = apply(T_cam_fixed, np.stack([capsule.start_m, capsule.end_m]))
            pixels = project(ends, frame.camera)
            if np.isfinite(pixels).all() and ends[:, 2].min() > 0.2:
                across_m = 2 * capsule.radius_m
                width = max(1, int(across_m * frame.camera.fx / float(ends[:, 2].mean())))
                start, end = (tuple(int(v) for v in pixel) for pixel in np.clip(pixels, -9e3, 9e3))
                cv2.line(over, start, end, (70, 130, 255), min(width, 250), cv2.LINE_AA)
        cv2.addWeighted(over, 0.4, picture, 0.6, 0, dst=picture)
        if item.skeleton is not None:
            points = apply(T_cam_fixed, item.skeleton.points_m)
            _draw_bones(picture, project(points, frame.camera))
        at = project(apply(T_cam_fixed, item.position_m), frame.camera)
        if np.isfinite(at).all():
            place = (int(at[0]), int(at[1]))
            text = f'{item.label} {item.id}'
            cv2.putText(picture, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 0), 1)
    return picture


def _draw_bones(picture: ByteArray, pixels: FloatArray) -> None:
    for a, b in _drawable(pixels):
        cv2.line(picture, a, b, (0, 255, 0), 2, cv2.LINE_AA)


def _drawable(pixels: FloatArray) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    for a, b in BONES:
        if np.isfinite(pixels[[a, b]]).all() and np.abs(pixels[[a, b]]).max() < 9e3:
            first, second = pixels[a].astype(int), pixels[b].astype(int)
            yield (int(first[0]), int(first[1])), (int(second[0]), int(second[1]))
