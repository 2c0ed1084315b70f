# SPDX-License-Identifier: Apache-2.0
"""An episode: everything that a made-up recording will show, before anything is drawn."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from sam3d_ros.core.types import BoolArray, Camera, FloatArray
from sam3d_ros.world.lidar import Lidar
from sam3d_ros.world.light import Light
from sam3d_ros.world.sensors import DepthSensor
from sam3d_ros.world.solid import Solid

FIXED_FRAME = 'world'
FRAME_RATE_HZ = 10.0
START_NS = 1_700_000_000_000_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Episode:
    """Objects, surroundings, light, camera path and sensor of one recording.

    :param suite: name of the suite it was drawn from.
    :param source: where the objects come from, in words.
    :param support_z_m: height of the table or floor that the objects stand on, fixed frame.
    :param stamps_ns: (F,) int64.
    :param T_fixed_cam: (F, 4, 4) float64, optical frame to fixed frame.
    :param T_fixed_obj: (F, N, 4, 4) float64.
    :param present: (F, N) bool, False = the object is not there in that frame.
    :param lidar: where given, the recording has its sweeps instead of depth images.
    """

    suite: str
    seed: int
    source: str
    objects: tuple[Solid, ...]
    surroundings: tuple[Solid, ...]
    support_z_m: float
    light: Light
    camera: Camera
    sensor: DepthSensor
    stamps_ns: npt.NDArray[np.int64]
    T_fixed_cam: FloatArray
    T_fixed_obj: FloatArray
    present: BoolArray
    lidar: Lidar | None = None


def stamps(frames: int) -> npt.NDArray[np.int64]:
    """Return (F,) int64 stamps at the frame rate, nanoseconds."""
    return START_NS + np.arange(frames, dtype=np.int64) * round(1e9 / FRAME_RATE_HZ)


def with_rings(episode: Episode, rings: int) -> Episode:
    """Return a LiDAR episode with another number of rings."""
    return replace(episode, lidar=Lidar(rings=rings))


def with_moved(episode: Episode, index: int, shift_m: tuple[float, float]) -> Episode:
    """Return the episode with one object sliding by ``shift_m`` in the middle third."""
    frames = len(episode.stamps_ns)
    share = np.clip(3 * np.linspace(0, 1, frames) - 1, 0, 1)
    poses = episode.T_fixed_obj.copy()
    poses[:, index, :2, 3] += share[:, None] * np.array(shift_m)
    return replace(episode, T_fixed_obj=poses)


def with_removed(episode: Episode, index: int, from_frame: int) -> Episode:
    """Return the episode with one object taken away from a frame on."""
    present = episode.present.copy()
    present[from_frame:, index] = False
    return replace(episode, present=present)
