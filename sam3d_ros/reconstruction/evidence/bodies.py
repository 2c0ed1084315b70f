# SPDX-License-Identifier: Apache-2.0
"""Bodies of things that return no range, as glass and chrome: the largest body of revolution that
stands, or lies, on the support and within the silhouette.

The visual hull of one view, made finite by symmetry and support (Laurentini, "The visual hull
concept for silhouette-based image understanding", PAMI 1994): a ring about the axis belongs to the
body as far out as all of it is seen within the mask. How far away the axis is, which one
silhouette leaves open, follows from where the lower rim meets the support, and from the few
returns that are the thing's own. What nothing shows of is left out: tops are flat.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np
from scipy import ndimage

from sam3d_ros.core.types import BoolArray, Camera, Float32Array, FloatArray, IndexArray, Plane
from sam3d_ros.geometry.cameras import project, scaled
from sam3d_ros.geometry.transforms import apply
from sam3d_ros.reconstruction.evidence.raster import render_depth

LONGEST_PX = 96
"""Masks are looked at no finer than this: their rims are no better."""
PLACES, RADII, ANGLES = 40, 24, 24
"""Steps along the axis, out from it and around it."""
WITHIN = 0.9
"""Share of a ring that must be seen in the mask: masks are ragged."""
CLOSED = 0.12
"""Notches of the mask up to this share of its shorter side are closed."""
WAIST = PLACES // 4
"""A waist of fewer steps is a notch of the mask."""
TIP = 0.02
"""Share of the mask below which what covers it is no part of the body."""
STEPS = 9
"""Distances of the axis that are tried at once."""
STEEPEST = 0.94
"""Sine of the angle above the support at which a camera sees no height any more."""
LEAST_COVERED = 0.6
"""Share of the mask that a body must cover to be one."""
LYING_COVERS = 0.05
"""A thing lies where that covers so much more of the mask than if it stood."""


@dataclass(frozen=True, slots=True, eq=False)
class Body:
    """A body of revolution.

    :param origin_m: (3,) float64 a point of its axis, optical frame.
    :param axes: (3, 3) float64, columns: two across the axis and the axis itself, optical frame.
    :param places_m: (S,) float64 places along the axis, metres from the origin, in order.
    :param radii_m: (S,) float64 radius at each.
    :param covered: share of the silhouette that it covers.
    """

    origin_m: FloatArray
    axes: FloatArray
    places_m: FloatArray
    radii_m: FloatArray
    covered: float = 0.0

    @property
    def rings_m(self) -> FloatArray:
        """(S, ANGLES, 3) float64 points of its surface, optical frame, metres."""
        along = self.places_m[:, None, None] * self.axes[:, 2]
        return self.origin_m + along + self.radii_m[:, None, None] * _circle(self.axes)

    def outside_m(self, points_m: FloatArray) -> FloatArray:
        """Return how far (P, 3) points of the optical frame are outside of its side, (P,)."""
        local = (points_m - self.origin_m) @ self.axes
        radius = np.interp(local[:, 2], self.places_m, self.radii_m)
        return np.asarray(np.hypot(local[:, 0], local[:, 1]) - radius)

    def moved(self, T: FloatArray) -> Body:
        """Return it in another frame.

        :param T: (4, 4) from the frame that it is in to the other.
        """
        return replace(self, origin_m=apply(T, self.origin_m), axes=T[:3, :3] @ self.axes)

    def depth_m(self, camera: Camera) -> Float32Array:
        """Return (H, W) float32 z-depth of its front, inf beside it.

        :param camera: that looks.
        """
        rings = self.rings_m
        ends = rings[[0, -1]].mean(axis=1)
        at = np.arange(rings[..., 0].size).reshape(rings.shape[:2])
        next_to = np.roll(at, -1, axis=1)
        sides = [(at[:-1], next_to[:-1], next_to[1:]), (at[:-1], next_to[1:], at[1:])]
        first, last = np.full(ANGLES, at.size), np.full(ANGLES, at.size + 1)
        sides += [(first, next_to[0], at[0]), (last, at[-1], next_to[-1])]
        faces = np.concatenate([np.stack(side, axis=-1).reshape(-1, 3) for side in sides])
        vertices = np.concatenate([rings.reshape(-1, 3), ends]).astype(np.float32)
        return render_depth(vertices, faces.astype(np.int32), camera)


@dataclass(frozen=True, slots=True, eq=False)
class Outline:
    """A silhouette over its support, optical frame.

    :param mask: (H, W) bool, closed, no finer than :data:`LONGEST_PX`.
    :param camera: that looks, as fine.
    :param support: what it stands on.
    :param rays: (N, 3) float64 of its pixels, z = 1.
    :param up: (3,) normal of the support.
    :param away: (3,) level direction away from the camera.
    :param foot_m: (3,) point of the support under the lower rim, half way across.
    :param width_m: across, at the foot's distance.
    """

    mask: BoolArray
    camera: Camera
    support: Plane
    rays: FloatArray
    up: FloatArray
    away: FloatArray
    foot_m: FloatArray
    width_m: float

    @classmethod
    def of(cls, mask: BoolArray, camera: Camera, support: Plane) -> Outline | None:
        """Return the outline of a mask; None where its rays do not meet the support, or look
        straight down on it.

        :param mask: (H, W) bool, the pixels of one thing whose foot is in view.
        :param camera: that looks.
        :param support: what it stands on, optical frame.
        """
        shrunk = min(LONGEST_PX / max(mask.shape), 1.0)
        width, height = (max(round(size * shrunk), 8) for size in mask.shape[::-1])
        camera = scaled(camera, width, height)
        small = cv2.resize(mask.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
        mask = _closed(small >= 0.5)
        if not mask.any():
            return None
        rows, columns = np.nonzero(mask)
        rays = np.stack(
            [
                (columns - camera.cx) / camera.fx,
                (rows - camera.cy) / camera.fy,
                np.ones(len(rows)),
            ],
            axis=1,
        )
        up = support.normal
        middle = rays.mean(axis=0) / np.linalg.norm(rays.mean(axis=0))
        falls = -(rays @ up)
        below = falls > 1e-3
        if -(middle @ up) > STEEPEST or not below.any() or support.offset_m <= 0:
            return None
        away = middle - up * (middle @ up)
        away /= np.linalg.norm(away)
        aside = np.cross(up, away)
        met = rays[below] * (support.offset_m / falls[below])[:, None]
        near = np.quantile(met @ away, 0.01)
        # On the upright plane through the lower rim, that faces the camera.
        reach = near / (rays @ away)
        across = reach * (rays @ aside)
        low, high = np.quantile(across, [0.02, 0.98])
        ground = -support.offset_m * up
        foot = ground + near * away + 0.5 * (low + high) * aside
        width_m = float(high - low)
        if not (near > 0 and width_m > 0 and (rays @ away > 0).all()):
            return None
        return cls(mask, camera, support, rays, up, away, foot, width_m)

    def at_height(self, height_m: float) -> FloatArray:
        """Return (N, 3) points where its rays meet the plane so high over the support."""
        falls = np.maximum(-(self.rays @ self.up), 1e-3)
        return self.rays * ((self.support.offset_m - height_m) / falls)[:, None]


def fit_body(outline: Outline, own_m: FloatArray | None = None) -> Body:
    """Return the body within a silhouette; it is none where it covers too little of it.

    :param outline: the silhouette over what it stands on.
    :param own_m: (P, 3) points of its surface, optical frame, metres; None = there are none.
    """
    if own_m is None:
        standing = _best(outline, _upright(outline, np.linspace(0.0, 0.75, STEPS)), own_m)
    else:
        # Returns of its own tell places apart that are nearer to each other.
        shares = np.linspace(-1.0, 1.5, 3 * STEPS)
        standing = _best(outline, _upright(outline, shares[::2]), own_m)
        best = (standing.origin_m - outline.foot_m) @ outline.away / outline.width_m
        near = np.abs(shares - best) < 1.5 * (shares[1] - shares[0])
        standing = _best(outline, _upright(outline, shares[near]), own_m)
    lying = _best(outline, _level(outline), own_m)
    return standing if standing.covered + LYING_COVERS >= lying.covered else lying


def agreement(outline: Outline, body: Body, own_m: FloatArray | None = None) -> float:
    """Return how well a body and a silhouette agree: 1 = as well as can be.

    :param outline: the silhouette over what it stands on.
    :param body: fitted to another one.
    :param own_m: (P, 3) points of its surface, optical frame, metres; None = there are none.
    """
    drawn = _drawn(outline, body)
    inside = drawn[outline.mask] >= 0
    beside = np.count_nonzero(drawn >= 0) - np.count_nonzero(inside)
    score = float(inside.mean() - beside / inside.size)
    if own_m is not None:
        score -= float(np.median(np.abs(body.outside_m(own_m)))) / outline.width_m
    return score


def _upright(outline: Outline, shares: FloatArray) -> Iterator[Body]:
    """Yield empty bodies about upright axes, so many widths behind the foot each."""
    axes = np.stack([outline.away, np.cross(outline.up, outline.away), outline.up], axis=1)
    for share in shares:
        moved = share * outline.width_m * outline.away
        # What is seen in one place stays there, whatever the distance.
        along = outline.foot_m @ outline.away
        sideways = axes[:, 1] * (axes[:, 1] @ outline.foot_m) * (share * outline.width_m / along)
        origin = outline.foot_m + moved + sideways
        reach = (origin @ outline.away) / (outline.rays @ outline.away)
        top = float((reach * (outline.rays @ outline.up)).max() + outline.support.offset_m)
        places = (np.arange(PLACES) + 0.5) / PLACES * max(top, 0.01)
        yield Body(origin, axes, places, np.full(PLACES, 0.75 * outline.width_m))


def _level(outline: Outline) -> Iterator[Body]:
    """Yield empty bodies about axes along the silhouette, higher and higher over the support."""
    flat = outline.at_height(0.0)
    _, _, directions = np.linalg.svd(flat - flat.mean(axis=0), full_matrices=False)
    extent = float(np.ptp(flat @ directions[1]))
    for share in np.linspace(0.25, 0.55, STEPS):
        radius = share * extent
        points = outline.at_height(radius)
        middle = points.mean(axis=0)
        _, _, directions = np.linalg.svd(points - middle, full_matrices=False)
        axes = np.stack([outline.up, np.cross(directions[0], outline.up), directions[0]], axis=1)
        along = (points - middle) @ directions[0]
        places = np.linspace(along.min(), along.max(), PLACES)
        yield Body(middle, axes, places, np.full(PLACES, radius))


def _best(outline: Outline, empty: Iterator[Body], own_m: FloatArray | None) -> Body:
    """Return the body that fits best: most of the mask, on the support, along its own points."""
    best: Body | None = None
    best_fit = -np.inf
    for body in empty:
        carved = _carved(outline, body)
        heights = carved.rings_m @ outline.up + outline.support.offset_m
        filled = carved.radii_m > 0.3 * carved.radii_m.max()
        gap = float(heights[filled].min()) if filled.any() else np.inf
        fit = carved.covered
        if own_m is None:
            fit -= max(gap, 0.0) / outline.width_m
        else:
            off = np.median(np.abs(carved.outside_m(own_m)))
            fit -= float(off) / outline.width_m
        if best is None or fit > best_fit:
            best, best_fit = carved, fit
    assert best is not None
    # From above, a tip on a flat top would be seen within the top: without it no less is covered.
    lowest = _drawn(outline, best)[outline.mask]
    covered = np.bincount(lowest[lowest >= 0], minlength=1).cumsum() / lowest.size
    kept = 2 + int(np.argmax(covered >= covered[-1] - TIP)) if len(best.places_m) > 1 else 0
    return replace(best, places_m=best.places_m[:kept], radii_m=best.radii_m[:kept])


def _carved(outline: Outline, body: Body) -> Body:
    """Return the largest body about an axis that is seen within the mask and above the support.

    :param body: its radii are the largest ones that may be.
    """
    steps = np.arange(1, RADII + 1) / RADII
    circle = _circle(body.axes)
    along = body.origin_m + body.places_m[:, None] * body.axes[:, 2]
    radii = (body.radii_m[:, None] * steps)[..., None]
    # Places on a ring are linear in its radius: so are their images before they are divided.
    x, y, z = (
        centre[:, None, None] + radii * around
        for centre, around in zip(
            (along @ outline.camera.K.T).T, (circle @ outline.camera.K.T).T, strict=True
        )
    )
    height = (along @ outline.up)[:, None, None] + radii * (circle @ outline.up)
    # The pixels around the mask are none of it.
    framed, ahead = np.pad(outline.mask, 1), np.where(z > 0, z, 1.0)
    columns = np.rint(np.clip(x / ahead, -1.0, outline.camera.width)).astype(np.intp)
    rows = np.rint(np.clip(y / ahead, -1.0, outline.camera.height)).astype(np.intp)
    seen = framed[rows + 1, columns + 1] & (z > 0)
    seen &= height + outline.support.offset_m > -0.5 * np.ptp(radii) / RADII
    fits = np.logical_and.accumulate(seen.mean(axis=2) >= WITHIN, axis=1)
    found = body.radii_m * fits.sum(axis=1) / RADII
    smooth = ndimage.median_filter(found, 3)
    kept = np.flatnonzero(smooth > 0)
    if len(kept) < 2:
        return replace(body, radii_m=np.zeros(len(smooth)))
    # Between the first and the last ring that fit, ragged masks leave none out.
    inside = slice(kept[0], kept[-1] + 1)
    whole = ndimage.grey_closing(
        np.interp(body.places_m[inside], body.places_m[kept], smooth[kept]), WAIST
    )
    carved = replace(body, places_m=body.places_m[inside], radii_m=whole)
    return replace(carved, covered=float((_drawn(outline, carved)[outline.mask] >= 0).mean()))


def _drawn(outline: Outline, body: Body) -> IndexArray:
    """(H, W) int32 which part of a body a pixel shows: the lowest one, from 0; -1 = none."""
    drawn = np.full(outline.mask.shape, -1, np.int32)
    rings = project(body.rings_m, outline.camera)
    whole = np.array([np.isfinite(ring).all() for ring in rings])
    rings = np.rint(np.where(whole[:, None, None], rings, 0.0)).astype(np.int32)
    for part in np.flatnonzero(whole[:-1] & whole[1:])[::-1]:
        hull = cv2.convexHull(rings[part : part + 2].reshape(-1, 2))
        cv2.fillConvexPoly(drawn, hull, (int(part),))
    return drawn


def _circle(axes: FloatArray) -> FloatArray:
    """(ANGLES, 3) unit vectors around an axis."""
    angles = np.arange(ANGLES) * (2.0 * np.pi / ANGLES)
    return np.asarray(np.cos(angles)[:, None] * axes[:, 0] + np.sin(angles)[:, None] * axes[:, 1])


def _closed(mask: BoolArray) -> BoolArray:
    """(H, W) bool: the largest piece of a mask, its notches closed and its holes filled."""
    size = 2 * int(0.5 * CLOSED * min(mask.shape)) + 1
    around = size + 1
    padded = np.pad(mask.astype(np.uint8), around)
    window = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    closed = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, window)
    outer, _ = cv2.findContours(closed, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    drawn = np.zeros_like(closed)
    if outer:
        largest = max(range(len(outer)), key=lambda k: cv2.contourArea(outer[k]))
        cv2.drawContours(drawn, outer, largest, (1,), cv2.FILLED)
    return np.asarray(drawn[around:-around, around:-around], bool)
