# SPDX-License-Identifier: Apache-2.0
"""Training samples: evidence of objects in made-up worlds, with the truth on the same grid.

``python -m sam3d_ros.training.volume.samples --out DIR --objects SCANS --seeds 0:400`` writes one
file per sample; worlds already seen are kept, so that it resumes and may run beside a training.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from sam3d_ros.core.errors import ConfigurationError
from sam3d_ros.core.types import (
    BoolArray,
    ByteArray,
    Float32Array,
    FloatArray,
    Frame,
    IndexArray,
    Instance,
    Instances,
    Plane,
)
from sam3d_ros.geometry.transforms import apply, inverse, transform
from sam3d_ros.reconstruction.completion.volume_input import CHANNELS, volume_input
from sam3d_ros.reconstruction.config import EvidenceConfig
from sam3d_ros.reconstruction.evidence.evidence import Evidence, build_evidence
from sam3d_ros.reconstruction.evidence.inferred import with_bodies
from sam3d_ros.reconstruction.evidence.kept_bodies import KeptBodies
from sam3d_ros.reconstruction.views import crop_view
from sam3d_ros.training.volume.distance import signed_distance
from sam3d_ros.training.volume.masks import segmented, without_returns
from sam3d_ros.training.volume.worlds import (
    SUITES,
    WorldOptions,
    draw_world,
    support_heights,
    training_source,
)
from sam3d_ros.world import samples as world_samples
from sam3d_ros.world.episode import Episode
from sam3d_ros.world.solid import Solid
from sam3d_ros.world.sources import ObjectSource
from sam3d_ros.world.truth import FrameTruth

LOG = logging.getLogger(__name__)

GRID = EvidenceConfig().grid
MIN_PIXELS = 80
MIN_VISIBLE = 0.15
"""Least share of an object's silhouette that must be visible in some view."""
MOST_RETURNED = 0.5
"""Views of which more was measured say what they say by depth, not by silhouette and support."""
SUPPORT_FOUND, GRAVITY_KNOWN = 0.92, 0.7
SUPPORT_TILT_RAD, SUPPORT_SIGMA_M = 0.005, 0.0015
GRAVITY_SIGMA_RAD = 0.01
DRIFT_RAD, DRIFT_M = 0.002, 0.0015
"""Most that odometry errs between views, one sigma."""
LARGEST_VOXEL = 255
"""Samples whose voxel channel is saturated (10 mm and more) are left out."""
WITHOUT_DEPTH = 'share of the objects that come a second time, without their returns'


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One object's evidence and truth.

    :param distance_m: (N, N, N) float32 true signed distance at the voxel centres, metres, clipped
        to one truncation.
    :param solid: the object.
    :param T_obj_grid: (4, 4) float64 from the evidence's grid to the object, where it truly was.
    :param suite: the suite that its world is of.
    :param has_depth: it has returns of its own; else its range is inferred.
    """

    evidence: Evidence
    distance_m: Float32Array
    solid: Solid
    T_obj_grid: FloatArray
    suite: str
    has_depth: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class StoredSample:
    """A sample as the network is trained on it.

    :param channels: (C, N, N, N) uint8, see ``reconstruction.volume_input``.
    :param distance: (N, N, N) int8, true signed distance, 127 = one truncation.
    """

    channels: ByteArray
    distance: npt.NDArray[np.int8]


def samples(
    seeds: Sequence[int], source: ObjectSource, options: WorldOptions, grid: int = GRID
) -> Iterator[Sample]:
    """Yield the samples of the worlds of some seeds; worlds that cannot be are left out."""
    for seed in seeds:
        try:
            episode = draw_world(seed, source, options)
        except ConfigurationError as error:
            LOG.warning('seed %d left out: %s', seed, error)
            continue
        yield from samples_of(episode, options.noise, grid, options.without_depth)


def samples_of(
    episode: Episode, noise: bool, grid: int = GRID, without_depth: float = 0.0
) -> Iterator[Sample]:
    """Yield the samples of a world: of each object one view, and all views fused.

    :param noise: whether masks, planes and poses are wrong, beside the depth.
    :param without_depth: share of the objects that come a second time, without their returns:
        with the range that the session infers from silhouette and support.
    """
    rng = np.random.default_rng([episode.seed, 49])
    heights_m = support_heights(episode)
    shown = list(world_samples.samples(episode))
    observed = [_observe(sample, heights_m, noise, rng) for sample in shown]
    truths = [sample.truth for sample in shown]
    yield from _fused(episode, observed, truths, range(len(episode.objects)), grid, rng, True)
    lost = np.flatnonzero(rng.random(len(episode.objects)) < without_depth).tolist()
    if lost:
        blind = []
        for (frame, items), truth in zip(observed, truths, strict=True):
            bare = without_returns(frame, truth, items, lost, rng)
            blind.append((with_bodies(bare, items, KeptBodies()), items))
        yield from _fused(episode, blind, truths, lost, grid, rng, False)


def _fused(
    episode: Episode,
    observed: Sequence[tuple[Frame, Instances]],
    truths: Sequence[FrameTruth],
    indices: Sequence[int],
    grid: int,
    rng: np.random.Generator,
    has_depth: bool,
) -> Iterator[Sample]:
    """Yield the samples of some objects of a world.

    :param has_depth: False leaves out views of which more than a share was measured.
    """
    for index in indices:
        solid = episode.objects[index]
        crops = [
            (crop_view(*seen, index), truth)
            for seen, truth in zip(observed, truths, strict=True)
            if seen[1].items[index].mask.any()
        ]
        crops = [
            (view, truth)
            for view, truth in crops
            if view.own.sum() >= MIN_PIXELS
            and (has_depth or view.returned.sum() <= MOST_RETURNED * view.own.sum())
        ]
        if not crops or not any(_shows(truth, index) for truth in truths):
            continue
        crops = [crops[k] for k in rng.permutation(len(crops))]
        for chosen in [crops[:1]] if len(crops) == 1 else [crops[:1], crops]:
            evidence = build_evidence([view for view, _ in chosen], EvidenceConfig(grid=grid))
            # Signed distance where the first view, which the grid hangs on, truly was.
            first = chosen[0][1]
            T_obj_grid = (
                inverse(first.T_fixed_obj[index]) @ first.T_fixed_cam @ evidence.T_cam_grid
            )
            distance_m = signed_distance(solid, T_obj_grid, evidence.grid, evidence.truncation_m)
            yield Sample(evidence, distance_m, solid, T_obj_grid, episode.suite, has_depth)


def store(sample: Sample) -> StoredSample:
    """Return a sample in its compact form."""
    distance = stored_distance(sample.distance_m, sample.evidence.truncation_m)
    return StoredSample(volume_input(sample.evidence), distance)


def stored_distance(distance_m: Float32Array, truncation_m: float) -> npt.NDArray[np.int8]:
    """Return a signed distance of any shape as it is stored, 127 = one truncation."""
    scaled = 127.0 * distance_m / truncation_m
    # A point just inside must stay inside after rounding: round away from zero.
    rounded = np.where(scaled < 0, np.floor(scaled), np.ceil(scaled))
    return np.clip(rounded, -127, 127).astype(np.int8)


def _shows(truth: FrameTruth, index: int) -> bool:
    """Whether a view has the whole object inside the image and little enough of it hidden."""
    amodal = truth.amodal[index]
    is_cut = amodal[[0, -1]].any() or amodal[:, [0, -1]].any()
    return not is_cut and bool(truth.occlusion[index] <= 1.0 - MIN_VISIBLE)


def _observe(
    sample: world_samples.Sample, heights_m: FloatArray, noise: bool, rng: np.random.Generator
) -> tuple[Frame, Instances]:
    """Return a frame and its instances (one per object, some empty), as stages would see them."""
    frame, truth = sample.frame(), sample.truth
    masks: BoolArray = truth.instances == np.arange(1, len(heights_m) + 1)[:, None, None]
    if noise:
        true_m, depth_m = sample.rendering.depth_m, frame.depth_m
        found = [segmented(masks, k, true_m, depth_m, rng) for k in range(len(masks))]
        masks = np.stack(found)
    planes, owner = _supports(truth, heights_m, noise, rng)
    gravity = _turned(truth.T_fixed_cam[2, :3], noise * GRAVITY_SIGMA_RAD, rng)
    items = tuple(
        Instance(mask, 1.0, _box(mask), 'truth', support=int(plane))
        for mask, plane in zip(masks, owner, strict=True)
    )
    # Its share of the error that odometry leaves between views.
    share = noise * rng.random()
    R = Rotation.from_rotvec(share * rng.normal(0.0, DRIFT_RAD, 3)).as_matrix()
    drift = transform(R, share * rng.normal(0.0, DRIFT_M, 3))
    frame = replace(
        frame,
        T_fixed_cam=truth.T_fixed_cam @ drift,
        up_cam=gravity if not noise or rng.random() < GRAVITY_KNOWN else None,
    )
    return frame, Instances(frame.stamp_ns, items, planes)


def _supports(
    truth: FrameTruth, heights_m: FloatArray, noise: bool, rng: np.random.Generator
) -> tuple[tuple[Plane, ...], IndexArray]:
    """Return the planes that things stand on, as a segmenter finds them, and each thing's one.

    :param heights_m: (N,) height of what is under each object, NaN = nothing.
    """
    levels, counts = np.unique(heights_m[np.isfinite(heights_m)].round(3), return_counts=True)
    middle = truth.T_fixed_obj[:, :3, 3].mean(axis=0)
    planes: list[Plane] = []
    owner = np.full(len(heights_m), -1, np.int32)
    for level in levels[np.argsort(-counts)]:
        if noise and rng.random() > SUPPORT_FOUND:
            continue
        owner[np.abs(heights_m - level) < 1e-3] = len(planes)
        foot = apply(inverse(truth.T_fixed_cam), np.append(middle[:2], level))
        normal = _turned(truth.T_fixed_cam[2, :3], noise * SUPPORT_TILT_RAD, rng)
        error_m = noise * rng.normal(0.0, SUPPORT_SIGMA_M)
        planes.append(Plane(normal, error_m - float(normal @ foot)))
    return tuple(planes), owner


def _turned(vector: FloatArray, sigma_rad: float, rng: np.random.Generator) -> FloatArray:
    turned: FloatArray = Rotation.from_rotvec(sigma_rad * rng.standard_normal(3)).apply(vector)
    return turned


def _box(mask: BoolArray) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if len(rows) == 0:
        return 0, 0, 0, 0
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def write_samples(
    out: Path, seeds: Sequence[int], source: ObjectSource, options: WorldOptions, grid: int
) -> None:
    """Write the samples of the worlds of some seeds to ``out``; those already there are kept."""
    for seed in seeds_left(out, seeds):
        for number, sample in enumerate(samples([seed], source, options, grid)):
            stored = store(sample)
            if stored.channels[CHANNELS.index('voxel')].flat[0] < LARGEST_VOXEL:
                _save(out / f'{seed:07d}_{number:02d}.npz', stored)


def seeds_left(out: Path, seeds: Sequence[int]) -> Iterator[int]:
    """Yield the seeds whose worlds are not all in ``out``, which is made where it is missing; one
    counts as done when the next is asked for.
    """
    out.mkdir(parents=True, exist_ok=True)
    for seed in seeds:
        done = out / f'{seed:07d}.done'
        if not done.exists():
            yield seed
            done.touch()


def _save(file: Path, sample: StoredSample) -> None:
    part = file.with_suffix('.part')
    with part.open('wb') as stream:
        np.savez_compressed(stream, channels=sample.channels, distance=sample.distance)
    part.rename(file)


def main() -> None:
    """Write the samples of a range of seeds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--out', type=Path, required=True, help='folder of the samples')
    parser.add_argument('--objects', type=Path, help='scans with an index.json')
    parser.add_argument('--families', nargs='*', default=(), help='of the solids; default: all')
    parser.add_argument('--suites', nargs='*', default=SUITES, help='in turn')
    parser.add_argument('--seeds', default='0:400', help='first:last, last exclusive')
    parser.add_argument('--held-back', action='store_true', help='use the held-back scans')
    parser.add_argument('--no-noise', action='store_true', help='an ideal sensor')
    parser.add_argument('--without-depth', type=float, default=0.0, help=WITHOUT_DEPTH)
    parser.add_argument('--grid', type=int, default=GRID, help='voxels per side')
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format='%(message)s')
    source = training_source(arguments.objects, arguments.held_back, arguments.families)
    options = WorldOptions(
        noise=not arguments.no_noise,
        suites=arguments.suites,
        without_depth=arguments.without_depth,
    )
    seeds = range(*(int(part) for part in arguments.seeds.split(':')))
    write_samples(arguments.out, seeds, source, options, arguments.grid)


if __name__ == '__main__':
    main()
