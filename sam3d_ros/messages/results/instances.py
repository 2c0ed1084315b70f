# SPDX-License-Identifier: Apache-2.0
"""Tracks and their instances to sam3d_msgs/InstanceArray, and back."""

from __future__ import annotations

from typing import Any

import numpy as np

from sam3d_ros.core.errors import InputError
from sam3d_ros.core.types import Instance, Instances, Plane, Track, Tracks, TrackState
from sam3d_ros.messages.headers import header_message, nanoseconds, time_message
from sam3d_ros.messages.sensors.images import decode_image
from sam3d_ros.messages.types import MessageTypes

MOST_INSTANCES = 65535
"""What a mono16 id image can number."""


def tracks_message(
    types: MessageTypes, tracks: Tracks, frame_id: str, size_px: tuple[int, int]
) -> Any:
    """Return the InstanceArray of one frame.

    Where masks overlap (alternatives that a prompt asked for), the later instance has the pixel.

    :param types: makes the messages.
    :param tracks: all living tracks with the instances seen.
    :param frame_id: optical frame of the image.
    :param size_px: width and height of the image.
    """
    header = header_message(types, tracks.stamp_ns, frame_id)
    owners = {track.instance: str(track.id) for track in tracks.items if track.instance >= 0}
    items = tracks.instances.items
    return types.new(
        'sam3d_msgs/msg/InstanceArray',
        header=header,
        id_image=_id_image(types, tracks.instances, header, size_px),
        instances=[_instance(types, item, owners.get(at, '')) for at, item in enumerate(items)],
        tracks=[_track(types, track) for track in tracks.items],
        supports=[
            types.new('shape_msgs/msg/Plane', coef=np.append(plane.normal, plane.offset_m))
            for plane in tracks.instances.supports
        ],
    )


def _id_image(
    types: MessageTypes, instances: Instances, header: Any, size_px: tuple[int, int]
) -> Any:
    if len(instances.items) > MOST_INSTANCES:
        raise InputError(f'{len(instances.items)} instances', wanted=f'at most {MOST_INSTANCES}')
    width, height = size_px
    ids = np.zeros((height, width), '<u2')
    for number, item in enumerate(instances.items, start=1):
        ids[item.mask] = number
    return types.new(
        'sensor_msgs/msg/Image',
        header=header,
        height=height,
        width=width,
        encoding='mono16',
        step=2 * width,
        data=ids.reshape(-1).view(np.uint8),
    )


def _instance(types: MessageTypes, item: Instance, track_id: str) -> Any:
    left, top, right, bottom = (int(edge) for edge in item.box_px)
    box = types.new(
        'sensor_msgs/msg/RegionOfInterest',
        x_offset=left,
        y_offset=top,
        width=right - left,
        height=bottom - top,
    )
    return types.new(
        'sam3d_msgs/msg/Instance',
        track_id=track_id,
        score=float(item.score),
        label=item.label,
        source=item.source,
        box=box,
        support=int(item.support),
    )


def _track(types: MessageTypes, track: Track) -> Any:
    return types.new(
        'sam3d_msgs/msg/Track',
        id=str(track.id),
        state=int(track.state),
        hits=int(track.hits),
        missed=int(track.missed),
        first_seen=time_message(types, track.first_seen_ns),
        last_seen=time_message(types, track.last_seen_ns),
        instance=int(track.instance),
    )


def tracks_from(message: Any) -> Tracks:
    """Return the tracks of an InstanceArray.

    :raises InputError: as :func:`instances_from`.
    """
    instances = instances_from(message)
    tracks = tuple(_track_from(track) for track in message.tracks)
    return Tracks(instances.stamp_ns, instances, tracks)


def instances_from(message: Any) -> Instances:
    """Return the instances of an InstanceArray, whatever tracks it has.

    :raises InputError: when the id image is malformed or numbers an instance that is not there.
    """
    ids = decode_image(message.id_image)
    if ids.ndim != 2 or int(ids.max()) > len(message.instances):
        raise InputError(
            f'an id image of {message.id_image.encoding} with values up to {ids.max():g}',
            wanted=f'mono16 with values up to {len(message.instances)}, the number of instances',
        )
    supports = tuple(
        Plane(np.asarray(plane.coef[:3], np.float64), float(plane.coef[3]))
        for plane in message.supports
    )
    items = tuple(
        _instance_from(item, ids == number)
        for number, item in enumerate(message.instances, start=1)
    )
    return Instances(nanoseconds(message.header.stamp), items, supports)


def _instance_from(item: Any, mask: np.ndarray[Any, Any]) -> Instance:
    box = item.box
    left, top = int(box.x_offset), int(box.y_offset)
    return Instance(
        mask=mask,
        score=float(item.score),
        box_px=(left, top, left + int(box.width), top + int(box.height)),
        source=str(item.source),
        label=str(item.label),
        support=int(item.support),
    )


def _track_from(track: Any) -> Track:
    return Track(
        id=int(track.id),
        state=TrackState(track.state),
        hits=int(track.hits),
        first_seen_ns=nanoseconds(track.first_seen),
        last_seen_ns=nanoseconds(track.last_seen),
        missed=int(track.missed),
        instance=int(track.instance),
    )
