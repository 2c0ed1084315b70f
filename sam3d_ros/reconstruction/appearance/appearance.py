# SPDX-License-Identifier: Apache-2.0
"""The look of a surface: what its views show, balanced and blended; mirrored or nearest elsewhere.

Views are weighted by the pixels that they spend on an area, as in Waechter, Moehrle and Goesele,
"Let there be color!" (ECCV 2014), raised to a power: the best view wins, with soft seams.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from scipy.spatial import cKDTree

from sam3d_ros.core.types import (
    BoolArray,
    ByteArray,
    Camera,
    Float32Array,
    FloatArray,
    IndexArray,
)
from sam3d_ros.geometry.colors import encoded, linear
from sam3d_ros.geometry.shapes.meshes import lengths
from sam3d_ros.geometry.transforms import apply
from sam3d_ros.geometry.visibility import judge
from sam3d_ros.reconstruction.appearance.exposure import exposure_gains
from sam3d_ros.reconstruction.completion.primitives.symmetry import MirrorPlane, find_mirror
from sam3d_ros.reconstruction.evidence.evidence import Evidence
from sam3d_ros.reconstruction.evidence.grid import T_cam_grid
from sam3d_ros.reconstruction.views import View

LEAST_COSINE = -0.5
"""Faces at edges lean away from a camera that yet sees what is there: the depth decides."""

GRAZING = 0.02
"""Least cosine in a view's weight; views that see a surface better win."""

RIM_PX, RIM_SHARE = 3.0, 0.3
"""Width of a mask's rim, whose pixels have to look like the inside; and its largest share of half
the mask's width."""

BESIDE_PX = 2.0
"""From so far outside a mask on pixels show nothing of the object."""

SHARPNESS = 4.0
"""Power of the weights: 0 is the mean of all views, infinity the best one alone."""

HOLE_WINDOWS_PX = (3, 7, 15)
"""Holes of the depth are filled with the mean of these windows, one after the other."""

MARGIN_PX = 8
"""Pixels around a mask's box that are looked at: more than the rim's width and what is beside."""

MIRROR_REACH_VOXELS = 6.0
FAR_SLACK = 0.1
"""The nearest colour may be so much farther than the very nearest; searched for much faster."""

FROM_ABOVE, DARKEST = 0.7, -0.8
"""Logarithm of a colour, 0..255, over the upward part of its normal, and of what is least left of
it, where it is lent to a face that looks more downwards."""

GREY = 128


@dataclass(frozen=True, slots=True, eq=False)
class Sight:
    """What K views show of P surface points.

    :param light: (K, P, 3) float32 linear light.
    :param weight: (K, P) float32, pixels per area towards the surface, px^2/m^2; 0 = not seen.
    """

    light: Float32Array
    weight: Float32Array

    @property
    def seen(self) -> BoolArray:
        """(P,) bool: some view sees the point."""
        seen: BoolArray = np.asarray((self.weight > 0).any(axis=0))
        return seen

    def blended(self, gains: Float32Array) -> Float32Array:
        """Return (P, 3) float32 linear light over all views; 0 where none sees the point.

        :param gains: (K, 3) factors of the views' light.
        """
        best = self.weight.max(axis=0)
        share = np.power(self.weight / np.maximum(best, 1e-20), np.float32(SHARPNESS))
        share /= np.maximum(share.sum(axis=0), 1e-20)
        mixed: Float32Array = np.einsum('kp,kpc,kc->pc', share, self.light, gains)
        return mixed


