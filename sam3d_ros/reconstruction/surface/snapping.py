# SPDX-License-Identifier: Apache-2.0
"""The surface pulled onto the observed points: one step of weighted least squares.

Every vertex moves along its normal; every observed point asks the face it belongs to to pass
through it, neighbours ask each other to move alike (a membrane). As Hoppe et al., "Mesh
optimization", SIGGRAPH 1993, section 4.1, on fixed connectivity, with robust weights.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

from sam3d_ros.core.types import Float32Array, FloatArray, IndexArray
from sam3d_ros.reconstruction.evidence.points import ObservedPoints
from sam3d_ros.reconstruction.surface.nearest import Feet, facing_feet, unit_normals

STIFFNESS = 1.0
"""Pull of a neighbouring vertex over that of one observed point of median noise."""
INERTIA = 0.05
GATE_VOXELS, GATE_SIGMAS = 1.0, 4.0
"""Points farther than the sum of these from the surface do not pull."""
LOW, USUAL, UNLIKE = 0.1, 2.0, 4.0
"""Points of one kind have so many times the noise of the surest tenth of them, by median; noise
from so many times it on is of another kind, as that of inferred range."""
STEPS = 8
LARGEST_STEP_VOXELS = 1.0
LEAST_POINTS = 12


def snapped(
    vertices: Float32Array,
    normals: Float32Array,
    faces: IndexArray,
    neighbours: sparse.csr_array,
    points: ObservedPoints,
    voxel_m: float,
) -> Float32Array:
    """Return the vertices moved along their normals onto the observed points around them.

    :param vertices: (V, 3) float32, grid frame, metres; ``normals`` likewise, unit, outward.
    :param faces: (F, 3) indices of vertices, counter-clockwise seen from outside.
    :param neighbours: (V, V) adjacency of the vertices.
    :param voxel_m: side of a voxel of the volume.
    """
    if len(points.points_m) < LEAST_POINTS:
        return vertices
    feet = facing_feet(points.points_m, points.normals, vertices, faces, voxel_m)
    corners = faces[feet.faces]
    certainty = _certainty(feet, points.sigmas_m, voxel_m)
    # How far a point's foot moves along its face's normal with each of the face's vertices.
    planes = unit_normals(vertices[corners])
    share = feet.weights * np.einsum('pkc,pc->pk', normals[corners], planes)
    starts = np.arange(0, 3 * len(corners) + 1, 3)
    rows = sparse.csr_array(
        ((certainty[:, None] * share).ravel(), corners.ravel(), starts),
        shape=(len(corners), len(vertices)),
    )
    step = _solved(rows, certainty * feet.heights_m, neighbours)
    most = LARGEST_STEP_VOXELS * voxel_m
    return vertices + np.clip(step, -most, most).astype(np.float32)[:, None] * normals


def _certainty(feet: Feet, sigmas_m: Float32Array, voxel_m: float) -> FloatArray:
    """(P,) square roots of the weights: Tukey's biweight over the noise, 1 at median noise, or at
    little more than the least where most of it is of another kind.
    """
    usual_m, least_m = np.median(sigmas_m), np.quantile(sigmas_m, LOW)
    if usual_m > UNLIKE * least_m:
        usual_m = USUAL * least_m
    gate = GATE_VOXELS * voxel_m + GATE_SIGMAS * sigmas_m
    biweight = np.maximum(1.0 - np.square(feet.distances_m / gate), 0.0)
    return np.asarray(biweight * usual_m / sigmas_m, np.float64)


def _solved(
    rows: sparse.csr_array, target: FloatArray, neighbours: sparse.csr_array
) -> FloatArray:
    """(V,) approximate minimum x of |rows x - target|^2 and the membrane's energy.

    A fixed number of steps of conjugate gradients, preconditioned by the diagonal.
    """
    columns = rows.T.tocsr()
    own = STIFFNESS * neighbours.sum(axis=1) + INERTIA
    diagonal = own + np.bincount(rows.indices, np.square(rows.data), rows.shape[1])
    x = np.zeros(rows.shape[1])
    residual = columns @ target
    conditioned = residual / diagonal
    direction, size = conditioned, float(residual @ conditioned)
    for _ in range(STEPS):
        if size <= 0.0:
            break
        image = columns @ (rows @ direction) + own * direction
        image -= STIFFNESS * (neighbours @ direction)
        length = size / float(direction @ image)
        x = x + length * direction
        residual = residual - length * image
        conditioned = residual / diagonal
        before, size = size, float(residual @ conditioned)
        direction = conditioned + (size / before) * direction
    return x
