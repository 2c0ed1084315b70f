# SPDX-License-Identifier: Apache-2.0
"""How sure a finished mesh is of each of its faces, and of its size.

Both are read from the evidence and calibrated on worlds made of the scans' train split and of
procedural solids, own masks, ``volume`` and ``geometric`` together; the bench
``reconstruction`` says how well they hold.
"""

from __future__ import annotations

import numpy as np

from sam3d_ros.core.types import Float32Array, IndexArray
from sam3d_ros.reconstruction.evidence.evidence import Evidence
from sam3d_ros.reconstruction.surface.labels import centres_and_normals, sample

NEAR_M = 0.005
"""A face is right when the true surface is this near, or within two sigma of the sensor."""

OFFSET = 2.61
WEIGHTS = np.array([0.55, 8.97, -1.71], np.float32)
"""Logistic regression (Platt, "Probabilistic outputs for support vector machines", 1999) of a
face's being right on :func:`face_features`; fitted by ``training/confidence.py``."""

LEAST_CROSSING = 0.02

SIZE_SIGMA, SIZE_PER_VOXEL, SIZE_PER_SILHOUETTE = 0.04, 0.4, 0.8
"""Relative error of the box's edges: of every object, of a voxel over the edge, and of the share
of the silhouette that mesh and mask do not have in common."""

SIZE_PER_BLIND, ODDS_PER_BLIND = 0.4, 2.0
"""Relative error of the edges, and log odds that speak against a face, of things of which the
sensor saw nothing but the silhouette; with the square of the share of the mask without a return.
From the same worlds with depth taken away in blobs."""


def tolerance_m(evidence: Evidence) -> float:
    """Return the distance within which a face counts as right; inferred range widens it not."""
    sigmas = evidence.points.sigmas_m
    if evidence.is_inferred or not len(sigmas):
        return NEAR_M
    return max(NEAR_M, 2.0 * float(np.median(sigmas)))


def face_confidence(
    vertices: Float32Array, faces: IndexArray, probability: Float32Array, evidence: Evidence
) -> Float32Array:
    """Return (F,) float32 probability that the true surface is within the tolerance of a face.

    :param vertices: (V, 3) in the grid frame.
    :param faces: (F, 3) indices of vertices, counter-clockwise seen from outside.
    :param probability: (N, N, N) of each voxel's being inside.
    :param evidence: what was seen of the object.
    """
    odds = OFFSET + face_features(vertices, faces, probability, evidence) @ WEIGHTS
    odds -= np.float32(ODDS_PER_BLIND * evidence.blind**2)
    return np.asarray(1.0 / (1.0 + np.exp(-odds)), np.float32)


def face_features(
    vertices: Float32Array, faces: IndexArray, probability: Float32Array, evidence: Evidence
) -> Float32Array:
    """Return (F, 3) float32: what speaks for a face.

    Log odds that the surface crosses within the tolerance (along a face's normal the probability
    to be inside falls from 1 to 0, here by as much), likelihood of the measured surface, and the
    size of a voxel over the tolerance.

    :param vertices: (V, 3), metres, grid frame.
    :param faces: (F, 3) indices of vertices, counter-clockwise seen from outside.
    :param evidence: what was seen of the object.
    """
    centres, normals = centres_and_normals(vertices, faces)
    near = tolerance_m(evidence)
    step = np.float32(near) * normals
    below, above = (
        sample(probability, at, evidence.grid) for at in (centres - step, centres + step)
    )
    crossing = np.clip(below - above, LEAST_CROSSING, 1.0 - LEAST_CROSSING)
    surface = sample(evidence.proven, centres, evidence.grid)
    voxel = np.full(len(faces), evidence.grid.voxel_m / near, np.float32)
    return np.stack([np.log(crossing / (1.0 - crossing)), surface, voxel], axis=1)


def scale_sigma(
    vertices: Float32Array, voxel_m: float, silhouette_iou: float, blind: float = 0.0
) -> float:
    """Return the relative one-sigma error of the edges of a mesh's box, over all three of them.

    :param vertices: (V, 3) of the mesh, metres.
    :param voxel_m: side of a voxel of its volume.
    :param silhouette_iou: of the mesh with the masks it was seen by.
    :param blind: share of the masks' pixels without a return.
    """
    edges = np.maximum(np.ptp(vertices, axis=0), voxel_m) if len(vertices) else np.ones(3)
    coarse = SIZE_PER_VOXEL * float(np.sqrt(np.mean(np.square(voxel_m / edges))))
    unlike = SIZE_PER_SILHOUETTE * (1.0 - silhouette_iou)
    guessed = SIZE_PER_BLIND * blind**2
    return float(np.sqrt(SIZE_SIGMA**2 + coarse**2 + unlike**2 + guessed**2))
