# SPDX-License-Identifier: Apache-2.0
"""Which pixels show people, what of a frame's instances is none of them, and what hands hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import cv2
import numpy as np

from sam3d_ros.core.people import INDEX, People, Person
from sam3d_ros.core.types import BoolArray, FloatArray, Frame, Instances, Tracks
from sam3d_ros.geometry.masks import mask_box
from sam3d_ros.geometry.transforms import apply, inverse
from sam3d_ros.people.capsules import LIMBS, clearance
from sam3d_ros.people.scenery import Scenery, to_fixed

SLACK_M = 0.05
"""Clothes and errors: a body reaches so far beyond its capsules."""
ALONG_M = (-0.2, -0.1, 0.1, 0.2)
"""Errors of a limb's place along the line of sight that are allowed for."""
ALONG = 0.25
"""What a difference in depth counts for where it is asked which limb is seen at a place."""
REACH_M = 0.25
"""What is no farther from a wrist, and beyond the capsules, may be held and stays an object's."""
HELD_M = 0.1
"""An object whose nearest point is no farther from a hand is held by it."""
MIN_PIXELS = 60
MOVING_M_S = 0.25
"""Furniture does not move that fast."""
PART = 0.05
"""Less of a body that may be a shelf may be a thing on it."""
ROUND_M = 0.4
"""No part of a body is farther from its joints than this, errors along the line of sight too."""
HAND_CAPSULES = [k for k, (start, _, _) in enumerate(LIMBS) if start.endswith('wrist')]
LIMB_CAPSULES = [k for k in range(len(LIMBS)) if k not in HAND_CAPSULES]
HANDS = [INDEX[f'{side}_{part}'] for side in ('left', 'right') for part in ('wrist', 'index')]


@dataclass(frozen=True, slots=True, eq=False)
class PeoplePixels:
    """Which pixels of a frame show people.

    :param sure: (H, W) bool, people whom the image has recognised, and bodies that move.
    :param tall: (H, W) bool of each body that stands still and that nobody has recognised.
    """

    sure: BoolArray
    tall: tuple[BoolArray, ...]


def people_pixels(
    frame: Frame, scenery: Scenery, cells: Mapping[int, BoolArray], people: People
) -> PeoplePixels | None:
    """Return the pixels of a frame that show people, or None when nobody is there.

    :param scenery: the frame on its coarse grid.
    :param cells: by id, which cells depth gives to whom.
    :param people: everybody after the frame.
    """
    sure = np.zeros(scenery.level.shape, bool)
    tall = []
    if not people.items:
        return None
    points = apply(to_fixed(frame, scenery), scenery.points)
    T_cam_fixed = inverse(frame.T_fixed_cam)
    for person in people.items:
        mine = cells.get(person.id)
        if person.skeleton is None:
            moves = float(np.linalg.norm(person.velocity_m_s[:2])) > MOVING_M_S
            if mine is not None and person.by_image:
                sure |= mine
            elif mine is not None and scenery.floor_m is not None:
                # Without a floor in sight, what fills the image may be a shelf with things in it.
                if moves:
                    sure |= mine
                else:
                    tall.append(fine_mask(frame, scenery, mine))
            continue
        # A forearm held level and a flat chest are looked at too, else they are table and wall.
        ends = np.array([(item.start_m, item.end_m) for item in person.capsules])
        low, high = ends.min(axis=(0, 1)) - ROUND_M, ends.max(axis=(0, 1)) + ROUND_M
        near = ((points > low) & (points < high)).all(axis=-1)
        where = np.argwhere(near if mine is None else near | mine)
        if not len(where):
            continue
        here = points[where[:, 0], where[:, 1]].astype(np.float64)
        inside = clearance(here, person.capsules) < SLACK_M
        # The image places limbs worse along the line of sight than aside.
        sight = here - frame.T_fixed_cam[:3, 3]
        sight /= np.linalg.norm(sight, axis=1, keepdims=True)
        limbs = [person.capsules[k] for k in LIMB_CAPSULES]
        for shift_m in ALONG_M:
            rest = np.flatnonzero(~inside)
            inside[rest] = clearance(here[rest] + shift_m * sight[rest], limbs) < 0
        if mine is not None:
            rest = np.flatnonzero(~inside & mine[where[:, 0], where[:, 1]])
            to_hand = np.linalg.norm(
                here[rest, None] - person.skeleton.points_m[HANDS], axis=-1
            ).min(axis=1)
            held = (to_hand < REACH_M) & _by_hands(here[rest], T_cam_fixed, person)
            inside[rest] = ~held
        chosen = where[inside]
        sure[chosen[:, 0], chosen[:, 1]] = True
    if not sure.any() and not tall:
        return None
    return PeoplePixels(fine_mask(frame, scenery, sure), tuple(tall))


