# SPDX-License-Identifier: Apache-2.0
"""Which mask shows which track, by the overlap of their surfaces in the fixed frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment

from sam3d_ros.core.types import IndexArray, Instances
from sam3d_ros.geometry.visibility import DepthVerdict
from sam3d_ros.masks3d.mending import WHOLE
from sam3d_ros.tracking.memory import Memory, Sighting

SLACK_M = 0.015
"""Remembered points are this sparse, and off by this much where a surface is steep."""


def cast_votes(
    verdicts: Sequence[DepthVerdict], index_image: IndexArray, count: int
) -> IndexArray:
    """Return how many of the confirmed points of tracks land on each mask.

    :param verdicts: of the points of each track.
    :param index_image: (H, W) int32 index of the mask at each pixel, -1 = none.
    :param count: how many masks there are.
    :return: (tracks, masks) int32.
    """
    votes = np.zeros((len(verdicts), count), np.int32)
    for row, verdict in zip(votes, verdicts, strict=True):
        landed = index_image[verdict.rows, verdict.columns][verdict.confirmed]
        row += np.bincount(landed[landed >= 0], minlength=count).astype(np.int32)
    return votes


def match_by_overlap(
    memories: Sequence[Memory],
    verdicts: Sequence[DepthVerdict],
    votes: IndexArray,
    seen: Mapping[int, Sighting],
    instances: Instances,
    least: float,
) -> dict[int, int]:
    """Return the best one-to-one assignment of tracks (positions) to instances (indices).

    The overlap is the geometric mean of both coverages. What is an object by itself is not the
    one that it is a part of.

    :param memories: the tracks.
    :param verdicts: what the frame says of the points of each.
    :param votes: what :func:`cast_votes` returned.
    :param seen: by index, what the frame shows of the instances that may be matched.
    :param instances: all of the frame.
    :param least: least overlap of a match, 0..1.
    """
    scores = np.zeros(votes.shape)
    for position, index in np.argwhere(votes > 0):
        if int(index) not in seen:
            continue
        verdict = verdicts[position]
        visible = int(verdict.confirmed.sum() + verdict.seen_through.sum())
        is_apart = instances.items[index].apart and not memories[position].apart
        if is_apart and votes[position, index] < WHOLE * visible:
            continue
        points_fixed = seen[int(index)].points_fixed
        near, _ = memories[position].tree.query(points_fixed, distance_upper_bound=SLACK_M)
        back = float(np.isfinite(near).mean())
        scores[position, index] = np.sqrt(votes[position, index] / visible * back)
    rows, columns = linear_sum_assignment(-scores)
    return {
        int(row): int(column)
        for row, column in zip(rows, columns, strict=True)
        if scores[row, column] >= least
    }
