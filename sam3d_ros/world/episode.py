# SPDX-License-Identifier: Apache-2.0
"""An episode: everything that a made-up recording will show, before anything is drawn."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from sam3d_ros.core.types import BoolArray, Camera, FloatArray
from sam3d_ros.world.cameras import Arc
from sam3d_ros.world.rendering.illumination import Illumination
from sam3d_ros.world.rendering.lidar import Lidar
from sam3d_ros.world.rendering.light import Light
from sam3d_ros.world.rendering.sensors import RangeCamera
from sam3d_ros.world.solid import Solid

FIXED_FRAME = 'world'
FRAME_RATE_HZ = 10.0
START_NS = 1_700_000_000_000_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Setting:
    """What a suite draws for an episode: things at rest and where the camera goes.

    :param T_fixed_obj: (N, 4, 4) float64.
    :param support_z_m: height of the surface that most objects stand on.
    :param arcs: an arc for each view that was asked for.
    """

    objects: tuple[Solid, ...]
    T_fixed_obj: FloatArray
    surroundings: tuple[Solid, ...]
    support_z_m: float
    arcs: tuple[Arc, ...]


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
    :param light: one lamp, or that of a room.
    :param lidar: where given, the recording has its sweeps instead of depth images.
    :param looks: ``plain``, with white noise in the colours, or ``photo``, as a camera takes it.
    """

    suite: str
    seed: int
    source: str
    objects: tuple[Solid, ...]
    surroundings: tuple[Solid, ...]
    support_z_m: float
    light: Light | Illumination
    camera: Camera
    sensor: RangeCamera
    stamps_ns: npt.NDArray[np.int64]
    T_fixed_cam: FloatArray
    T_fixed_obj: FloatArray
    present: BoolArray
    lidar: Lidar | None = None
    looks: str = 'plain'


def stamps(frames: int) -> npt.NDArray[np.int64]:
    """Return (F,) int64 stamps at the frame rate, nanoseconds."""
    return START_NS + np.arange(frames, dtype=np.int64) * round(1e9 / FRAME_RATE_HZ)


def with_rings(episode: Episode, rings: int) -> Episode:
    """Return a LiDAR episode with another number of rings."""
    return replace(episode, lidar=Lidar(rings=rings))


def outermost(episode: Episode) -> int:
    """Return the index of the object furthest from the middle of all: free to slide outward."""
    return int(np.argmax(np.linalg.norm(_from_middle(episode), axis=1)))


def with_moved(episode: Episode, index: int, distance_m: float) -> Episode:
    """Return the episode with one object sliding outward in the middle third of the frames.

    :param index: which object.
    :param distance_m: how far it slides in all.
    """
    frames = len(episode.stamps_ns)
    share = np.clip(3 * np.linspace(0, 1, frames) - 1, 0, 1)
    outward = _from_middle(episode)[index]
    length = float(np.linalg.norm(outward))
    direction = outward / length if length > 1e-6 else np.array([1.0, 0.0])
    poses = episode.T_fixed_obj.copy()
    poses[:, index, :2, 3] += share[:, None] * distance_m * direction
    return replace(episode, T_fixed_obj=poses)


def with_removed(episode: Episode, index: int, from_frame: int) -> Episode:
    """Return the episode with one object taken away from a frame on.

    :param index: which object.
    :param from_frame: the first frame without it, counted from 0.
    """
    present = episode.present.copy()
    present[from_frame:, index] = False
    return replace(episode, present=present)


def _from_middle(episode: Episode) -> FloatArray:
    """Return (N, 2) horizontal offsets of the objects from their middle in the first frame."""
    spots: FloatArray = episode.T_fixed_obj[0, :, :2, 3]
    return spots - spots.mean(axis=0)
