# SPDX-License-Identifier: Apache-2.0
"""Shape metrics, in place and aligned, as defined in the SAM 3D paper (evaluation appendix).

What the paper leaves open is fixed here: chamfer is the mean of the two mean nearest distances,
not squared; normalisation centres the bounding box and scales its longest side to [-1, 1].
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.spatial import cKDTree

from sam3d_ros.core.types import BoolArray, FloatArray, IndexArray

SMALLEST_STEP = 1e-4
"""ICP has ended when no entry of its step differs from the identity's by more."""


@dataclass(frozen=True, slots=True)
class SurfaceScore:
    """Distances between two sampled surfaces, in the unit of the points."""

    chamfer: float
    precision: float
    recall: float

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total > 0 else 0.0


class Surface:
    """A mesh that tells distances to it and what lies inside; (V, 3) vertices, (F, 3) faces."""

    def __init__(self, vertices: FloatArray, faces: IndexArray) -> None:
        import open3d as o3d

        self._scene = o3d.t.geometry.RaycastingScene()
        self._scene.add_triangles(
            np.ascontiguousarray(vertices, np.float32), np.ascontiguousarray(faces, np.uint32)
        )

    def distance(self, points: FloatArray) -> FloatArray:
        """Return (N,) distances of (N, 3) points to the nearest point of the surface."""
        near = self._scene.compute_distance(np.ascontiguousarray(points, np.float32))
        distance: FloatArray = near.numpy().astype(np.float64)
        return distance

    def closest(self, points: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the (N, 3) nearest points of the surface, and its unit normals there."""
        found = self._scene.compute_closest_points(np.ascontiguousarray(points, np.float32))
        places, normals = found['points'].numpy(), found['primitive_normals'].numpy()
        return places.astype(np.float64), normals.astype(np.float64)

    def inside(self, points: FloatArray) -> BoolArray:
        """Return whether each of (..., 3) points lies inside.

        By ray parity, three rays and the majority, so that small cracks of scans do not matter.
        """
        ray_parity = self._scene.compute_occupancy(
            np.ascontiguousarray(points, np.float32), nsamples=3
        )
        inside: BoolArray = ray_parity.numpy() > 0.5
        return inside


def compare_surfaces(there: FloatArray, back: FloatArray, threshold: float) -> SurfaceScore:
    """Return the score of two surfaces from the distances of samples on each to the other.

    Distances go to the surface itself, not to samples of it, so that they are not limited by how
    densely it was sampled.

    :param there: (N,) distances of predicted points to the truth.
    :param back: (M,) distances of points of the truth to the prediction.
    :param threshold: distance within which a point is right.
    """
    if len(back) == 0:
        return SurfaceScore(0.0, 1.0, 1.0)
    if len(there) == 0:
        # Nothing was predicted there: nothing is right, and the truth is as far as it is.
        return SurfaceScore(float(back.mean()), 0.0, float((back <= threshold).mean()))
    return SurfaceScore(
        float((there.mean() + back.mean()) / 2),
        float((there <= threshold).mean()),
        float((back <= threshold).mean()),
    )


def normalisation(points: FloatArray) -> FloatArray:
    """Return the (4, 4) similarity that centres the box of (N, 3) points, longest side to 2."""
    low, high = points.min(axis=0), points.max(axis=0)
    scale = 2.0 / float(np.max(high - low))
    S = np.diag([scale, scale, scale, 1.0])
    S[:3, 3] = -scale * (low + high) / 2
    return S


def alignment(source: FloatArray, target: FloatArray, iterations: int = 30) -> FloatArray:
    """Return the rigid (4, 4) that ICP finds from normalised (N, 3) points to (M, 3) ones.

    ICP starts from the quarter turns about each axis, all at once, and keeps the start that ends
    nearest.

    :param source: (N, 3).
    :param target: (M, 3).
    :param iterations: of ICP from each start.
    """
    coarse = source[:: max(1, len(source) // 500)]
    points = target[:: max(1, len(target) // 2000)]
    tree = cKDTree(points)
    T = np.stack(_quarter_turns())
    moving = np.ones(len(T), bool)
    for _ in range(iterations):
        moved = _apply_each(T[moving], coarse)
        step = _rigid_fits(moved, points[tree.query(moved)[1]])
        T[moving] = step @ T[moving]
        moving[moving] = np.abs(step - np.eye(4)).max(axis=(1, 2)) > SMALLEST_STEP
        if not moving.any():
            break
    error = tree.query(_apply_each(T, coarse))[0].mean(axis=1)
    best: FloatArray = T[np.argmin(error)]
    return best


def _apply_each(T: FloatArray, points: FloatArray) -> FloatArray:
    """Return (K, N, 3): (N, 3) points under each of (K, 4, 4)."""
    moved: FloatArray = points @ T[:, :3, :3].transpose(0, 2, 1) + T[:, None, :3, 3]
    return moved


def _rigid_fits(source: FloatArray, target: FloatArray) -> FloatArray:
    """Return the (K, 4, 4) that best map (K, N, 3) points onto their partners (Kabsch 1976)."""
    source_mean, target_mean = source.mean(axis=1), target.mean(axis=1)
    U, _, Vt = np.linalg.svd(
        (target - target_mean[:, None]).transpose(0, 2, 1) @ (source - source_mean[:, None])
    )
    U[:, :, 2] *= np.sign(np.linalg.det(U) * np.linalg.det(Vt))[:, None]
    T = np.tile(np.eye(4), (len(source), 1, 1))
    T[:, :3, :3] = U @ Vt
    T[:, :3, 3] = target_mean - np.einsum('kij,kj->ki', T[:, :3, :3], source_mean)
    return T


def _quarter_turns() -> list[FloatArray]:
    turns = []
    for axis in range(3):
        for quarter in range(4):
            if axis > 0 and quarter == 0:
                continue
            c, s = np.round([np.cos(quarter * np.pi / 2), np.sin(quarter * np.pi / 2)])
            i, j = (axis + 1) % 3, (axis + 2) % 3
            T = np.eye(4)
            T[i, i], T[i, j], T[j, i], T[j, j] = c, -s, s, c
            turns.append(T)
    return turns


def surface_voxel_iou(predicted: FloatArray, truth: FloatArray, size: int = 64) -> float:
    """Return the paper's vIoU: IoU of the cells of a size^3 grid over [-1, 1] that hold points.

    :param predicted: (N, 3) points of the normalised result.
    :param truth: (M, 3) points of the normalised truth.
    """
    return solid_iou(_cells(predicted, size), _cells(truth, size))


def _cells(points: FloatArray, size: int) -> BoolArray:
    index = np.clip(((points + 1) / 2 * size).astype(np.int32), 0, size - 1)
    held = np.zeros((size, size, size), bool)
    held[tuple(index.T)] = True
    return held


def earth_mover_distance(predicted: FloatArray, truth: FloatArray, count: int = 512) -> float:
    """Return the mean distance of the cheapest one-to-one matching of ``count`` points each.

    :param predicted: (N, 3) points.
    :param truth: (M, 3) points.
    """
    a = predicted[np.linspace(0, len(predicted) - 1, count).astype(int)]
    b = truth[np.linspace(0, len(truth) - 1, count).astype(int)]
    cost = np.linalg.norm(a[:, None] - b[None], axis=2)
    rows, columns = linear_sum_assignment(cost)
    return float(cost[rows, columns].mean())


def solid_iou(inside_a: BoolArray, inside_b: BoolArray) -> float:
    """Return the IoU of two occupancies on the same grid.

    :param inside_a: bool, one for each cell.
    :param inside_b: bool, of the same shape.
    """
    union = int((inside_a | inside_b).sum())
    return float((inside_a & inside_b).sum() / union) if union else 0.0


def shared_grid(points: FloatArray, voxel_m: float) -> FloatArray:
    """Return the (X, Y, Z, 3) cell centres of a grid of ``voxel_m`` that covers (N, 3) points."""
    low = np.floor(points.min(axis=0) / voxel_m) - 1
    high = np.ceil(points.max(axis=0) / voxel_m) + 1
    axes = [(np.arange(a, b) + 0.5) * voxel_m for a, b in zip(low, high, strict=True)]
    return np.stack(np.meshgrid(*axes, indexing='ij'), axis=-1)
