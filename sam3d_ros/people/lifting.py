# SPDX-License-Identifier: Apache-2.0
"""Landmarks of an image to metric joints: by depth where it shows them, else by usual bodies.

A joint lies inside the body, a little behind the surface that its pixel shows. Which of the
returns around a pixel are the body's, and not those of the wall beside a wrist, is told by the
network's relative depth, once the trunk has told how far away the whole person is. Joints that
are hidden keep the relative depth, scaled to the size of this person. Without depth the usual
size of people gives the distance, good to an eighth.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sam3d_ros.core.people import BONES, INDEX, JOINTS
from sam3d_ros.core.types import BoolArray, Camera, FloatArray, Frame
from sam3d_ros.people.blazepose.landmarks import Landmarks

TRUNK = [INDEX[f'{side}_{part}'] for part in ('shoulder', 'hip') for side in ('left', 'right')]
SHOWN = 0.5
"""A joint of less visibility is taken for hidden."""
PIXEL_SIGMA_PX = 4.0
"""One-sigma error of a landmark at :data:`USUAL_SIDE_PX`; it grows with the picture of a body."""
BAND_M = 0.25
"""Returns farther than this from where a joint is expected are not the body's."""
RELATIVE_SIGMA_M = 0.06
"""One-sigma error of the network's relative depth, of a body of usual size."""
SIZE_SIGMA = 0.12
"""Spread of the size of people, relative."""
SIZES = (0.45, 1.35)
"""Smallest and largest size of a person over the usual."""
LEAST_HEAD = 0.6
"""Smallest size of a head over the usual: those of children are not much smaller."""
HEAD = np.arange(len(JOINTS)) < INDEX['left_shoulder']
LEAST_MEASURED = 6
"""From fewer joints that depth has measured nobody's size is told."""
INSIDE_M = np.full(len(JOINTS), 0.025)
for _part, _depth in (
    ('ear', 0.04),
    ('shoulder', 0.065),
    ('hip', 0.1),
    ('elbow', 0.05),
    ('knee', 0.06),
    ('wrist', 0.04),
    ('ankle', 0.05),
    ('heel', 0.075),
    ('foot_index', 0.02),
    ('pinky', 0.025),
    ('index', 0.018),
    ('thumb', 0.018),
):
    for _side in ('left', 'right'):
        INSIDE_M[INDEX[f'{_side}_{_part}']] = _depth
"""How far each joint lies behind the surface, of a body of usual size."""


@dataclass(frozen=True, slots=True, eq=False)
class Lifted:
    """Joints in space, optical frame.

    :param points_m: (33, 3) float64, metres.
    :param covariance: (33, 3, 3) float64, square metres.
    :param measured: (33,) bool, placed by depth at the joint itself.
    :param size: of this person over the usual, by its bones; NaN when depth does not tell.
    :param extent: how far its measured joints lie apart across the line of sight, over the usual:
        rougher, but told of a head alone too; NaN when depth does not tell.
    """

    points_m: FloatArray
    covariance: FloatArray
    measured: BoolArray
    size: float
    extent: float

    @property
    def is_too_small(self) -> bool:
        """Whether it cannot be a person: a toy, or a heap of things that looks like one."""
        is_head = (self.measured & ~HEAD).sum() < 3
        return self.extent < (LEAST_HEAD if is_head else SIZES[0])


def lift(frame: Frame, landmarks: Landmarks, size: float | None = None) -> Lifted:
    """Return the joints of landmarks in space.

    :param frame: the one that the landmarks are of.
    :param size: of this person over the usual, when it is known from before.
    """
    camera, relative = frame.camera, landmarks.relative_m
    rays = _rays(landmarks.points_px, camera)
    last_px = np.array([camera.width, camera.height]) - 1
    inside = ((landmarks.points_px >= 0) & (landmarks.points_px <= last_px)).all(axis=1)
    shown = (landmarks.visibility > SHOWN) & inside
    root = _by_size(rays, relative * (size or 1.0), landmarks.visibility > SHOWN)
    around = _returns(frame, landmarks.points_px, root)
    scale = size or 1.0
    votes = _quantiles(around, 0.5) + scale * (INSIDE_M - relative[:, 2])
    # The median of all joints, those of the trunk thrice: a wrist's pixel may show the wall.
    voters = np.array([*range(len(JOINTS)), *TRUNK, *TRUNK])
    voters = voters[shown[voters] & np.isfinite(votes[voters])]
    is_placed = len(voters) >= 4
    middle_z = float(np.median(votes[voters])) if is_placed else root
    depth = middle_z + scale * relative[:, 2]
    is_mine = np.abs(around + (INSIDE_M - depth)[:, None]) < BAND_M
    measured = shown & (is_mine.sum(axis=1) >= 3) & is_placed
    mine = _quantiles(np.where(is_mine, around, np.nan), 0.4)
    depth = np.where(measured, mine + scale * INSIDE_M, depth)
    sigma = np.nan_to_num(frame.sensor.axial_sigma(depth.astype(np.float32)), nan=0.05)
    returned = np.hypot(0.02, sigma)
    if measured.any():
        # Two opinions on the depth of a joint, its returns' and the network's, by their errors.
        expected = middle_z + scale * relative[:, 2]
        expected += np.median((depth - expected)[measured])
        share = returned**2 / (returned**2 + RELATIVE_SIGMA_M**2)
        depth = np.where(measured, depth + share * (expected - depth), depth)
    points = rays * depth[:, None]
    found = measured_size(points, relative, measured)
    if not np.isnan(found):
        scale = found if size is None else size
    _place_hidden(points, rays, relative, scale, measured)
    side_sigma = PIXEL_SIGMA_PX * np.maximum(points[:, 2], 0.1) / camera.fx
    along = np.where(measured, returned, 1.3 * RELATIVE_SIGMA_M)
    if not is_placed:
        along = np.hypot(along, SIZE_SIGMA * root)
    side = np.where(landmarks.visibility > SHOWN, side_sigma, 2.5 * side_sigma)
    sight = rays / np.linalg.norm(rays, axis=1, keepdims=True)
    outer = sight[:, :, None] * sight[:, None, :]
    covariance = (side**2)[:, None, None] * (np.eye(3) - outer)
    covariance += (along**2)[:, None, None] * outer
    extent = measured_extent(points, relative, measured)
    return Lifted(points, covariance, measured, found if is_placed else np.nan, extent)


