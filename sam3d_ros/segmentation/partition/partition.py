# SPDX-License-Identifier: Apache-2.0
"""A frame taken apart by geometry: supports, things, and the patches they are made of."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from sam3d_ros.core.sensors import SensorModel
from sam3d_ros.core.types import BoolArray, Float32Array, FloatArray, Frame, IndexArray
from sam3d_ros.segmentation.cleaning import drop_unlikely, to_full_size
from sam3d_ros.segmentation.config import SegmentationConfig
from sam3d_ros.segmentation.partition.adjacency import Adjacency, find_adjacency
from sam3d_ros.segmentation.partition.affinity import Pairs, find_pairs, trained_network
from sam3d_ros.segmentation.partition.cues import Cues
from sam3d_ros.segmentation.partition.foreground import find_foreground
from sam3d_ros.segmentation.partition.grid import Grid, make_grid, near_returns, with_returns
from sam3d_ros.segmentation.partition.merge import Grouping, contact_groups, merge_patches
from sam3d_ros.segmentation.partition.normals import LocalPlanes, local_planes
from sam3d_ros.segmentation.partition.patches import Links, find_links, find_patches
from sam3d_ros.segmentation.partition.regions import Regions, describe
from sam3d_ros.segmentation.partition.significance import rises_surely
from sam3d_ros.segmentation.partition.supports import Structure, find_structure

SUPPORT_SLACK_M = 0.02
LOOKS_LIKE, SURELY_NONE = -1.0, -3.0  # log-odds of a network that a cell is part of a thing


@dataclass(frozen=True, slots=True, eq=False)
class Partition:
    """Everything that geometry says about one frame.

    :param patches: (H, W) int32 labels of smooth patches, 0 = background or no depth.
    :param thing_of: (patches + 1,) int32 thing 1..n of each patch, 0 for label 0.
    :param keep: (n + 1,) bool: which things have the size of a thing.
    :param certainty: (n + 1,) float64, 0..1.
    :param support_of: (n + 1,) int32 index into ``structure.supports``, or -1.
    """

    structure: Structure
    patches: IndexArray
    thing_of: IndexArray
    adjacency: Adjacency
    keep: np.ndarray
    certainty: FloatArray
    support_of: IndexArray

    @property
    def group_of(self) -> IndexArray:
        """(patches + 1,) int32: patches in contact share a group, 0 for label 0."""
        return contact_groups(self.adjacency)

    @property
    def things(self) -> IndexArray:
        """(H, W) int32 labels of the things that are kept, 0 elsewhere."""
        kept = np.where(self.keep, np.arange(len(self.keep), dtype=np.int32), np.int32(0))
        things: IndexArray = kept[self.thing_of][self.patches]
        return things


@dataclass(frozen=True, slots=True, eq=False)
class Surfaces:
    """A frame on the working grid, its local planes, its supports and walls."""

    grid: Grid
    local: LocalPlanes
    structure: Structure


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """A frame cut into patches on the working grid.

    :param grid: with made-up returns where ``covered``.
    :param patches: (h, w) int32 labels 1..n, 0 = background.
    :param inside: (h, w) bool, what rises over the supports.
    :param covered: (h, w) bool, without a return, but part of a thing by its looks.
    """

    grid: Grid
    local: LocalPlanes
    structure: Structure
    patches: IndexArray
    inside: BoolArray
    covered: BoolArray
    links: Links


@dataclass(frozen=True, slots=True, eq=False)
class PairedPatches:
    """A frame cut into patches, and what is known about pairs of them (on the working grid).

    :param patches: (h, w) int32 labels on the grid.
    :param covered: (h, w) bool, cells without a return.
    :param full: (H, W) int32 the same labels at the size of the frame.
    """

    grid: Grid
    local: LocalPlanes
    structure: Structure
    patches: IndexArray
    covered: BoolArray
    full: IndexArray
    adjacency: Adjacency
    regions: Regions
    pairs: Pairs


def find_surfaces(frame: Frame, config: SegmentationConfig) -> Surfaces:
    """Take a frame to the working grid and find the large planes."""
    grid = make_grid(frame)
    local = local_planes(grid, frame.sensor)
    structure = find_structure(grid, local, frame.sensor, frame.up_cam, config.supports)
    return Surfaces(grid, local, structure)


def find_inside(surfaces: Surfaces, frame: Frame, config: SegmentationConfig) -> BoolArray:
    """Return the (h, w) bool mask of what rises over the supports of a frame."""
    grid, local, structure = surfaces.grid, surfaces.local, surfaces.structure
    return find_foreground(grid, local, structure, frame.sensor, config.geometric)


def cut_patches(surfaces: Surfaces, inside: BoolArray, cues: Cues | None = None) -> Cut:
    """Cut what may be things into patches that are smooth and look like one thing.

    :param inside: what :func:`find_inside` returned.
    :param cues: what a network sees. Without it, all that rises over the supports is cut. With
        it, so is what looks like a thing without rising, or without a return.
    """
    grid, local, structure = surfaces.grid, surfaces.local, surfaces.structure
    covered = np.zeros(inside.shape, bool)
    region = inside
    if cues is not None:
        square = np.ones((3, 3), np.uint8)
        looks = ((cues.thing > LOOKS_LIKE) & ~inside).astype(np.uint8)
        opened = cv2.morphologyEx(looks, cv2.MORPH_OPEN, square) > 0  # no seams along outlines
        covered = near_returns(opened & ~grid.valid, grid.valid)
        region = (inside & (cues.thing > SURELY_NONE)) | (opened & grid.valid) | covered
        grid = with_returns(grid, covered) if covered.any() else grid
        cues = cues.parted(inside)
    links = find_links(grid, local, region, cues)
    patches = find_patches(region, links)
    return Cut(grid, local, structure, patches, inside, covered, links)


def cut_by_geometry(frame: Frame, config: SegmentationConfig) -> Cut:
    """Cut what rises over the supports of a frame into patches, without any network."""
    surfaces = find_surfaces(frame, config)
    return cut_patches(surfaces, find_inside(surfaces, frame, config))


def pair_patches(cut: Cut, frame: Frame) -> PairedPatches:
    """Describe the patches of a cut and their pairs."""
    grid, local, patches = cut.grid, cut.local, cut.patches
    adjacency = find_adjacency(grid, local, patches, cut.links)
    regions = describe(grid, local, cut.structure, patches)
    pairs = find_pairs(grid, local, patches, adjacency, regions)
    full = to_full_size(patches, grid, cut.covered, local, frame)
    return PairedPatches(
        grid, local, cut.structure, patches, cut.covered, full, adjacency, regions, pairs
    )


def partition(frame: Frame, config: SegmentationConfig) -> Partition:
    """Take a frame apart by geometry alone."""
    cut = cut_by_geometry(frame, config)
    found = pair_patches(cut, frame)
    things = grouped(found, join_log_odds(found, config), frame.sensor, config)
    labels = things.thing_of[found.patches]
    sure = rises_surely(labels, cut.grid, cut.structure, frame.sensor)
    return replace(things, keep=things.keep & sure)


def join_log_odds(found: PairedPatches, config: SegmentationConfig) -> Float32Array:
    """Return (P,) float32 log-odds that each pair of patches is one thing."""
    bias = np.float32(config.geometric.join_bias)
    return trained_network().log_odds(found.pairs.features) + bias


def grouped(
    found: PairedPatches, log_odds: Float32Array, sensor: SensorModel, config: SegmentationConfig
) -> Partition:
    """Group the patches of a frame into things.

    :param log_odds: (P,) that each pair is one thing.
    :param sensor: errors of the frame's ranges; how far it can tell things from their support.
    """
    grouping = merge_patches(found.pairs, log_odds, found.regions.area)
    return partition_of(found, grouping, sized(found, grouping, sensor, config))


def sized(
    found: PairedPatches, grouping: Grouping, sensor: SensorModel, config: SegmentationConfig
) -> BoolArray:
    """Return (n + 1,) bool: which things of a grouping have the size of a thing, within reach."""
    high_m = np.zeros(len(grouping.certainty))
    np.maximum.at(high_m, grouping.thing_of, found.regions.high_m)
    things = grouping.thing_of[found.patches]
    reach_m = config.reach_m or sensor.reach_m
    return drop_unlikely(things, found.grid, high_m, reach_m, config.geometric)


def partition_of(found: PairedPatches, grouping: Grouping, keep: BoolArray) -> Partition:
    """Return what a grouping of the patches of a frame says about things.

    :param keep: (n + 1,) which of them are listed.
    """
    return Partition(
        found.structure,
        found.full,
        grouping.thing_of,
        found.adjacency,
        keep,
        grouping.certainty,
        _supports_of(grouping.thing_of[found.patches], found.grid, found.structure),
    )


def _supports_of(things: IndexArray, grid: Grid, structure: Structure) -> IndexArray:
    """The highest support that each thing's lowest point is over."""
    count = int(things.max()) + 1
    chosen = np.full(count, -1, np.int32)
    nearest = np.full(count, np.inf)
    at = things > 0
    of, points = things[at], grid.points[at]
    cells = np.maximum(np.bincount(of, minlength=count), 1)
    for k, support in enumerate(structure.supports):
        lowest = np.full(count, np.inf)
        np.minimum.at(lowest, of, support.height(points))
        over = np.bincount(of, support.covers(points), count) / cells > 0.5
        better = over & (lowest > -SUPPORT_SLACK_M) & (lowest < nearest)
        chosen[better], nearest[better] = k, lowest[better]
    return chosen
