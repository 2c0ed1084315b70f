# SPDX-License-Identifier: Apache-2.0
"""How the errors of a range image average out: their spread on the largest plane, by window.

Averaging over k x k pixels divides the spread of independent errors by k. Errors that neighbours
share do not go away. The spread of a mean as a function of the length that is averaged over is
the idea of Allan, "Statistics of Atomic Frequency Standards" (Proc. IEEE 1966), here over the
image; the plane is found by RANSAC (Fischler, Bolles, CACM 1981) and refined by least squares.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from sam3d_ros.core.types import BoolArray, Float32Array, FloatArray

WINDOWS_PX = (1, 3, 5, 9, 15, 25, 41)
"""Sides of the windows that are averaged over."""
WARP_PX = 101
"""Bending of the plane over more than this window is no noise."""

RANGE_M = (0.3, 1.6)
"""Nearer and farther returns are not looked at."""
VOTE_M, MEMBER_M = 0.008, 0.012
"""Distance to the plane of a return that speaks for it, and of one that lies on it."""
CANDIDATES, SAMPLES, REFINEMENTS = 400, 4000, 2
FULL = 0.95
"""A window counts when more than this share of it lies on the plane."""
LEAST_PIXELS = 500
"""Fewer returns, or fewer full windows, say nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class NoiseSpectrum:
    """The errors of a range image on its largest plane.

    :param spreads_m: one sigma of the distance to the plane after averaging over each of
        ``WINDOWS_PX``, metres; None where too few windows are full.
    :param pixels: returns on the plane.
    :param range_m: their median z, metres.
    :param normal: (3,) float64 unit, optical axes, towards the camera.
    :param offset_m: distance of the camera from the plane: normal @ p + offset = 0 on it.
    :param center_px: mean u, v of the returns on the plane.
    """

    spreads_m: tuple[float | None, ...]
    pixels: int
    range_m: float
    normal: FloatArray
    offset_m: float
    center_px: tuple[float, float]


def noise_spectrum(depth_m: Float32Array, K: FloatArray) -> NoiseSpectrum | None:
    """Return the spectrum of a range image's errors, or None when it shows no plane.

    :param depth_m: (H, W) float32 z-depth, metres; NaN or 0 = no return.
    :param K: (3, 3) float64 intrinsics, px.
    """
    with np.errstate(invalid='ignore'):
        near = (depth_m > RANGE_M[0]) & (depth_m < RANGE_M[1])
    plane = _largest_plane(depth_m, near, K)
    if plane is None:
        return None
    # Signed, of every return; the plane's slope along each axis of the image is linear in pixels.
    height, width = depth_m.shape
    along_u = plane[0] * (np.arange(width) - K[0, 2]) / K[0, 0]
    along_v = plane[1] * (np.arange(height) - K[1, 2]) / K[1, 1] + plane[2]
    slope = (along_v[:, None] + along_u).astype(np.float32)
    distance: Float32Array = depth_m * slope + np.float32(plane[3])
    with np.errstate(invalid='ignore'):
        members = near & (np.abs(distance) < MEMBER_M)
    if members.sum() < LEAST_PIXELS:
        return None
    rows, columns = np.nonzero(members)
    window = _around(rows, members.shape[0]), _around(columns, members.shape[1])
    return NoiseSpectrum(
        spreads_m=_spreads(distance[window], members[window]),
        pixels=len(rows),
        range_m=float(np.median(depth_m[members])),
        normal=plane[:3],
        offset_m=float(plane[3]),
        center_px=(float(columns.mean()), float(rows.mean())),
    )


def _largest_plane(depth_m: Float32Array, near: BoolArray, K: FloatArray) -> FloatArray | None:
    """Return (4,) unit normal towards the camera and offset of the plane with most returns."""
    pixels = np.flatnonzero(near)
    if len(pixels) < LEAST_PIXELS:
        return None
    rng = np.random.default_rng(0)
    rows, columns = np.divmod(pixels[rng.integers(len(pixels), size=SAMPLES)], near.shape[1])
    z = depth_m[rows, columns].astype(np.float64)
    points = np.stack(
        [(columns - K[0, 2]) / K[0, 0] * z, (rows - K[1, 2]) / K[1, 1] * z, z], axis=1
    )
    a, b, c = points[rng.integers(SAMPLES, size=(3, CANDIDATES))]
    normals = np.cross(b - a, c - a)
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    normals /= np.maximum(length, 1e-12)
    away = np.abs(points @ normals.T - np.einsum('ij,ij->i', a, normals))
    votes = np.where(length[:, 0] > 1e-6, (away < VOTE_M).sum(axis=0), 0)
    best = int(votes.argmax())
    normal, center = normals[best], a[best]
    for _ in range(REFINEMENTS):
        voters = points[np.abs((points - center) @ normal) < VOTE_M]
        middle = voters.mean(axis=0)
        refined = np.linalg.svd(voters - middle, full_matrices=False)[2][2]
        if (np.abs((points - middle) @ refined) < VOTE_M).sum() <= len(voters):
            break
        normal, center = refined, middle
    offset = -float(normal @ center)
    return np.append(normal, offset) * (1.0 if offset > 0 else -1.0)


def _around(indices: npt.NDArray[np.intp], size: int) -> slice:
    """Return where all windows around these rows or columns of an image lie."""
    reach = WARP_PX // 2
    return slice(max(0, int(indices.min()) - reach), min(size, int(indices.max()) + reach + 1))


def _spreads(distance: Float32Array, members: BoolArray) -> tuple[float | None, ...]:
    """Return the spread of the residual after averaging over every window."""
    member = members.astype(np.float32)
    total = _window_sum(np.where(members, distance, np.float32(0)), WARP_PX)
    warp = total / np.maximum(_window_sum(member, WARP_PX), 1)
    residual = np.where(members, distance - warp, np.float32(0))
    spreads: list[float | None] = []
    for side in WINDOWS_PX:
        count = _window_sum(member, side)
        full = members & (count > FULL * side**2)
        means = _window_sum(residual, side)[full] / count[full]
        spreads.append(float(means.std(dtype=np.float64)) if len(means) >= LEAST_PIXELS else None)
    return tuple(spreads)


def _window_sum(values: Float32Array, side: int) -> npt.NDArray[np.float32]:
    """Return the sum over a square around every pixel; the image is mirrored at its sides."""
    return np.asarray(cv2.boxFilter(values, cv2.CV_32F, (side, side), normalize=False), np.float32)