def _by_hands(points_m: FloatArray, T_cam_fixed: FloatArray, person: Person) -> BoolArray:
    """Return (N,) bool, which points are seen nearer to somebody's hands than to other limbs.

    :param points_m: (N, 3), fixed frame.
    """
    distance_m = float((T_cam_fixed @ [*person.position_m, 1.0])[2])

    def seen(points: FloatArray) -> FloatArray:
        """Depth, in which joints err most, counts for little."""
        points = apply(T_cam_fixed, points)
        z = np.maximum(points[..., 2:], 0.1)
        return np.concatenate([points[..., :2] / z * distance_m, ALONG * z], axis=-1)

    drawn = [
        replace(item, start_m=seen(item.start_m), end_m=seen(item.end_m))
        for item in person.capsules[: len(LIMBS)]
    ]
    here = seen(points_m)
    to_hands = clearance(here, [drawn[k] for k in HAND_CAPSULES])
    to_others = clearance(here, [drawn[k] for k in LIMB_CAPSULES])
    nearer: BoolArray = to_hands < to_others
    return nearer


def without_people(instances: Instances, pixels: PeoplePixels | None) -> Instances:
    """Return instances without the pixels of people, those that were mostly people left out.

    Of a tall body that may be a shelf, only what makes a good part of it is left out.

    :param pixels: that show people, None = nobody.
    """
    if pixels is None:
        return instances
    kept = []
    for item in instances.items:
        own = item.mask & ~pixels.sure
        count, whole = int(own.sum()), int(item.mask.sum())
        if 2 * count < whole or count < MIN_PIXELS:
            continue
        shared = [(int((own & body).sum()), int(body.sum())) for body in pixels.tall]
        if any(2 * both > count and both > PART * body for both, body in shared):
            continue
        box = mask_box(own)
        if count < whole and box is not None:
            item = replace(item, mask=own, box_px=box)
        kept.append(item)
    return replace(instances, items=tuple(kept))


def fine_mask(frame: Frame, scenery: Scenery, cells: BoolArray) -> BoolArray:
    """Return the (H, W) bool pixels of cells, grown by one.

    :param frame: that the scenery is of.
    :param scenery: its coarse grid.
    :param cells: (h, w) bool on it.
    """
    height, width = frame.depth_m.shape
    pixels = np.zeros((height, width), np.uint8)
    step = scenery.step
    fine = cells.astype(np.uint8).repeat(step, axis=0).repeat(step, axis=1)
    pixels[: fine.shape[0], : fine.shape[1]] = fine[:height, :width]
    return np.asarray(cv2.dilate(pixels, np.ones((3, 3), np.uint8)) > 0)


def with_held(people: People, frame: Frame, tracks: Tracks) -> People:
    """Return people with the ids of the objects that are in their hands.

    :param people: everybody after a frame.
    :param frame: that frame.
    :param tracks: with the instances seen in it.
    """
    if not any(person.skeleton is not None for person in people.items):
        return people
    held: dict[int, list[int]] = {}
    for track in tracks.items:
        if track.instance < 0:
            continue
        points = frame.pointmap[tracks.instances.items[track.instance].mask]
        points = points[np.isfinite(points[:, 2])][::7]
        if not len(points):
            continue
        points_fixed = apply(frame.T_fixed_cam, points.astype(np.float64))
        nearest = {
            person.id: float(
                np.linalg.norm(
                    points_fixed[:, None] - person.skeleton.points_m[HANDS], axis=-1
                ).min()
            )
            for person in people.items
            if person.skeleton is not None
        }
        who = min(nearest, key=lambda id_: nearest[id_], default=None)
        if who is not None and nearest[who] < HELD_M:
            held.setdefault(who, []).append(track.id)
    items = (replace(item, held=tuple(sorted(held.get(item.id, ())))) for item in people.items)
    return replace(people, items=tuple(items))
