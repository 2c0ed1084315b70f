# SPDX-License-Identifier: Apache-2.0
"""Frames with their truth, drawn one by one in memory: for recordings, tests and training."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from sam3d_ros.core.errors import InputError
from sam3d_ros.core.sensors import SensorModel
from sam3d_ros.core.types import ByteArray, Camera, Float32Array, FloatArray, Frame
from sam3d_ros.geometry.cameras import pointmap_from_depth
from sam3d_ros.geometry.transforms import inverse
from sam3d_ros.world.appearance.looks import looks_rng
from sam3d_ros.world.episode import FIXED_FRAME, Episode
from sam3d_ros.world.rendering.lidar import Sweep
from sam3d_ros.world.rendering.photograph import photograph, random_photography
from sam3d_ros.world.rendering.render import Renderer, Rendering
from sam3d_ros.world.sources import ObjectSource
from sam3d_ros.world.suites import make_episode
from sam3d_ros.world.truth import FrameTruth, Truth, occlusion

LINK_FRAME = 'camera_link'
OPTICAL_FRAME = 'camera_color_optical_frame'
LIDAR_FRAME = 'lidar'
COLOR_SIGMA = 2.5
"""One-sigma noise of the colour image of ``plain`` looks, of 255."""

T_LINK_OPTICAL: FloatArray = np.array([[0.0, 0, 1, 0], [-1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 1]])
"""REP 103: the optical frame's z is the link's x."""
T_LINK_LIDAR: FloatArray = np.array([[1.0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0.1], [0, 0, 0, 1]])


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One frame as the sensors see it, and what is true of it.

    :param rgb: (H, W, 3) uint8.
    :param depth_m: (H, W) float32 metres, NaN = no return; None when the sensor is a LiDAR.
    :param sweep: the LiDAR's turn around the frame's stamp, or None.
    :param rendering: what an ideal camera sees.
    :param sensor: the errors that are in ``depth_m``.
    """

    camera: Camera
    rgb: ByteArray
    depth_m: Float32Array | None
    sweep: Sweep | None
    rendering: Rendering
    truth: FrameTruth
    sensor: SensorModel

    def frame(self) -> Frame:
        """Return the sample as the stages take it.

        :raises InputError: when there is no depth image.
        """
        if self.depth_m is None:
            raise InputError('a LiDAR sample', wanted='one of a suite with a depth camera')
        T_fixed_cam = self.truth.T_fixed_cam
        return Frame(
            stamp_ns=self.truth.stamp_ns,
            frame_id=OPTICAL_FRAME,
            camera=self.camera,
            rgb=self.rgb,
            pointmap=pointmap_from_depth(self.depth_m, self.camera),
            fixed_frame=FIXED_FRAME,
            T_fixed_cam=T_fixed_cam,
            up_cam=T_fixed_cam[2, :3].copy(),
            sensor=self.sensor,
        )


def samples(episode: Episode) -> Iterator[Sample]:
    """Yield the samples of an episode in the order of their stamps.

    Every frame has its own noise generator, so frame k does not depend on those before it.
    """
    renderer = Renderer(episode.objects, episode.surroundings, episode.light)
    for index in range(len(episode.stamps_ns)):
        suite = zlib.crc32(episode.suite.encode())
        yield _sample(
            episode, renderer, index, np.random.default_rng([episode.seed, suite, index])
        )


def endless(
    suite: str, seed: int, source: ObjectSource | None = None, frames: int | None = None
) -> Iterator[Sample]:
    """Yield the samples of the suite's episodes from ``seed`` on, without an end.

    :param source: where the objects come from; procedural solids when not given.
    :param frames: of each episode; the suite's when not given.
    """
    while True:
        yield from samples(make_episode(suite, seed, source, frames=frames))
        seed += 1


def noisy(rgb: ByteArray, rng: np.random.Generator) -> ByteArray:
    """Return an (H, W, 3) uint8 picture with white noise: the camera of ``plain`` looks.

    :param rgb: (H, W, 3) uint8.
    :param rng: draws all that is left to chance.
    """
    noise = COLOR_SIGMA * rng.standard_normal(rgb.shape, np.float32)
    return np.clip(np.rint(rgb + noise), 0, 255).astype(np.uint8)


def truth_of(episode: Episode, frames: list[FrameTruth]) -> Truth:
    """Return the truth of an episode whose frames were drawn."""
    return Truth(
        episode.suite,
        episode.seed,
        episode.source,
        FIXED_FRAME,
        episode.support_z_m,
        episode.camera,
        episode.objects,
        tuple(frames),
    )


def sweep_start_ns(episode: Episode, index: int) -> int:
    """Return when the sweep of a frame starts: half a turn before the frame's stamp.

    :param episode: with a LiDAR.
    :param index: of the frame.
    """
    period_s = episode.lidar.period_s if episode.lidar else 0.0
    return int(episode.stamps_ns[index]) - round(period_s / 2 * 1e9)


def _sample(episode: Episode, renderer: Renderer, index: int, rng: np.random.Generator) -> Sample:
    T_fixed_cam, T_fixed_obj = episode.T_fixed_cam[index], episode.T_fixed_obj[index]
    present = episode.present[index]
    drawn = renderer.render(episode.camera, T_fixed_cam, T_fixed_obj, present)
    if episode.looks == 'plain':
        rgb = noisy(drawn.rgb, rng)
    else:
        camera = random_photography(looks_rng(episode, 0))
        rgb = photograph(drawn.rgb, looks_rng(episode, 1, index), camera)
    depth = sweep = None
    if episode.lidar is None:
        depth = episode.sensor.measure(drawn, episode.camera, rng)
    else:
        sweep = _sweep(episode, renderer, index, rng)
    truth = FrameTruth(
        int(episode.stamps_ns[index]),
        T_fixed_cam,
        T_fixed_obj,
        present,
        drawn.instances,
        drawn.amodal,
        occlusion(drawn.instances, drawn.amodal),
    )
    return Sample(episode.camera, rgb, depth, sweep, drawn, truth, episode.sensor.model)


def _sweep(
    episode: Episode, renderer: Renderer, index: int, rng: np.random.Generator
) -> Sweep | None:
    if episode.lidar is None:
        return None
    first_ns = int(episode.stamps_ns[0])
    return episode.lidar.sweep(
        renderer,
        (episode.stamps_ns - first_ns).astype(np.float64) * 1e-9,
        episode.T_fixed_cam @ inverse(T_LINK_OPTICAL),
        T_LINK_LIDAR,
        (sweep_start_ns(episode, index) - first_ns) * 1e-9,
        episode.T_fixed_obj[index],
        episode.present[index],
        rng,
    )
