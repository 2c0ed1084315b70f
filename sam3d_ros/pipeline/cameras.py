# SPDX-License-Identifier: Apache-2.0
"""Several cameras of one recording: their frames in the order of stamps, none dropped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from heapq import merge
from typing import Any

from sam3d_ros.bags.recording import Recording
from sam3d_ros.bags.scan import SLOP_S, LoggedTransform
from sam3d_ros.bags.selection import Overrides, select
from sam3d_ros.core.errors import ConfigurationError
from sam3d_ros.core.notes import Notes
from sam3d_ros.core.types import Frame
from sam3d_ros.pipeline.frames import BadFrame, FrameReader, overrides_of
from sam3d_ros.pointmaps.config import PointmapConfig


def read_cameras(
    recording: Recording,
    cameras: Sequence[str],
    config: PointmapConfig,
    slop_s: float = SLOP_S,
    notes: Notes | None = None,
    overrides: Overrides | None = None,
) -> dict[str, FrameReader]:
    """Return a reader of each camera, all with the same fixed frame.

    :param recording: what is read.
    :param cameras: their names; each is a level in the names of its topics, as ``left`` is in
        ``/left/color/image_raw``, or empty for the only one.
    :param config: options of the stage.
    :param slop_s: most time between colour and depth (or points) of one frame, seconds.
    :param notes: takes what was assumed or looks wrong, once each.
    :param overrides: topics that the user named.
    :raises RecordingError: when topics of a camera are missing, or two fit equally well.
    :raises ConfigurationError: when cameras have different fixed frames.
    """
    overrides = overrides or overrides_of(recording, config)
    readers = {}
    for camera in cameras:
        selection = select(recording, replace(overrides, camera=camera))
        own = replace(config, camera_id=camera or config.camera_id)
        readers[camera] = FrameReader(recording, selection, own, slop_s, notes)
    fixed = {camera: reader.fixed_frame for camera, reader in readers.items()}
    if len(set(fixed.values())) > 1:
        seen = ', '.join(f'"{frame}" of {camera}' for camera, frame in fixed.items())
        raise ConfigurationError(
            f'cameras with different fixed frames: {seen}',
            wanted='one frame that TF knows above all of them',
            remedy='Set pointmaps.fixed_frame, or publish TF between these frames.',
        )
    return readers


def in_stamp_order(readers: Mapping[str, FrameReader]) -> Iterator[Frame | BadFrame]:
    """Yield the frames of all cameras; of equal stamps, in the order of the cameras' names.

    :param readers: by camera.
    """
    yield from merge(*readers.values(), key=lambda item: (item.stamp_ns, item.camera_id))


def transforms_of(readers: Iterable[FrameReader]) -> list[LoggedTransform]:
    """Return TF of a recording as its cameras take it, each transform once.

    :param readers: of all cameras.
    """
    taken: dict[tuple[Any, ...], LoggedTransform] = {}
    for reader in readers:
        for item in reader.scan.transforms:
            edge = item.transform
            key = (item.log_ns, item.is_static, edge.parent, edge.child, edge.stamp_ns)
            taken.setdefault(key, item)
    return list(taken.values())