def look(
    points: Float32Array, normals: Float32Array, evidence: Evidence, tolerance_m: float
) -> Sight:
    """Return what the evidence's views show of (P, 3) points with unit normals, grid frame.

    :param tolerance_m: how far from a point along z the sensor's return may lie.
    """
    light = np.zeros((len(evidence.views), len(points), 3), np.float32)
    weight = np.zeros(light.shape[:2], np.float32)
    for at, view in enumerate(evidence.views):
        view = _close_up(view)
        T = T_cam_grid(view, evidence.grid)
        points_cam = apply(T, points.astype(np.float64))
        distance = lengths(points_cam)
        cosine = -np.einsum('pc,pc->p', points_cam, normals @ T[:3, :3].T) / distance
        verdict = judge(points_cam, view.camera, _own_depth(view), tolerance_m)
        hit = np.flatnonzero(verdict.confirmed & (cosine > LEAST_COSINE))
        trust = _trust(view)[verdict.rows[hit], verdict.columns[hit]]
        facing = np.maximum(cosine[hit], GRAZING)
        weight[at, hit] = trust * facing * np.square(view.camera.fx / distance[hit])
        light[at, hit] = _sampled(view, points_cam[hit])
    return Sight(light, weight)


def _close_up(view: View) -> View:
    """Return the part of a view that shows the object's mask and what is beside it."""
    first_column, first_row, width, height = cv2.boundingRect(view.mask.astype(np.uint8))
    left, top = max(first_column - MARGIN_PX, 0), max(first_row - MARGIN_PX, 0)
    right, bottom = first_column + width + MARGIN_PX, first_row + height + MARGIN_PX
    part = np.s_[top:bottom, left:right]
    mask = view.mask[part]
    K = view.camera.K.copy()
    K[:2, 2] -= left, top
    return replace(
        view,
        pointmap=view.pointmap[part],
        rgb=view.rgb[part],
        mask=mask,
        foreign=view.foreign[part],
        camera=Camera(mask.shape[1], mask.shape[0], K),
    )


def _trust(view: View) -> Float32Array:
    """Return (h, w) float32 0..1: fades over the mask's rim, 0 where the rim is not the object.

    A mask may leak: a rim pixel that looks more like what is beside the mask than like what is
    inside of the rim is not used.
    """
    mask = view.mask.astype(np.uint8)
    inward_px = cv2.distanceTransform(mask, cv2.DIST_L2, 3)
    outward_px = cv2.distanceTransform(1 - mask, cv2.DIST_L2, 3)
    inner = inward_px > min(RIM_PX, RIM_SHARE * float(inward_px.max()))
    beside = outward_px >= BESIDE_PX
    trust = np.minimum(inward_px / RIM_PX, 1.0).astype(np.float32)
    if beside.any():
        rim = np.flatnonzero(view.mask & ~inner)
        rgb = view.rgb.reshape(-1, 3).astype(np.int16)
        to_inside = np.abs(rgb[rim] - rgb[nearest_known(inner)[rim]]).sum(axis=1)
        to_beside = np.abs(rgb[rim] - rgb[nearest_known(beside)[rim]]).sum(axis=1)
        trust.reshape(-1)[rim[to_beside < to_inside]] = 0.0
    return trust


