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
from sam3d_ros.geometry.meshes import adjacency
from sam3d_ros.reconstruction.nearest import Feet, nearest_feet, unit_normals
from sam3d_ros.reconstruction.points import ObservedPoints

STIFFNESS = 1.0
"""Pull of a neighbouring vertex over that of one observed point of median noise."""
INERTIA = 0.05
CANDIDATES = 2
GATE_VOXELS, GATE_SIGMAS = 1.0, 4.0
"""Points farther than the sum of these from the surface do not pull."""
STEPS = 8
LARGEST_STEP_VOXELS = 1.0
LEAST_POINTS = 12


def snapped(
    vertices: Float32Array,
    normals: Float32Array,
    faces: IndexArray,
    points: ObservedPoints,
    voxel_m: float,
) -> Float32Array:
    """Return the vertices moved along their normals onto the observed points around them.

    :param vertices: (V, 3) float32, grid frame, metres; ``normals`` likewise, unit, outward.
    """
    if len(points.points_m) < LEAST_POINTS:
        return vertices
    feet = nearest_feet(
        points.points_m,
        vertices,
        faces,
        candidates=CANDIDATES,
        normals=points.normals,
        penalty_m=voxel_m,
    )
    wish = _wishes(feet, vertices, faces, normals)
    root = _certainty(feet, points.sigmas_m, voxel_m)
    rows = sparse.diags_array(root) @ wish
    step = _solved(rows, root * feet.heights_m, _membrane(faces, len(vertices)))
    most = LARGEST_STEP_VOXELS * voxel_m
    return vertices + np.clip(step, -most, most).astype(np.float32)[:, None] * normals


def _wishes(
    feet: Feet, vertices: Float32Array, faces: IndexArray, normals: Float32Array
) -> sparse.csr_array:
    """(P, V): how far each point's foot moves along its face's normal with each vertex."""
    corners = faces[feet.faces]
    planes = unit_normals(vertices[corners])
    share = feet.weights * np.einsum('pkc,pc->pk', normals[corners], planes)
    starts = np.arange(0, 3 * len(corners) + 1, 3)
    return sparse.csr_array(
        (share.ravel(), corners.ravel(), starts), shape=(len(corners), len(vertices))
    )


def _certainty(feet: Feet, sigmas_m: Float32Array, voxel_m: float) -> FloatArray:
    """(P,) square roots of the weights: Tukey's biweight over the noise, 1 at median noise."""
    gate = GATE_VOXELS * voxel_m + GATE_SIGMAS * sigmas_m
    biweight = np.maximum(1.0 - np.square(feet.distances_m / gate), 0.0)
    return np.asarray(biweight * np.median(sigmas_m) / sigmas_m, np.float64)


def _membrane(faces: IndexArray, count: int) -> sparse.csr_array:
    """(V, V) graph Laplacian of a closed mesh, with a little inertia."""
    neighbours = adjacency(faces, count)
    own = sparse.diags_array(STIFFNESS * neighbours.sum(axis=1) + INERTIA)
    return sparse.csr_array(own - STIFFNESS * neighbours)


def _solved(rows: sparse.csr_array, target: FloatArray, prior: sparse.csr_array) -> FloatArray:
    """(V,) approximate minimum of |rows x - target|^2 + x prior x.

    A fixed number of steps of conjugate gradients, preconditioned by the diagonal.
    """
    columns = rows.T.tocsr()
    diagonal = prior.diagonal() + columns.power(2).sum(axis=1)
    x = np.zeros(rows.shape[1])
    residual = columns @ target
    conditioned = residual / diagonal
    direction, size = conditioned, float(residual @ conditioned)
    for _ in range(STEPS):
        if size <= 0.0:
            break
        image = columns @ (rows @ direction) + prior @ direction
        length = size / float(direction @ image)
        x = x + length * direction
        residual = residual - length * image
        conditioned = residual / diagonal
        before, size = size, float(residual @ conditioned)
        direction = conditioned + (size / before) * direction
    return x