def measured_size(points_m: FloatArray, relative_m: FloatArray, measured: BoolArray) -> float:
    """Return the size of a person over the usual, NaN when too few of its bones are measured.

    :param points_m: (33, 3) joints.
    :param relative_m: (33, 3) the same of a body of usual size.
    :param measured: (33,) which of the joints count.
    """
    start, end = np.array([(a, b) for a, b in BONES if measured[a] and measured[b]] or [(0, 0)]).T
    if len(start) < 3:
        return float('nan')
    here = np.linalg.norm(points_m[start] - points_m[end], axis=1)
    usual = np.linalg.norm(relative_m[start] - relative_m[end], axis=1)
    return float(np.median(here / np.maximum(usual, 0.05)))


def measured_extent(points_m: FloatArray, relative_m: FloatArray, measured: BoolArray) -> float:
    """Return how far joints lie apart sideways over the usual, NaN when few are measured.

    :param points_m: (33, 3) joints, optical frame.
    :param relative_m: (33, 3) the same of a body of usual size.
    :param measured: (33,) which of the joints count.
    """
    if measured.sum() < LEAST_MEASURED:
        return float('nan')
    here, usual = points_m[measured, :2].std(axis=0), relative_m[measured, :2].std(axis=0)
    return float(np.linalg.norm(here) / max(float(np.linalg.norm(usual)), 0.02))


def _rays(points_px: FloatArray, camera: Camera) -> FloatArray:
    """Return (N, 3) directions with z = 1 of (N, 2) pixels."""
    middle, focal = np.array([camera.cx, camera.cy]), np.array([camera.fx, camera.fy])
    return np.column_stack([(points_px - middle) / focal, np.ones(len(points_px))])


def _by_size(rays: FloatArray, relative: FloatArray, used: BoolArray) -> float:
    """Return the distance z of the hips at which a body of this size looks as it does, metres.

    Every joint's pixel x' asks that X + tx = x' (Z + tz); both coordinates of all joints give
    three unknowns by least squares.
    """
    chosen = used if used.sum() >= 4 else np.ones(len(rays), bool)
    x, y = rays[chosen, 0], rays[chosen, 1]
    X, Y, Z = relative[chosen].T
    zero, one = np.zeros_like(x), np.ones_like(x)
    A = np.concatenate([np.stack([one, zero, -x], 1), np.stack([zero, one, -y], 1)])
    b = np.concatenate([x * Z - X, y * Z - Y])
    solution = np.linalg.lstsq(A, b, rcond=None)[0]
    return float(np.clip(solution[2], 0.2, 30.0))


def _returns(frame: Frame, pixels: FloatArray, distance_m: float) -> FloatArray:
    """Return (N, K) depths, metres, around (N, 2) pixels, within 3 cm at about this distance.

    What is not in the picture, or came not back, is NaN.
    """
    radius = int(np.clip(0.03 * frame.camera.fx / max(distance_m, 0.3), 2, 12))
    around = np.arange(-radius, radius + 1)
    at = np.rint(np.clip(pixels, -1e4, 1e4)).astype(int)
    columns, rows = at[:, :1] + around, at[:, 1:] + around
    height, width = frame.depth_m.shape
    inside = ((rows >= 0) & (rows < height))[:, :, None] & ((columns >= 0) & (columns < width))[
        :, None
    ]
    depth = frame.depth_m[
        rows.clip(0, height - 1)[:, :, None], columns.clip(0, width - 1)[:, None]
    ]
    return np.where(inside, depth, np.nan).reshape(len(at), -1).astype(np.float64)


def _quantiles(values: FloatArray, share: float) -> FloatArray:
    """Return (N,) a quantile of each row of (N, K) values, NaN apart; NaN where all are."""
    ordered = np.sort(values, axis=1)  # NaN last
    last = np.maximum(np.isfinite(ordered).sum(axis=1) - 1, 0)
    low = np.floor(share * last).astype(int)
    rows = np.arange(len(values))
    below, above = ordered[rows, low], ordered[rows, np.minimum(low + 1, last)]
    quantiles: FloatArray = below + (share * last - low) * (above - below)
    return quantiles


def _place_hidden(
    points: FloatArray, rays: FloatArray, relative: FloatArray, scale: float, measured: BoolArray
) -> None:
    """Move joints without depth of their own to the relative depth of the nearest that have it."""
    if not measured.any():
        return
    known, hidden = np.flatnonzero(measured), np.flatnonzero(~measured)
    apart = np.linalg.norm(relative[hidden, None] - relative[known], axis=-1)
    order = np.argsort(apart, axis=1)[:, :3]
    nearest, weights = known[order], 1 / (0.05 + np.take_along_axis(apart, order, axis=1))
    offsets = points[nearest, 2] + scale * (relative[hidden, None, 2] - relative[nearest, 2])
    z = np.maximum((weights * offsets).sum(axis=1) / weights.sum(axis=1), 0.1)
    points[hidden] = rays[hidden] * z[:, None]
