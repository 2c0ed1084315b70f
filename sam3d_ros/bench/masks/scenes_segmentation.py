# SPDX-License-Identifier: Apache-2.0
"""Labelled frames: real ones of the Object Segmentation Database, and made-up clutter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from sam3d_ros.bench.worlds import as_measured, bare, episode_of
from sam3d_ros.core.errors import InputError
from sam3d_ros.core.sensors import STRUCTURED_LIGHT
from sam3d_ros.core.types import BoolArray, Camera, Float32Array, Frame, IndexArray
from sam3d_ros.geometry.cameras import pointmap_from_depth
from sam3d_ros.pointmaps.sensor_noise.noise import RangeNoise
from sam3d_ros.world.episode import Episode
from sam3d_ros.world.rendering.render import Renderer
from sam3d_ros.world.samples import samples
from sam3d_ros.world.sources import ObjectSource


@dataclass(frozen=True, slots=True, eq=False)
class LabelledFrame:
    """A frame and its truth.

    :param truth: (H, W) int32, 0 = no object.
    :param valid: (H, W) bool, pixels that carry truth.
    :param others: (H, W) bool, pixels of things that the truth does not list.
    """

    name: str
    frame: Frame
    truth: IndexArray
    valid: BoolArray
    others: BoolArray


def frame_files(folder: Path) -> list[Path]:
    """Return the labelled frames of a folder, sorted by name.

    :raises InputError: when there are none.
    """
    found = sorted(folder.glob('*.npz'))
    if not found:
        raise InputError(
            f'no .npz in {folder}',
            wanted='frames with rgb_png, depth_mm, inst and K',
            remedy='Name the folder: sam3d bench segmentation DATA_DIR.',
        )
    return found


def read_frame(path: Path) -> LabelledFrame:
    """Read one frame of the Object Segmentation Database (keys as in the data's description)."""
    with np.load(path) as stored:
        inst, frame = stored['inst'], frame_of(stored, path.name)
    truth = np.where(inst > 1, inst, 0).astype(np.int32)
    nowhere = np.zeros(truth.shape, bool)
    return LabelledFrame(path.stem, frame, truth, frame.depth_m > 0, nowhere)


def frame_of(stored: Mapping[str, np.ndarray], name: str) -> Frame:
    """Return the frame of a stored ``rgb_png``, ``depth_mm`` and ``K``; where up is is unknown.

    The camera is not told: its errors are what this one frame shows of them.

    :param name: of the file, for errors.
    """
    depth_m, camera = depth_of(stored)
    bgr = cv2.imdecode(np.frombuffer(stored['rgb_png'].tobytes(), np.uint8), cv2.IMREAD_COLOR)
    if bgr is None:
        raise InputError(f'{name}: rgb_png is no image', wanted='a PNG')
    rgb = np.ascontiguousarray(bgr[..., ::-1]).astype(np.uint8, copy=False)
    pointmap = pointmap_from_depth(depth_m, camera)
    noise = RangeNoise(STRUCTURED_LIGHT)
    noise.update(depth_m, camera.K)
    sensor = noise.model
    return Frame(0, 'camera', camera, rgb, pointmap, 'camera', np.eye(4), sensor=sensor)


def depth_of(stored: Mapping[str, np.ndarray]) -> tuple[Float32Array, Camera]:
    """Return (H, W) float32 depth in metres, NaN = no return, of ``depth_mm``, and ``K``."""
    depth_mm, K = stored['depth_mm'], stored['K'].astype(np.float64)
    depth_m = np.where(depth_mm > 0, depth_mm * np.float32(0.001), np.float32(np.nan))
    return depth_m, Camera(depth_mm.shape[1], depth_mm.shape[0], K)


def save_labels(folder: Path, name: str, labels: IndexArray) -> None:
    """Write an (H, W) image of instance ids, 0 = no object, as a PNG of uint16.

    :param folder: made when missing.
    :param name: of the file, without suffix.
    :param labels: (H, W) integers.
    """
    folder.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(folder / f'{name}.png'), labels.astype(np.uint16))


def world_frames(
    suite: str,
    count: int,
    seed: int,
    source: ObjectSource | None,
    sensor: str = STRUCTURED_LIGHT.name,
) -> Iterator[LabelledFrame]:
    """Yield the first frame of ``count`` episodes of a suite, with noise and gravity.

    :param seed: of the first episode.
    :param source: where the objects come from; None = procedural solids.
    :param sensor: name of the range camera.
    """
    for number in range(seed, seed + count):
        episode = episode_of(suite, number, source, sensor)
        drawn = next(samples(episode))
        frame = next(as_measured([drawn]))
        depth_m, rendering = frame.depth_m, drawn.rendering
        truth = rendering.instances.astype(np.int32)
        others = others_in(episode, rendering.depth_m)
        yield LabelledFrame(f'{suite}_{number}', frame, truth, depth_m > 0, others)


def others_in(episode: Episode, depth_m: Float32Array) -> BoolArray:
    """Return (H, W) bool: what is seen is neither an object nor floor, wall or table.

    :param episode: the world.
    :param depth_m: (H, W) float32 z-depth of its first frame.
    """
    renderer = Renderer(episode.objects, bare(episode).surroundings, episode.light)
    view = episode.camera, episode.T_fixed_cam[0], episode.T_fixed_obj[0]
    without = renderer.render(*view).depth_m
    hidden: BoolArray = (depth_m < without) | (np.isnan(without) & ~np.isnan(depth_m))
    return hidden