def nearest_known(known: BoolArray) -> IndexArray:
    """Return (h * w,) the flat index of the pixel nearest to each one that is known.

    :param known: (h, w) bool, at least one.
    """
    _, labels = cv2.distanceTransformWithLabels(
        (~known).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    pixels = np.flatnonzero(known)
    of_label = np.zeros(len(pixels) + 1, np.int32)
    of_label[labels.reshape(-1)[pixels]] = pixels
    nearest: IndexArray = of_label[labels.reshape(-1)]
    return nearest


def _own_depth(view: View) -> Float32Array:
    """Return (h, w) float32 depth in the mask, holes filled from around; NaN elsewhere.

    Depth cameras fail at rims, on grazed sides and on dark paint, where colour is still good.
    """
    depth = np.where(view.own, view.pointmap[..., 2], np.float32(0.0))
    known = view.own.astype(np.float32)
    for window in HOLE_WINDOWS_PX:
        share = cv2.blur(known, (window, window))
        around = cv2.blur(depth, (window, window)) / np.maximum(share, 1e-6)
        fill = view.mask & (known == 0) & (share > 1e-6)
        depth[fill], known[fill] = around[fill], 1.0
    return np.where(known > 0, depth, np.float32(np.nan)).astype(np.float32)


def _sampled(view: View, points_cam: FloatArray) -> Float32Array:
    """Return (P, 3) linear light between the own pixels around the images of (P, 3) points."""
    camera = view.camera
    own = np.pad(view.mask, 1).astype(np.float32)
    image = np.pad(linear(view.rgb), ((1, 1), (1, 1), (0, 0))) * own[..., None]
    column = points_cam[:, 0] / points_cam[:, 2] * camera.fx + camera.cx + 1.0
    row = points_cam[:, 1] / points_cam[:, 2] * camera.fy + camera.cy + 1.0
    left, top = np.floor(column).astype(np.intp), np.floor(row).astype(np.intp)
    across, down = (column - left).astype(np.float32), (row - top).astype(np.float32)
    total = np.zeros((len(points_cam), 3), np.float32)
    share = np.zeros(len(points_cam), np.float32)
    for dy, dx in ((0, 0), (0, 1), (1, 0), (1, 1)):
        part = (down if dy else 1 - down) * (across if dx else 1 - across)
        total += part[:, None] * image[top + dy, left + dx]
        share += part * own[top + dy, left + dx]
    return (total / np.maximum(share, 1e-6)[:, None]).astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Appearance:
    """How to colour any point of one object's surface.

    :param gains: (K, 3) float32 exposure gains of the evidence's views.
    :param mirror: symmetry that lends its colours to what no view sees, if there is one.
    :param tolerance_m: depth error allowed in the visibility test.
    """

    evidence: Evidence
    gains: Float32Array
    mirror: MirrorPlane | None
    tolerance_m: float

    def colors(self, points: Float32Array, normals: Float32Array) -> ByteArray:
        """Return (P, 3) uint8 RGB of (P, 3) points with unit normals, grid frame."""
        sight = look(points, normals, self.evidence, self.tolerance_m)
        return self._completed(points, normals, sight)

    def _completed(self, points: Float32Array, normals: Float32Array, sight: Sight) -> ByteArray:
        """Blend what is seen; give the rest the colour of its mirror image, else the nearest, as
        dark as it is there: light comes from above (Sun and Perona, "Where is the sun?",
        Nature Neuroscience 1998).
        """
        seen = sight.seen
        if not seen.any():
            return np.full((len(points), 3), GREY, np.uint8)
        colors = encoded(sight.blended(self.gains))
        shown, missing = np.flatnonzero(seen), np.flatnonzero(~seen)
        if len(missing) == 0:
            return colors
        lender = np.arange(len(points))
        # Compact nodes make queries from afar ten times slower.
        tree = cKDTree(points[seen], compact_nodes=False, balanced_tree=False)
        if self.mirror is not None:
            reach_m = MIRROR_REACH_VOXELS * self.evidence.grid.voxel_m
            images = self.mirror.reflect(points[missing].astype(np.float64))
            distance, index = tree.query(images, distance_upper_bound=reach_m)
            close = np.isfinite(distance)
            lender[missing[close]] = shown[index[close]]
            missing = missing[~close]
        lender[missing] = shown[tree.query(points[missing], eps=FAR_SLACK)[1]]
        steeper = normals[:, 2] - normals[lender, 2]
        shade = np.exp(np.clip(FROM_ABOVE * steeper, DARKEST, 0.0))
        return np.rint(colors[lender] * shade[:, None]).astype(np.uint8)


def coloured(
    vertices: Float32Array, normals: Float32Array, evidence: Evidence
) -> tuple[Appearance, ByteArray]:
    """Return the look of a surface in the grid frame, and the (V, 3) uint8 RGB of its vertices.

    :param normals: (V, 3) unit, outward.
    :param evidence: with the views that show its colours.
    """
    sigmas = evidence.points.sigmas_m
    tolerance_m = 3.0 * (float(np.median(sigmas)) if len(sigmas) else 0.0) + evidence.grid.voxel_m
    sight = look(vertices, normals, evidence, tolerance_m)
    gains = exposure_gains(sight.light, sight.weight > 0)
    appearance = Appearance(evidence, gains, find_mirror(evidence), tolerance_m)
    return appearance, appearance._completed(vertices, normals, sight)
