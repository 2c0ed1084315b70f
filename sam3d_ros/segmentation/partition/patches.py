# SPDX-License-Identifier: Apache-2.0
"""Over-segmentation into smooth patches: pixels joined to a neighbour that lies on their plane."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from sam3d_ros.core.types import BoolArray, IndexArray
from sam3d_ros.segmentation.partition.cues import Cues
from sam3d_ros.segmentation.partition.grid import Grid
from sam3d_ros.segmentation.partition.normals import LocalPlanes

SMOOTH_SIGMAS = 4.0
SMOOTH_COSINE = float(np.cos(np.deg2rad(15.0)))
NEAR_SIGMAS = 5.0
MIN_PATCH_CELLS = 12
LEAST_PATCH_CELLS, CRUMB_CELLS = 6, 3  # with a network that cuts: of patches, and of leftovers
SURE_JOINED, LOOSE_JOINED = -0.5, -1.0  # log-odds of a network that two cells are one thing
GROW_ROUNDS = 6
MAX_PATCHES = 1500  # ten times what clutter has: only frames of noise come here

Slices = tuple[slice, slice]
_ALL, _HEAD, _TAIL = slice(None), slice(None, -1), slice(1, None)
NEIGHBOURS: tuple[tuple[Slices, Slices], ...] = (
    ((_ALL, _HEAD), (_ALL, _TAIL)),  # to the right
    ((_HEAD, _ALL), (_TAIL, _ALL)),  # downwards
)


@dataclass(frozen=True, slots=True, eq=False)
class Links:
    """How each pixel hangs together with its right (h, w-1) and lower (h-1, w) neighbour.

    :param smooth: same surface: each lies on the other's plane, and the planes agree.
    :param near: no step between them: at least one lies on the other's plane.
    :param grown: a patch may grow from one to the other.
    """

    smooth: tuple[BoolArray, BoolArray]
    near: tuple[BoolArray, BoolArray]
    grown: tuple[BoolArray, BoolArray]


def find_links(
    grid: Grid, local: LocalPlanes, foreground: BoolArray, cues: Cues | None = None
) -> Links:
    """Return the links among the pixels of ``foreground``.

    :param cues: where given, what it tells apart is no surface, however smooth.
    """
    smooth, near, grown = [], [], []
    predicted = local.dual[..., 0] * grid.x + local.dual[..., 1] * grid.y + local.dual[..., 2]
    x, y, z = cv2.split(local.normal)
    for axis, (here, there) in enumerate(NEIGHBOURS):
        slope = local.dual[..., axis] * np.float32(grid.pitch[axis])
        forward = np.abs(predicted[here] + slope[here] - grid.disparity[there])
        backward = np.abs(predicted[there] - slope[there] - grid.disparity[here])
        gap = np.abs(grid.disparity[here] - grid.disparity[there])
        cosine = x[here] * x[there] + y[here] * y[there] + z[here] * z[there]
        both = foreground[here] & foreground[there]
        fits = np.maximum(forward, backward) < SMOOTH_SIGMAS * local.sigma
        known = local.known[here] & local.known[there]
        even = both & known & fits & (cosine > SMOOTH_COSINE)
        touches = both & (
            np.minimum(np.minimum(forward, backward), gap) < NEAR_SIGMAS * local.sigma
        )
        smooth.append(even if cues is None else even & (cues.joined[axis] > SURE_JOINED))
        grown.append(touches if cues is None else touches & (cues.joined[axis] > LOOSE_JOINED))
        near.append(touches)
    touching = (near[0], near[1])
    return Links(
        (smooth[0], smooth[1]), touching, touching if cues is None else (grown[0], grown[1])
    )


def find_patches(foreground: BoolArray, links: Links) -> IndexArray:
    """Return (h, w) int32 patch labels 1..n without gaps, 0 outside ``foreground``.

    Smooth components large enough are patches; they grow over the pixels left between them as
    far as no step is in the way; what is still left makes patches of its own.
    Of more than ``MAX_PATCHES`` only the largest are kept.
    """
    is_cut = links.grown is not links.near
    labels = _components(foreground, links.smooth)
    size = np.bincount(labels.ravel())
    labels[size[labels] < (LEAST_PATCH_CELLS if is_cut else MIN_PATCH_CELLS)] = 0
    _grow(labels, links.grown)
    if is_cut:  # seams that the network left between what it told apart belong to either side
        _grow(labels, links.near)
    rest = foreground & (labels == 0)
    if rest.any():
        left = _components(rest, links.near)
        if is_cut:
            left[np.bincount(left.ravel())[left] < CRUMB_CELLS] = 0
        labels = np.where(left > 0, left + labels.max(), labels)
    return _largest(compact(labels))


def compact(labels: IndexArray) -> IndexArray:
    """Return ``labels`` renumbered 1..n in order of value, 0 kept."""
    used = np.bincount(labels.ravel()) > 0
    used[0] = False
    renumbered: IndexArray = np.cumsum(used, dtype=np.int32)[labels] * (labels > 0)
    return renumbered.astype(np.int32, copy=False)


def _largest(labels: IndexArray) -> IndexArray:
    """Return labels 1..n of the ``MAX_PATCHES`` largest, of labels 1..m."""
    size = np.bincount(labels.ravel())
    if len(size) <= MAX_PATCHES + 1:
        return labels
    size[0] = 0
    kept = np.zeros(len(size), bool)
    kept[np.argsort(-size, kind='stable')[:MAX_PATCHES]] = True
    return compact(np.where(kept[labels], labels, np.int32(0)))


def _components(mask: BoolArray, joined: tuple[BoolArray, BoolArray]) -> IndexArray:
    """Connected components of the pixel graph, through OpenCV.

    Pixels sit at even places of a lattice of twice the size and links between them, so that
    4-connectivity on the lattice is connectivity of the graph.
    """
    h, w = mask.shape
    lattice = np.zeros((2 * h - 1, 2 * w - 1), np.uint8)
    lattice[::2, ::2] = mask
    lattice[::2, 1::2] = joined[0] & mask[:, :-1] & mask[:, 1:]
    lattice[1::2, ::2] = joined[1] & mask[:-1] & mask[1:]
    _, labels = cv2.connectedComponents(lattice, connectivity=4, ltype=cv2.CV_32S)
    return np.ascontiguousarray(labels[::2, ::2])


def _grow(labels: IndexArray, joined: tuple[BoolArray, BoolArray]) -> None:
    """Spread labels over linked unlabelled pixels, a few pixels far, in place."""
    for _ in range(GROW_ROUNDS):
        for (here, there), link in zip(NEIGHBOURS, joined, strict=True):
            first, second = labels[here], labels[there]
            np.copyto(first, second, where=link & (first == 0))
            np.copyto(second, first, where=link & (second == 0))
