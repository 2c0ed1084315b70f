# SPDX-License-Identifier: Apache-2.0
"""Are look-alikes told apart when they come back elsewhere?

Of all pairs of scans the most alike ones by size and colour are taken. Two things happen with each
pair while the camera looks away: both are put elsewhere, each turned; or one is taken and the
other, never seen before, stands elsewhere. What comes back under its own id is known again; what
comes back under another's, or what is new and gets one, is a false re-identification.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

from sam3d_ros.bench.harness import BenchOptions, Picture, Table, Value
from sam3d_ros.bench.pictures import boxes
from sam3d_ros.bench.worlds import as_measured, episode_of
from sam3d_ros.core.registry import make_backend
from sam3d_ros.core.types import FloatArray, Frame, TrackState
from sam3d_ros.geometry.transforms import transform
from sam3d_ros.world.episode import Episode
from sam3d_ros.world.events import LOOK_AWAY_RAD
from sam3d_ros.world.samples import samples
from sam3d_ros.world.setting.placing import Body
from sam3d_ros.world.sources import Given, ProceduralSource, ScanSource

PAIRS, PROCEDURAL = 20, 40
FRAMES, AWAY, BACK = 7, 4, 5
"""Frames, the first one that looks away, the first one that is back."""
LEAST_RADIUS_M = 0.12
"""Things are put elsewhere at least so far from the middle of the two."""
COLOR_PER_SIZE = 60.0
"""Difference of mean colours in CIELAB that counts as much as one size by 2.7 times the other."""
STRANGER = -1
FALSE, RIGHT, MISSED = (240, 60, 50), (40, 200, 60), (60, 120, 255)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one thing that was elsewhere when the camera looked again.

    :param was: the id it had, ``STRANGER`` = it had never been seen; None = it was not tracked.
    :param other: the id of its look-alike.
    :param now: its id at the end, None = it was not found.
    """

    was: int | None
    other: int | None
    now: int | None

    @property
    def is_false(self) -> bool:
        """Whether it was taken for the other one."""
        return self.now is not None and self.now == self.other

    @property
    def is_known(self) -> bool:
        """Whether it was known again."""
        return self.now is not None and self.now == self.was


def measure(options: BenchOptions) -> tuple[dict[str, Value], Table, tuple[Picture, ...]]:
    """Return figures, a table with the pairs that were confused, and a picture of some of them."""
    outcomes: list[Outcome] = []
    rows, pictures = [], []
    for number, (a, b) in enumerate(look_alikes(options)):
        seed = options.seed + number
        name = f'{a.solid.name} and {b.solid.name}'
        here: list[Outcome] = []
        for pair, is_stranger in (((a, b), False), ((a, b), True), ((b, a), True)):
            at_rest = episode_of('pair', seed, Given(pair), options.sensor, FRAMES)
            found, frame = follow(put_elsewhere(at_rest, is_stranger), options)
            here += found
            if any(item.is_false for item in found):
                what = 'a stranger' if is_stranger else 'both put elsewhere'
                pictures.append(boxes(f'{name}: confused, {what}', frame, []))
        outcomes += here
        known = sum(item.is_known for item in here if item.was != STRANGER)
        wrong = sum(item.is_false for item in here)
        rows.append((name, str(known), str(wrong)))
    old = [item for item in outcomes if item.was not in (STRANGER, None)]
    recall = float(np.mean([item.is_known for item in old]))
    false = float(np.mean([item.is_false for item in outcomes]))
    rows = [('all', f'{recall:.2f}', f'{false:.3f}'), *rows]
    head = ('look-alikes', 'known again (of 2; all: share)', 'false (of 4; all: share)')
    values = {'alike_recall': recall, 'alike_false': false}
    title = f'{len(rows) - 1} pairs of look-alikes, put elsewhere while nobody looks'
    return dict(values), Table(title, head, tuple(rows)), tuple(pictures[:3])


