# SPDX-License-Identifier: Apache-2.0
"""Choosing things and putting them where they belong: on areas, on each other, in heaps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation

from sam3d_ros.core.types import FloatArray
from sam3d_ros.geometry.transforms import apply, transform
from sam3d_ros.world.appearance.paint import random_paint
from sam3d_ros.world.setting.bed import Area, Bed, box_of
from sam3d_ros.world.setting.physics import drop
from sam3d_ros.world.setting.placing import Body, Stance, stable, upright
from sam3d_ros.world.sources import ObjectSource, ProceduralSource

Rng = np.random.Generator
SPOTS = 8
"""Spots tried for a body before it is left out."""
GAP_M = 0.004
"""Room between a body that is let go and what is around it."""
NEAR_M = 0.1
PATIENCE_S = 2.0
UPRIGHT = {
    'board', 'book', 'bowl', 'card', 'cloth', 'flat', 'phone', 'plate', 'platter', 'pot',
    'serving_tray', 'tray', 'tumbler', 'wine_glass',
}  # fmt: skip


def things(
    source: ObjectSource,
    rng: Rng,
    count: int,
    families: Sequence[str],
    fits: Callable[[Body], bool],
    share: float = 0.5,
) -> list[Body]:
    """Return bodies: of the source about a ``share``, where they fit, else of the families.

    :param rng: draws all that is left to chance.
    :param count: how many.
    :param fits: whether a body of the source can be used.
    """
    wanted = int(rng.binomial(count, share))
    drawn = source.draw(min(2 * wanted, 8), rng) if wanted else []
    kept = [body for body in drawn if fits(body)][:wanted]
    return kept + ProceduralSource(families).draw(count - len(kept), rng)


def is_small(body: Body) -> bool:
    """Return whether a body may lie on a plate."""
    return bool(body.solid.extents_m.max() < 0.11)


def is_thin(body: Body) -> bool:
    """Return whether a body lies flat."""
    return bool(np.sort(body.solid.extents_m)[0] < 0.03)


def fits_hand(body: Body) -> bool:
    """Return whether a body is of the size that one hand takes."""
    return bool(np.sort(body.solid.extents_m)[1] < 0.16)


def stance_of(body: Body, rng: Rng) -> Stance:
    """Return the body as people leave it: dishes and flat things on their base, others at will.

    :param rng: draws all that is left to chance.
    """
    if body.solid.family in UPRIGHT:
        return upright(body, rng)
    return lying(body, rng) if is_thin(body) else stable(body, rng)


def lying(body: Body, rng: Rng) -> Stance:
    """Return the lowest of three random stable poses.

    :param body: what is to lie.
    :param rng: draws all that is left to chance.
    """
    return min((stable(body, rng) for _ in range(3)), key=lambda s: s.T_support_obj[2, 3])


def squared(stance: Stance) -> Stance:
    """Return a stance turned so that its box along x and y is the smallest."""
    points = apply(stance.T_support_obj, stance.body.hull_m)[:, :2]
    angle = np.radians(np.arange(0, 90, 3))
    turned = np.stack([np.cos(angle), -np.sin(angle)]), np.stack([np.sin(angle), np.cos(angle)])
    size = [np.ptp(points @ turn, axis=0) for turn in turned]
    best = angle[int(np.argmin(size[0] * size[1]))]
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(best), -np.sin(best)], [np.sin(best), np.cos(best)]]
    T = turn @ stance.T_support_obj
    moved = apply(T, stance.body.hull_m)[:, :2]
    T[:2, 3] -= (moved.min(axis=0) + moved.max(axis=0)) / 2
    return Stance(stance.body, T, stance.radius_m)


def put(
    bed: Bed,
    area: Area,
    bodies: Sequence[Body],
    rng: Rng,
    hug: float = 0.0,
    tidy: float = 0.0,
    is_flat: bool = False,
) -> list[int]:
    """Let bodies down at random spots of an area and return their indices in the bed.

    :param rng: draws all that is left to chance.
    :param hug: chance that one lies against a side of the area.
    :param tidy: chance that one lies along the sides.
    :param is_flat: no body rests on another.
    """
    placed = []
    for body in bodies:
        for _ in range(SPOTS):
            stance = stance_of(body, rng)
            if rng.random() < tidy:
                stance = squared(stance)
            half = np.ptp(box_of(body, stance.T_support_obj), axis=0)[:2] / 2
            spot = area.spot(rng, half, hug)
            if spot is None:
                continue
            T = bed.rest(stance, spot, area, rng)
            if T is None or (is_flat and stance.bottom(T) > area.middle_m[2] + GAP_M):
                continue
            placed.append(len(bed.bodies))
            bed.add(body, T)
            break
    return placed


def tumbled(body: Body, rng: Rng) -> FloatArray:
    """Return any (3, 3) rotation, for a body that is thrown into a bin.

    :param rng: draws all that is left to chance.
    """
    return Rotation.random(rng=rng).as_matrix()


def leant(body: Body, rng: Rng) -> FloatArray:
    """Return the (3, 3) rotation of a body on its edge, its thinnest side leaning along x.

    :param rng: draws all that is left to chance.
    """
    tilt = rng.choice([-1, 1]) * np.radians(rng.uniform(3, 18))
    leaning: FloatArray = Rotation.from_rotvec([0, tilt, 0]).as_matrix() @ on_end(body, rng)
    return leaning


def on_end(body: Body, rng: Rng) -> FloatArray:
    """Return the (3, 3) rotation of a body that stands on an edge, its thinnest side along x.

    :param rng: draws all that is left to chance.
    """
    thin, middle, long = np.argsort(body.solid.extents_m)
    up = long if rng.random() < 0.7 else middle
    axes = np.zeros((3, 3))
    axes[0, thin] = axes[2, up] = 1.0
    axes[1] = np.cross(axes[2], axes[0])
    return axes


def row(bed: Bed, area: Area, bodies: Sequence[Body], rng: Rng) -> list[int]:
    """Stand bodies on edge side by side along x, from one side of an area on.

    :param rng: draws all that is left to chance.
    :return: indices in the bed of those that found room.
    """
    placed = []
    left, room = area.middle_m[0] - area.half_m[0], 2 * area.half_m[0]
    x = left + (0.001 if rng.random() < 0.5 else rng.uniform(0, 0.6) * room)
    y = area.middle_m[1] + rng.uniform(-0.3, 0.3) * area.half_m[1]
    for body in bodies:
        T = transform(on_end(body, rng), np.zeros(3))
        low, high = box_of(body, T)
        T[:2, 3] = -(low + high)[:2] / 2
        T[2, 3] = -low[2]
        half = (high - low)[:2] / 2
        x += half[0] + (rng.uniform(0, 0.004) if rng.random() < 0.8 else rng.uniform(0, 0.05))
        spot = np.array([x, y + rng.uniform(-0.015, 0.015)])
        x += half[0]
        if not area.holds(spot, half):
            continue
        T_rest = bed.rest(Stance(body, T, float(np.linalg.norm(half))), spot, area, rng)
        if T_rest is not None:
            placed.append(len(bed.bodies))
            bed.add(body, T_rest)
    return placed


def alike(bodies: Sequence[Body], rng: Rng) -> list[Body]:
    """Return the bodies in one paint, as pieces of one kind are.

    :param rng: draws all that is left to chance.
    """
    paint = random_paint(rng)
    return [
        Body(replace(body.solid, colors=paint(body.solid.vertices_m.astype(np.float64))))
        for body in bodies
    ]


def heap(
    bed: Bed,
    area: Area,
    bodies: Sequence[Body],
    rng: Rng,
    turned: Callable[[Body, Rng], FloatArray],
    hug: float = 0.0,
) -> list[int]:
    """Drop bodies onto an area until they rest, on and against each other and what stands there.

    What ends outside of the area, or does not rest on anything, is left out.

    :param bed: what stands there; takes the bodies.
    :param rng: draws all that is left to chance.
    :param turned: how a body is turned when it is let go.
    :param hug: chance that one is dropped beside a side of the area.
    """
    chosen, starts = [], []
    for body in bodies:
        T = transform(turned(body, rng), np.zeros(3))
        box = box_of(body, T)
        spot = area.spot(rng, np.ptp(box, axis=0)[:2] / 2 + GAP_M, hug)
        if spot is not None:
            T[:2, 3] = spot - box.mean(axis=0)[:2]
            chosen.append(body)
            starts.append(T)
    if not chosen:
        return []
    z = float(area.middle_m[2])
    around = _near(bed, area)
    poses, is_resting = drop(chosen, np.stack(starts), z, GAP_M, 0.25, PATIENCE_S, around)
    placed: list[int] = []
    lowest = np.argsort([box_of(b, T)[0, 2] for b, T in zip(chosen, poses, strict=True)])
    for k in lowest.tolist() if is_resting else []:
        low, high = box_of(chosen[k], poses[k])
        is_inside = area.holds((low + high)[:2] / 2, (high - low)[:2] / 4)
        T_rest = bed.settled(chosen[k], poses[k]) if is_inside else None
        if T_rest is not None:
            placed.append(len(bed.bodies))
            bed.add(chosen[k], T_rest)
    return placed


def _near(bed: Bed, area: Area) -> list[FloatArray]:
    """Return the corners of the convex surroundings that bodies on an area may meet."""
    low = area.middle_m - [*area.half_m, 0] - NEAR_M
    high = area.middle_m + [*area.half_m, 0] + NEAR_M
    corners = [part.vertices_m.astype(np.float64) for part in bed.surroundings]
    return [
        points
        for points in corners
        if (points.min(axis=0) < high).all()
        and (points.max(axis=0) > low).all()
        and points[:, 2].max() > area.middle_m[2] + GAP_M
    ]


def top_of(bed: Bed, index: int, share: float) -> Area:
    """Return the area on top of a body of the bed: a disc of this share of its half width.

    :param index: which body.
    """
    body, T = bed.bodies[index], bed.poses[index]
    low, high = box_of(body, T)
    radius = share * float((high - low)[:2].min()) / 2
    middle = np.array([*(low + high)[:2] / 2, low[2]])
    return Area(middle, (radius, radius), is_round=True, overhang=0.7)
