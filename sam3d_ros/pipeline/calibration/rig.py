# SPDX-License-Identifier: Apache-2.0
"""The sensors of a recording, each refined against a camera: other cameras, and LiDARs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from sam3d_ros.bags.recording import Recording
from sam3d_ros.bags.scan import SLOP_S
from sam3d_ros.bags.selection import CLOUD, Overrides, read_streams, select
from sam3d_ros.core.errors import RecordingError, Sam3dError, TransformError
from sam3d_ros.core.types import Frame
from sam3d_ros.geometry.registration import Offset
from sam3d_ros.pipeline.calibration.mounting import Mount, corrected
from sam3d_ros.pipeline.calibration.refining import SweepView, refine_camera, refine_lidar
from sam3d_ros.pipeline.frames import BadFrame, FrameReader
from sam3d_ros.pointmaps.config import PointmapConfig
from sam3d_ros.pointmaps.inputs import PointCloud
from sam3d_ros.pointmaps.sources.deskew import as_seen_at_once
from sam3d_ros.pointmaps.sources.ranges import transform_between


@dataclass(frozen=True, slots=True, eq=False)
class Refined:
    """What became of one sensor.

    :param name: of the camera, or the topic of the cloud.
    :param times: how many pairs of views were compared.
    :param reasons: why views were left out, or nothing was refined, a sentence each.
    :param offset: how wrong TF is; None when nothing was refined.
    :param mount: the edge of TF that is corrected.
    """

    name: str
    times: int
    reasons: tuple[str, ...]
    offset: Offset | None = None
    mount: Mount | None = None


def clouds_beside(recording: Recording, camera: str, overrides: Overrides) -> list[str]:
    """Return the topics of clouds that are not in a camera's own frame.

    :param recording: where they are.
    :param camera: name of the camera; empty = the only one.
    :param overrides: topics that the user named.
    """
    rgb = select(recording, replace(overrides, camera=camera, color_alone=True)).rgb
    return [
        stream.topic
        for stream in read_streams(recording, overrides.frames)
        if stream.type == CLOUD and not stream.problem and stream.frame_id != rgb.frame_id
    ]


def refine_cameras(readers: Mapping[str, FrameReader], most: int) -> Iterator[Refined]:
    """Yield what becomes of every camera but the first, which stays.

    :param readers: by camera, with one fixed frame.
    :param most: frames of each that are compared, spread over the recording.
    """
    (_, first), *others = readers.items()
    first.keep(_spread(first.stamps_ns, most))
    kept, reasons = _frames(first)
    for name, reader in others:
        reader.keep(first.stamps_ns)
        seen, more = _frames(reader)
        pairs = [
            (min(kept, key=lambda one: abs(one.stamp_ns - at.stamp_ns)), at)
            for at in (seen if kept else ())
        ]
        refine = partial(refine_camera, pairs)
        yield _refined(name, len(pairs), refine, first, reader.frame_id, (*reasons, *more))


def refine_clouds(
    recording: Recording,
    topics: Sequence[str],
    camera: str,
    config: PointmapConfig,
    overrides: Overrides,
    most: int,
    slop_s: float = SLOP_S,
) -> Iterator[Refined]:
    """Yield what becomes of every LiDAR; the camera stays.

    :param recording: what is read.
    :param topics: of the clouds.
    :param camera: name of the camera; empty = the only one.
    :param config: options of the stage.
    :param overrides: topics that the user named.
    :param most: sweeps of each that are compared, spread over the recording.
    :param slop_s: most time between colour and cloud of one pair, seconds.
    """
    for topic in topics:
        try:
            yield _refined_cloud(recording, topic, camera, config, overrides, most, slop_s)
        except Sam3dError as error:
            # One of several that cannot be read is no reason to refine none.
            yield Refined(topic, 0, (str(error),))


def _refined_cloud(
    recording: Recording,
    topic: str,
    camera: str,
    config: PointmapConfig,
    overrides: Overrides,
    most: int,
    slop_s: float,
) -> Refined:
    config = replace(config, camera_id=camera or config.camera_id)
    named = replace(overrides, camera='', points=topic, depth='', more=())
    selection = select(recording, replace(overrides, camera=camera, color_alone=True))
    cloud = select(recording, replace(named, rgb=selection.rgb.topic))
    if cloud.points is None or cloud.points.type != CLOUD:
        raise RecordingError(f'no points but images on {topic}', wanted='a PointCloud2')
    reader = FrameReader(recording, replace(cloud, rgb_info=selection.rgb_info), config, slop_s)
    reader.keep(_spread(reader.stamps_ns, most))
    frames: dict[int, Frame] = {}
    if selection.depth is not None:
        with_depth = FrameReader(recording, replace(selection, more=(), more_infos=()), config)
        with_depth.keep(reader.stamps_ns)
        frames = {frame.stamp_ns: frame for frame in _frames(with_depth)[0]}
    views, reasons, lidar = [], [], ''
    tree = reader.scan.tree
    for item in reader.measured():
        if isinstance(item, BadFrame):
            reasons.append(item.reason)
            continue
        image, (sweep,) = item
        assert isinstance(sweep, PointCloud)
        lidar = sweep.frame_id
        try:
            points_cam = as_seen_at_once(image, sweep, tree)
            T_cam_lidar = transform_between(image, sweep, tree)
        except TransformError as error:
            reasons.append(str(error))
            continue
        rgb, model, frame = image.rectified, image.lens.rectified, frames.get(image.stamp_ns)
        views.append(SweepView(rgb, model, points_cam, T_cam_lidar, frame))
    refine = partial(refine_lidar, views)
    return _refined(topic, len(views), refine, reader, lidar, tuple(reasons))


def _refined(
    name: str,
    times: int,
    refine: Callable[[], Offset],
    reference: FrameReader,
    sensor: str,
    reasons: tuple[str, ...],
) -> Refined:
    try:
        offset = refine()
        mount = corrected(reference.scan.tree, reference.frame_id, sensor, offset)
    except Sam3dError as error:
        return Refined(name, times, (*reasons, str(error)))
    return Refined(name, times, reasons, offset, mount)


def _frames(reader: FrameReader) -> tuple[list[Frame], tuple[str, ...]]:
    items = list(reader)
    reasons = tuple(item.reason for item in items if isinstance(item, BadFrame))
    return [item for item in items if isinstance(item, Frame)], reasons


def _spread(stamps_ns: Sequence[int], most: int) -> list[int]:
    """Return at most so many stamps, evenly spread."""
    at = np.linspace(0, len(stamps_ns) - 1, min(most, len(stamps_ns))).round().astype(int)
    return [stamps_ns[k] for k in dict.fromkeys(at.tolist())]