def look_alikes(options: BenchOptions) -> list[tuple[Body, Body]]:
    """Return the pairs of test scans or procedural solids that differ least by size and colour.

    :param options: name the folder of scans, None = procedural solids.
    """
    if options.objects is None:
        bodies = ProceduralSource().draw(PROCEDURAL, np.random.default_rng(options.seed))
    else:
        bodies = ScanSource(options.objects, 'test').all()
    apart = unlikeness(bodies)
    pairs = sorted(combinations(range(len(bodies)), 2), key=lambda pair: float(apart[pair]))
    return [(bodies[a], bodies[b]) for a, b in pairs[:PAIRS]]


def unlikeness(bodies: Sequence[Body]) -> FloatArray:
    """Return (N, N) float64, how far bodies differ by size and mean colour.

    :param bodies: N of them.
    """
    sizes = np.log(np.sort([body.solid.extents_m for body in bodies], axis=1))
    lab = [
        cv2.cvtColor(body.solid.colors[None].astype(np.float32) / 255.0, cv2.COLOR_RGB2LAB)[0]
        for body in bodies
    ]
    colors = np.array([one.mean(axis=0) for one in lab], np.float64)
    larger = np.abs(sizes[:, None] - sizes).max(axis=2)
    found: FloatArray = larger + np.linalg.norm(colors[:, None] - colors, axis=2) / COLOR_PER_SIZE
    return found


def put_elsewhere(episode: Episode, is_stranger: bool) -> Episode:
    """Return an episode of two things that are put elsewhere while the camera looks away.

    :param episode: of two things at rest.
    :param is_stranger: the second one comes only then, and the first one is taken.
    """
    rng = np.random.default_rng(episode.seed)
    T_fixed_cam = episode.T_fixed_cam.copy()
    turn = Rotation.from_rotvec([0.0, 0.0, LOOK_AWAY_RAD]).as_matrix()
    T_fixed_cam[AWAY:BACK, :3, :3] = turn @ T_fixed_cam[AWAY:BACK, :3, :3]
    T_fixed_obj, present = episode.T_fixed_obj.copy(), episode.present.copy()
    middle = T_fixed_obj[0, :, :3, 3].mean(axis=0) * [1.0, 1.0, 0.0]
    about = Rotation.from_rotvec([0.0, 0.0, np.pi / 2]).as_matrix()
    for k in range(2):
        place = T_fixed_obj[0, k, :3, 3] * [1.0, 1.0, 0.0]
        offset = about @ (place - middle)
        offset *= max(1.0, LEAST_RADIUS_M / max(float(np.linalg.norm(offset)), 1e-6))
        yaw = Rotation.from_rotvec([0.0, 0.0, rng.uniform(-np.pi / 4, np.pi / 4)]).as_matrix()
        to = transform(yaw, middle + offset) @ transform(np.eye(3), -place)
        T_fixed_obj[AWAY:, k] = to @ T_fixed_obj[0, k]
    if is_stranger:
        present[:AWAY, 1], present[AWAY:, 0] = False, False
    return replace(episode, T_fixed_cam=T_fixed_cam, T_fixed_obj=T_fixed_obj, present=present)


def follow(episode: Episode, options: BenchOptions) -> tuple[list[Outcome], Frame]:
    """Return what became of the things of an episode, and its last frame.

    :param episode: of two things, with what happens to them.
    :param options: whose segmentation and tracking are asked.
    """
    segmenter = make_backend(
        'segmentation', options.config.segmentation.backend, options.config.segmentation
    )
    tracker = make_backend('tracking', options.config.tracking.backend, options.config.tracking)
    drawn = list(samples(episode))
    before: dict[int, int] = {}
    now: dict[int, int] = {}
    for number, (sample, frame) in enumerate(zip(drawn, as_measured(drawn), strict=True)):
        tracks = tracker.update(frame, segmenter.segment(frame))
        if AWAY <= number < BACK:
            continue
        now = {}
        for track in tracks.items:
            if track.instance < 0 or track.state != TrackState.CONFIRMED:
                continue
            k = sample.truth.object_of(tracks.instances.items[track.instance].mask)
            if k is not None:
                now[k] = track.id
        before = dict(now) if number < AWAY else before
    was = [before.get(k) for k in range(2)]
    if was[1] is None and not episode.present[0, 1]:
        return [Outcome(STRANGER, was[0], now.get(1))], frame
    return [Outcome(was[k], was[1 - k], now.get(k)) for k in range(2)], frame
