# SPDX-License-Identifier: Apache-2.0
"""Several completions of one object: level sets of a backend's calibrated probability.

Where the probability of being inside falls slowly, nothing tells where the surface is, and its
level sets lie apart; where it was observed they coincide. Each is made consistent with the
evidence and ranked by it. Outer and inner hull are the level sets that hold nearly all, and hardly
any, of the surfaces that may be, and a little margin.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sam3d_ros.core.types import Answers, EvidenceScore, Float32Array, FloatArray, Surface
from sam3d_ros.geometry.transforms import apply
from sam3d_ros.reconstruction.completion.completion import Completion
from sam3d_ros.reconstruction.completion.consistent import consistent_distance
from sam3d_ros.reconstruction.evidence.evidence import Evidence
from sam3d_ros.reconstruction.surface.surface import extract_surface

LEVELS = (0.5, 0.7, 0.3, 0.85, 0.15, 0.6, 0.4, 0.95)
"""Probabilities at whose level sets completions are cut, in the order they are asked for."""
LEVEL_COST = 0.5
"""Agreement that a level has to gain over 0.5, per unit of probability: what was seen says little
of what was not, and the middle is right most often."""

LOWEST_LEVEL = 0.3
"""No level below this is the first answer, however unsure all of it is."""

HULL_LEVEL = 0.1
"""Probability of being inside beyond which a place may be the object, and 1 less that, beyond
which it surely is."""
HULL_VOXELS = 0.1
"""Margin of the hulls, of a voxel; with it 0.9 of the true surface lies between them on worlds of
the scans' train split and of solids, white noise and a D435's."""
HULL_FACES = 3000
UNDECIDED = 0.1, 0.9
LARGEST_TANH = 0.9999


def likeliest_level(probability: Float32Array) -> float:
    """Return the level whose level set has the greatest expected IoU with the truth, 0.3 to 0.5.

    With the probabilities p of the voxels that a set takes in, and q of those that it leaves out,
    that is about sum(p) / (count + sum(q)) (Nowozin, "Optimal decisions from probabilistic models:
    the intersection-over-union case", CVPR 2014). Of what is sure it is the middle; where nothing
    is sure, less than one half is as good a guess as there is.

    :param probability: (P,) float32 of being inside, of all voxels that may be.
    """
    falling = np.sort(probability)[::-1].astype(np.float64)
    taken = np.cumsum(falling)
    if not len(taken):
        return LEVELS[0]
    expected = taken / (np.arange(1, len(taken) + 1) + taken[-1] - taken)
    return float(np.clip(falling[np.argmax(expected)], LOWEST_LEVEL, LEVELS[0]))


def at_level(completion: Completion, evidence: Evidence, level: float) -> Completion:
    """Return a completion whose surface is another level set of its probability.

    :param completion: whose distance and probability are of one opinion.
    :param evidence: what it is a completion of.
    :param level: probability of being inside at the new surface; 0.5 leaves it as it is.
    """
    if level == 0.5:
        return completion
    p = np.clip(completion.probability, 1e-4, 1.0 - 1e-4)
    odds = np.log(p / (1.0 - p))
    scaled = completion.distance_m / np.float32(evidence.truncation_m)
    # Both are functions of one logit in a network's answer: distances of odds are found in it.
    stretched = np.arctanh(np.clip(scaled, -LARGEST_TANH, LARGEST_TANH))
    told = (p > UNDECIDED[0]) & (p < UNDECIDED[1]) & (np.abs(odds) > 0.2)
    slope = float(np.median(-stretched[told] / odds[told])) if told.any() else 1.0
    shifted = np.tanh(stretched + max(slope, 0.0) * np.log(level / (1.0 - level)))
    distance_m = np.float32(evidence.truncation_m) * shifted
    return replace(completion, distance_m=distance_m.astype(np.float32))


def hull(completion: Completion, evidence: Evidence, *, outer: bool) -> Surface:
    """Return the outer or the inner hull of what an object may be, in the grid frame.

    :param completion: of the object.
    :param evidence: what was seen of it.
    :param outer: which one; the inner one of a thin thing may have no faces.
    """
    level = HULL_LEVEL if outer else 1.0 - HULL_LEVEL
    distance_m = consistent_distance(evidence, at_level(completion, evidence, level))
    margin_m = np.float32(HULL_VOXELS * evidence.grid.voxel_m)
    distance_m = distance_m - margin_m if outer else distance_m + margin_m
    vertices, faces = extract_surface(distance_m, evidence.grid, HULL_FACES)
    return Surface(vertices, faces)


def agreement(score: EvidenceScore) -> float:
    """Return how well a surface agrees with what was seen, in one number."""
    return score.observed_inliers + score.silhouette_iou - score.free_volume


def ranked(scores: Sequence[EvidenceScore]) -> list[int]:
    """Return the order of answers at the first of :data:`LEVELS`, the best one first.

    :param scores: of each.
    """
    values = [
        agreement(score) - LEVEL_COST * abs(level - 0.5)
        for score, level in zip(scores, LEVELS, strict=False)
    ]
    return sorted(range(len(values)), key=lambda k: -values[k])


def size_spread(surfaces: Sequence[Float32Array]) -> float:
    """Return the relative spread of the edges of answers' boxes, one sigma over all three.

    :param surfaces: (V, 3) vertices of each, metres.
    """
    sizes = [np.ptp(vertices, axis=0) for vertices in surfaces if len(vertices)]
    if len(sizes) < 2:
        return 0.0
    edges = np.log(np.maximum(np.stack(sizes), 1e-6))
    return float(np.sqrt(edges.var(axis=0).mean()))


def moved_answers(answers: Answers, T_new_old: FloatArray) -> Answers:
    """Return answers expressed in another frame.

    :param T_new_old: (4, 4) from the frame that they are in.
    """

    def moved(surface: Surface) -> Surface:
        return replace(surface, vertices_m=apply(T_new_old, surface.vertices_m))

    others = tuple(moved(surface) for surface in answers.others)
    return Answers(others, moved(answers.inner), moved(answers.outer))
