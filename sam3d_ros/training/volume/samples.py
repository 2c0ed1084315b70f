# SPDX-License-Identifier: Apache-2.0
"""Training samples: evidence of objects in random scenes, with the truth on the same grid."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from sam3d_ros.core.types import (
    BoolArray,
    ByteArray,
    Camera,
    Float32Array,
    FloatArray,
    Frame,
    Instance,
    Instances,
    Plane,
)
from sam3d_ros.geometry.cameras import pointmap_from_depth
from sam3d_ros.geometry.transforms import apply, inverse, transform
from sam3d_ros.reconstruction.config import EvidenceConfig
from sam3d_ros.reconstruction.evidence import Evidence, build_evidence
from sam3d_ros.reconstruction.views import View, crop_view
from sam3d_ros.reconstruction.volume_input import volume_input
from sam3d_ros.training.volume.scenes import (
    Placed,
    Renderer,
    Rendering,
    arrange,
    draw_camera,
    draw_objects,
    draw_orbit,
)
from sam3d_ros.training.volume.sensor import (
    NO_ERRORS,
    corrupt_depth,
    corrupt_mask,
    draw_depth_errors,
)

MIN_PIXELS = 80
MIN_VISIBLE = 0.15
"""Least share of an object's silhouette that must be visible."""
LEAK_M = 0.02
"""How far before or behind an object its mask may leak."""
ARRANGEMENTS = ('single', 'spaced', 'clutter', 'pile')
ARRANGEMENT_SHARES = (0.1, 0.3, 0.4, 0.2)


@dataclass(frozen=True)
class SceneOptions:
    """What random scenes contain.

    :param noise: depth, mask, plane and pose errors; without them the sensor is ideal.
    :param clutter: several objects that touch, hide and lean on each other.
    :param vary: draw object scales.
    :param most_views: views per scene at most.
    :param grid: voxels along each side of the evidence.
    """

    noise: bool = True
    clutter: bool = True
    vary: bool = True
    most_views: int = 4
    grid: int = EvidenceConfig().grid


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One object's evidence and truth.

    :param evidence: the evidence.
    :param distance_m: (N, N, N) float32 true signed distance at the voxel centres, metres.
    :param name: name of the object.
    :param family: its family or category.
    :param arrangement: kind of scene.
    """

    evidence: Evidence
    distance_m: Float32Array
    name: str
    family: str
    arrangement: str


@dataclass(frozen=True, slots=True, eq=False)
class StoredSample:
    """A sample as the network is trained on it.

    :param channels: (C, N, N, N) uint8, see ``reconstruction.volume_input``.
    :param distance: (N, N, N) int8, true signed distance, 127 = one truncation.
    """

    channels: ByteArray
    distance: np.ndarray


def scene_samples(
    seed: int, pool: tuple[Sequence[Path], Sequence[Path]], options: SceneOptions
) -> Iterator[Sample]:
    """Yield the samples of one random scene: of each object one view, and all views fused.

    :param pool: files of solids and of scans to draw from.
    """
    rng = np.random.default_rng(seed)
    arrangement = str(rng.choice(ARRANGEMENTS, p=ARRANGEMENT_SHARES))
    if not options.clutter:
        arrangement = 'single'
    count = {'single': 1, 'spaced': 4}.get(arrangement, 7)
    placed = arrange(draw_objects(*pool, count, rng), arrangement, rng, options.vary)
    camera = draw_camera(rng)
    # A stream of its own: colours leave the shapes that a seed draws unchanged.
    renderer = Renderer(placed, np.random.default_rng([seed, 1]))
    views = int(rng.choice([1, 2, options.most_views], p=[0.5, 0.25, 0.25]))
    renderings = [renderer.render(camera, T) for T in draw_orbit(views, rng)]
    observed = [_observe(item, placed, camera, options, rng) for item in renderings]
    for index, thing in enumerate(placed):
        crops = [crop_view(*seen, index) for seen in observed if seen[1].items[index].mask.any()]
        crops = [view for view in crops if view.own.sum() >= MIN_PIXELS]
        if not crops or not _visible_enough(renderings, index, thing, camera):
            continue
        rng.shuffle(crops)
        for chosen in [crops[:1]] if len(crops) == 1 else [crops[:1], crops]:
            yield _sample(chosen, thing, arrangement, options.grid)


def store(sample: Sample) -> StoredSample:
    """Return a sample in its compact form."""
    scaled = 127.0 * sample.distance_m / sample.evidence.truncation_m
    # A point just inside must stay inside after rounding: round away from zero.
    rounded = np.where(scaled < 0, np.floor(scaled), np.ceil(scaled))
    return StoredSample(volume_input(sample.evidence), np.clip(rounded, -127, 127).astype(np.int8))


def _sample(views: Sequence[View], thing: Placed, arrangement: str, grid: int) -> Sample:
    evidence = build_evidence(views, EvidenceConfig(grid=grid))
    centres = evidence.grid.centres_m().astype(np.float64)
    distance = thing.distance_m(apply(evidence.grid.T_ref_grid, centres))
    return Sample(evidence, distance, thing.item.name, thing.item.family, arrangement)


def _visible_enough(
    renderings: Sequence[Rendering], index: int, thing: Placed, camera: Camera
) -> bool:
    """Whether some view shows ``MIN_VISIBLE`` of the object's silhouette inside the image."""
    for rendering in renderings:
        points = apply(inverse(rendering.T_world_cam), thing.vertices_world())
        u, v = (camera.K[i, i] * points[:, i] / points[:, 2] + camera.K[i, 2] for i in range(2))
        inside = (u.min() > 2, v.min() > 2, u.max() < camera.width, v.max() < camera.height)
        box = float(np.ptp(u) * np.ptp(v))
        if all(inside) and (rendering.ids == index).sum() > 0.6 * MIN_VISIBLE * box:
            return True
    return False


