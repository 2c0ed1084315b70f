# SPDX-License-Identifier: Apache-2.0
"""Bench of own odometry: how far it drifts on hand-held worlds, and what that does to objects.

Worlds are seen by a camera that wanders and shakes (:func:`sam3d_ros.world.cameras.hand_held`);
the truth is exact. The shelf's is that of a robot's arm. Carried off, the same ways begin, go on
unseen, and come back from their end: where is the place of before known again? Without TF, the
sequences of :mod:`sam3d_ros.bench.sequences.events` are scored as with it, from where the first
frame was.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from time import process_time

import cv2
import numpy as np

from sam3d_ros.bench.harness import BenchOptions, Measurement, Picture, Table, Value
from sam3d_ros.bench.peers.peers_odometry import PEER, open3d_odometry
from sam3d_ros.bench.sequences.events import SEQUENCES, figures_of, follow
from sam3d_ros.bench.worlds import as_measured, object_source
from sam3d_ros.core.types import ByteArray, FloatArray, Frame
from sam3d_ros.geometry.transforms import inverse, rotation_angle
from sam3d_ros.pipeline.reading import read_recording
from sam3d_ros.pointmaps.odometry.odometry import LostError, Odometry
from sam3d_ros.world.rendering.sensors import depth_sensor
from sam3d_ros.world.samples import samples
from sam3d_ros.world.suites import make_episode

WAYS = {'spaced': 90.0, 'demo': 120.0, 'clutter': 50.0, 'stacked': 70.0}
"""Suites and the arc of each that the hand goes along, degrees."""
FRAMES = 60
STEP_NS, HIDDEN_NS = 100_000_000, 10_000_000_000
"""Between views of a way that is come back to; when the camera is covered, which is then lost."""
SHELF = 'recordings/shelf'
PICTURE_PX = 420
TRUE, OURS, THEIRS = (90, 90, 90), (40, 170, 70), (220, 120, 40)


@dataclass(frozen=True, slots=True, eq=False)
class Drive:
    """A way, and what became of it.

    :param path_m: length of the true way.
    :param errors_m: how far off each frame that was not lost is.
    :param said_m: one sigma of that, as told.
    :param times_s: of the processor, for each frame.
    :param peer_m: how far off the peer is at the end.
    :param picture: the way from above: true, ours, the peer's.
    """

    name: str
    path_m: float
    errors_m: FloatArray
    said_m: FloatArray
    lost: int
    times_s: FloatArray
    peer_m: float
    picture: Picture

    @property
    def drift(self) -> float:
        """Error at the end over the length of the way."""
        return float(self.errors_m[-1]) / self.path_m

    @property
    def peer_drift(self) -> float:
        """The same of the peer."""
        return self.peer_m / self.path_m


def run(options: BenchOptions) -> Measurement:
    """Measure drift on worlds and, where it is there, the shelf; HOTA without TF.

    :param options: of the bench; quick has one short way, and no HOTA.
    """
    suites = dict(list(WAYS.items())[:1]) if options.quick else WAYS
    worlds = {
        f'{suite} {options.seed}': _world(suite, sweep_deg, options)
        for suite, sweep_deg in suites.items()
    }
    drives = [drive(name, frames) for name, frames in worlds.items()]
    returns = [came_back(name, frames) for name, frames in worlds.items()]
    joined = [each for each in returns if each.left_deg is not None]
    errors_m = np.concatenate([each.errors_m for each in drives])
    said_m = np.concatenate([each.said_m for each in drives])
    values: dict[str, Value] = {
        'drift_share': float(np.mean([each.drift for each in drives])),
        'drift_worst_share': max(each.drift for each in drives),
        'peer_drift_share': float(np.mean([each.peer_drift for each in drives])),
        'lost_frames': sum(each.lost for each in drives),
        'error_rms_over_said': _rms(errors_m) / _rms(said_m),
        'back_share': len(joined) / len(returns),
        'back_error_m': max((each.error_m for each in joined), default=np.nan),
        'frame_ms': 1e3 * float(np.median(np.concatenate([d.times_s for d in drives]))),
    }
    notes = []
    shelves = [folder.parent / SHELF for folder in options.data]
    if shelf := next((path for path in shelves if path.is_dir()), None):
        drives.append(drive('shelf', list(read_recording(shelf))))
        values['shelf_drift_share'] = drives[-1].drift
        values['shelf_peer_drift_share'] = drives[-1].peer_drift
    else:
        notes.append('The shelf is not beside the folders of data: left out.')
    if options.quick:
        notes.append('Without --quick: four ways, and the sequences of events without TF.')
    else:
        values |= _without_tf(options)
    rows = tuple(
        (
            each.name,
            f'{each.path_m:.2f}',
            f'{100 * each.drift:.2f}',
            f'{100 * each.peer_drift:.2f}',
            f'{1e3 * _rms(each.errors_m):.1f}',
            f'{1e3 * _rms(each.said_m):.1f}',
            f'{each.lost}',
            f'{1e3 * np.median(each.times_s):.1f}',
        )
        for each in drives
    )
    columns = ('way', 'm', 'drift, %', f'{PEER}, %', 'rms, mm', 'said, mm', 'lost', 'ms')
    table = Table('Own odometry, hand-held', columns, rows)
    back = Table(
        'Carried off, begun anew, and come back from the other end',
        ('way', 'known again at, deg', 'off then, mm', 'off at the end, mm'),
        tuple(
            (
                each.name,
                '-' if each.left_deg is None else f'{each.left_deg:.0f}',
                f'{1e3 * each.off_m:.1f}',
                f'{1e3 * each.error_m:.1f}',
            )
            for each in returns
        ),
    )
    pictures = [each.picture for each in drives] + [each.picture for each in returns]
    return Measurement('odometry', values, (table, back), tuple(pictures), tuple(notes))


def drive(name: str, frames: Sequence[Frame]) -> Drive:
    """Follow a camera through frames whose places are true.

    :param name: of the way.
    :param frames: of one camera, in order.
    """
    true = np.stack([frame.T_fixed_cam for frame in frames])
    odometry = Odometry('odom', true[0])
    found, errors_m, said_m, times_s = [], [], [], []
    for frame in frames:
        begin = process_time()
        try:
            place = odometry.place(frame.stamp_ns, frame.rgb, frame.depth_m, frame.camera)
        except LostError:
            continue
        finally:
            times_s.append(process_time() - begin)
        found.append(place.T_odom_cam)
        errors_m.append(np.linalg.norm((inverse(frame.T_fixed_cam) @ place.T_odom_cam)[:3, 3]))
        said_m.append(place.drift_m)
    theirs = true[0] @ np.stack(open3d_odometry(frames))
    path_m = float(np.linalg.norm(np.diff(true[:, :3, 3], axis=0), axis=1).sum())
    peer_m = float(np.linalg.norm((inverse(true[-1]) @ theirs[-1])[:3, 3]))
    image = _from_above([true, theirs, np.stack(found)], [TRUE, THEIRS, OURS])
    caption = f'{name}, from above: true way grey, ours green, {PEER} orange'
    return Drive(
        name,
        path_m,
        np.array(errors_m),
        np.array(said_m),
        len(frames) - len(found),
        np.array(times_s),
        peer_m,
        Picture(caption, image),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Return:
    """What became of a way that was left and is come back to from elsewhere.

    :param left_deg: how far the camera was still turned from the nearest view of before when it
        was known again; None = it was not.
    :param off_m: how far off it was placed then.
    :param error_m: how far off at the end of the way back.
    :param picture: from above: true way, ours as it began, and that of the way back.
    """

    name: str
    left_deg: float | None
    off_m: float
    error_m: float
    picture: Picture


def came_back(name: str, frames: Sequence[Frame]) -> Return:
    """Follow a camera for a third of a way, cover it, and follow it back from the other end.

    :param name: of the way.
    :param frames: of one camera, in order.
    """
    odometry = Odometry('odom', frames[0].T_fixed_cam)
    there = frames[: len(frames) // 3]
    covered = replace(frames[0], pointmap=np.full_like(frames[0].pointmap, np.nan))
    views = [(number * STEP_NS, frame) for number, frame in enumerate(there)]
    views.append((HIDDEN_NS, covered))
    views += [(HIDDEN_NS + (k + 1) * STEP_NS, frame) for k, frame in enumerate(frames[::-1])]
    found: list[tuple[Frame, FloatArray]] = []
    for stamp_ns, frame in views:
        with suppress(LostError):
            place = odometry.place(stamp_ns, frame.rgb, frame.depth_m, frame.camera)
            if place.frame == 'odom':
                found.append((frame, place.T_odom_cam))
    back = found[len(there) :]
    ways = [
        [frame.T_fixed_cam for frame in frames],
        [T for _, T in found[: len(there)]],
        [T for _, T in back] or [found[-1][1]],
    ]
    image = _from_above([np.stack(way) for way in ways], [TRUE, OURS, THEIRS])
    caption = f'{name}, carried off: true way grey, ours green, orange once it is known again'
    picture = Picture(caption, image)
    if not back:
        return Return(name, None, np.nan, np.nan, picture)
    first = back[0][0].T_fixed_cam
    apart = [rotation_angle(inverse(frame.T_fixed_cam) @ first) for frame in there]
    errors_m = [np.linalg.norm((inverse(frame.T_fixed_cam) @ T)[:3, 3]) for frame, T in back]
    left_deg = float(np.degrees(min(apart)))
    return Return(name, left_deg, float(errors_m[0]), float(errors_m[-1]), picture)


def _world(suite: str, sweep_deg: float, options: BenchOptions) -> list[Frame]:
    episode = make_episode(
        suite,
        options.seed,
        object_source(options),
        frames=FRAMES // 3 if options.quick else FRAMES,
        sweep_deg=sweep_deg / 3 if options.quick else sweep_deg,
        sensor=depth_sensor(options.sensor),
        is_hand_held=True,
    )
    return list(as_measured(samples(episode)))


def _without_tf(options: BenchOptions) -> dict[str, Value]:
    """Return HOTA and the like of hand-held events whose camera nobody but we follows."""
    followed = []
    for seed in range(options.seed, options.seed + SEQUENCES):
        sensor, source = depth_sensor(options.sensor), object_source(options)
        episode = make_episode('events', seed, source, sensor=sensor, is_hand_held=True)
        odometry = Odometry('odom', episode.T_fixed_cam[0])
        followed.append(follow(episode, options, odometry))
    figures = figures_of(followed)
    return {f'events_without_tf_{name}': value for name, value in figures.items()}


def _rms(values: FloatArray) -> float:
    return float(np.sqrt(np.square(values).mean()))


def _from_above(ways: Sequence[FloatArray], colors: Sequence[tuple[int, int, int]]) -> ByteArray:
    """Return a picture of (F, 4, 4) ways in the plane in which the first one is widest."""
    middle = ways[0][:, :3, 3].mean(axis=0)
    _, _, axes = np.linalg.svd(ways[0][:, :3, 3] - middle)
    flat = [(way[:, :3, 3] - middle) @ axes[:2].T for way in ways]
    scale = 0.4 * PICTURE_PX / max(float(np.abs(flat[0]).max()), 1e-3)
    image = np.full((PICTURE_PX, PICTURE_PX, 3), 255, np.uint8)
    for points, color in zip(flat, colors, strict=True):
        pixels = np.rint(points * scale + PICTURE_PX / 2).astype(np.int32)
        cv2.polylines(image, [pixels], isClosed=False, color=color, thickness=2)
    return image