def _observe(
    rendering: Rendering,
    placed: Sequence[Placed],
    camera: Camera,
    options: SceneOptions,
    rng: np.random.Generator,
) -> tuple[Frame, Instances]:
    """Return the frame and the instances (one per object, some empty) of a true frame."""
    errors = draw_depth_errors(rng) if options.noise else NO_ERRORS
    depth = corrupt_depth(rendering.depth_m, rendering.cosine, camera, errors, rng)
    masks = [rendering.ids == index for index in range(len(placed))]
    if options.noise:
        true = rendering.depth_m
        masks = [_segment(masks, index, true, depth, rng) for index in range(len(masks))]
    T_cam_world = inverse(rendering.T_world_cam)
    support, up = _support(T_cam_world, options.noise, rng)
    frame = Frame(
        stamp_ns=0,
        frame_id='camera',
        camera=camera,
        rgb=rendering.rgb,
        pointmap=pointmap_from_depth(depth, camera),
        fixed_frame='world',
        T_fixed_cam=_tracked_pose(rendering.T_world_cam, options.noise, rng),
        up_cam=up,
    )
    items = tuple(
        Instance(mask, 1.0, _box(mask), 'truth', support=0 if support else -1) for mask in masks
    )
    return frame, Instances(0, items, (support,) if support else ())


def _segment(
    masks: Sequence[BoolArray],
    index: int,
    true_depth_m: Float32Array,
    depth_m: Float32Array,
    rng: np.random.Generator,
) -> BoolArray:
    """Return a wrong mask of one object; a twentieth of all objects is not found at all.

    Pixels with a return far before or behind the object never belong to the mask, as segmenters
    that see depth ensure.
    """
    true = masks[index]
    if not true.any() or rng.random() < 0.05:
        return np.zeros_like(true)
    other = int(rng.integers(len(masks)))
    neighbour = masks[other] if other != index and masks[other].any() else None
    wrong = corrupt_mask(true, neighbour, rng)
    own = true_depth_m[true]
    far = (depth_m < own.min() - LEAK_M) | (depth_m > own.max() + LEAK_M)
    return wrong & ~far


def _support(
    T_cam_world: FloatArray, noise: bool, rng: np.random.Generator
) -> tuple[Plane | None, FloatArray | None]:
    """Return the table as a segmenter finds it, and gravity where TF tells it."""
    up = T_cam_world[:3, 2]
    height = -float(up @ T_cam_world[:3, 3])
    if not noise:
        return Plane(up, height), up
    tilt = Rotation.from_rotvec(rng.normal(0.0, 0.005, 3)).as_matrix()
    centre = T_cam_world[:3, 3]
    normal = tilt @ up
    plane = Plane(normal, -float(normal @ centre) + rng.normal(0.0, 0.0015))
    gravity = Rotation.from_rotvec(rng.normal(0.0, 0.01, 3)).as_matrix() @ up
    return (plane if rng.random() < 0.92 else None), (gravity if rng.random() < 0.7 else None)


def _tracked_pose(T: FloatArray, noise: bool, rng: np.random.Generator) -> FloatArray:
    """Return a camera pose with the error that odometry leaves between views."""
    if not noise:
        return T
    size = rng.uniform(0.0, 1.0)
    R = Rotation.from_rotvec(rng.normal(0.0, 0.002 * size, 3)).as_matrix()
    return T @ transform(R, rng.normal(0.0, 0.0015 * size, 3))


def _box(mask: BoolArray) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if len(rows) == 0:
        return 0, 0, 0, 0
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
