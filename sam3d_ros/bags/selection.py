# SPDX-License-Identifier: Apache-2.0
"""Which topics of a recording make the stream of frames.

Colour is the first topic by name with a colour encoding; depth one with a depth encoding,
preferring colour's frame and size; the CameraInfo is that beside each image. Without depth,
points of a LiDAR. Where two fit equally well nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sam3d_ros.bags.recording import Recording, TopicInfo
from sam3d_ros.core.errors import InputError, RecordingError
from sam3d_ros.messages.compressed import is_compressed_depth
from sam3d_ros.messages.images import decode, is_color, is_depth

IMAGE = 'sensor_msgs/msg/Image'
COMPRESSED = 'sensor_msgs/msg/CompressedImage'
CLOUD = 'sensor_msgs/msg/PointCloud2'
INFO = 'sensor_msgs/msg/CameraInfo'
_TRANSPORTS = ('compressed', 'compressedDepth')


@dataclass(frozen=True, slots=True)
class Stream:
    """A topic of images or clouds, as its first message shows it.

    :param encoding: of images; empty for clouds.
    :param size_px: width and height; (0, 0) for clouds.
    """

    topic: str
    type: str
    count: int
    frame_id: str
    encoding: str = ''
    size_px: tuple[int, int] = (0, 0)

    @property
    def base(self) -> str:
        """The topic without the suffix of an image transport."""
        head, _, tail = self.topic.rpartition('/')
        return head if self.type == COMPRESSED and tail in _TRANSPORTS else self.topic


@dataclass(frozen=True, slots=True)
class Selection:
    """The topics that make frames: depth or points, never both."""

    rgb: Stream
    rgb_info: str
    depth: Stream | None = None
    depth_info: str | None = None
    points: Stream | None = None

    @property
    def geometry(self) -> Stream:
        """The depth images or the points."""
        stream = self.depth or self.points
        assert stream is not None
        return stream


@dataclass(frozen=True, slots=True)
class Overrides:
    """Topics that the user named; empty = choose."""

    rgb: str = ''
    depth: str = ''
    info: str = ''
    points: str = ''


def select(recording: Recording, overrides: Overrides | None = None) -> Selection:
    """Return the topics that make frames.

    :raises RecordingError: when one is missing, or two fit equally well: the error names the
        candidates and the option to type.
    """
    wished = overrides or Overrides()
    streams = read_streams(recording)
    infos = [topic.name for topic in recording.topics if topic.type == INFO and topic.count]
    rgb = _named(streams, wished.rgb, 'rgb') if wished.rgb else _color(streams)
    rgb_info = _named_info(infos, wished.info) if wished.info else _info_beside(rgb, infos)
    if rgb_info is None:
        raise RecordingError(
            f'no CameraInfo beside {rgb.topic}; there are: {_listed(infos)}',
            wanted=f'{_parent(rgb.base)}/camera_info',
            remedy='Type --info TOPIC.',
        )
    chosen = Selection(rgb, rgb_info)
    if wished.points:
        return replace(chosen, points=_named(streams, wished.points, 'points'))
    depth = _named(streams, wished.depth, 'depth') if wished.depth else _depth(streams, rgb)
    if depth is not None:
        return replace(chosen, depth=depth, depth_info=_info_beside(depth, infos))
    return replace(chosen, points=_points(streams))


def read_streams(recording: Recording) -> list[Stream]:
    """Return every topic of images or clouds that has a message, by name.

    A first message that cannot be decoded leaves encoding and size empty.
    """
    streams = []
    for topic in recording.topics:
        if topic.count and topic.type in (IMAGE, COMPRESSED, CLOUD):
            first = recording.first(topic.name)
            if first is not None:
                streams.append(_stream(topic, first))
    return streams


def _stream(topic: TopicInfo, first: Any) -> Stream:
    stream = Stream(topic.name, topic.type, topic.count, str(first.header.frame_id))
    if topic.type == CLOUD:
        return stream
    if topic.type == IMAGE:
        size_px = (int(first.width), int(first.height))
        return replace(stream, encoding=str(first.encoding), size_px=size_px)
    try:
        pixels, encoding = decode(first)
    except InputError:
        # A frame that is cut off; what it is can still be told from its format.
        encoding = '16UC1' if is_compressed_depth(str(first.format)) else 'bgr8'
        return replace(stream, encoding=encoding)
    return replace(stream, encoding=encoding, size_px=(pixels.shape[1], pixels.shape[0]))


def _color(streams: Sequence[Stream]) -> Stream:
    """Return the first colour topic by name; grey ones (infrared) only when there is no other."""
    images = [stream for stream in streams if stream.type != CLOUD]
    color = [stream for stream in images if is_color(stream.encoding)]
    color = [stream for stream in color if not is_depth(stream.encoding)]
    bright = [stream for stream in color if not stream.encoding.startswith('mono')]
    if not color:
        seen = [f'{stream.topic} ({stream.encoding})' for stream in images]
        raise RecordingError(
            f'no topic with a colour encoding; images: {_listed(seen)}',
            wanted='a colour image, e.g. rgb8 or jpeg',
            remedy='Type --rgb TOPIC if one of these is colour.',
        )
    return (bright or color)[0]


def _depth(streams: Sequence[Stream], rgb: Stream) -> Stream | None:
    depth = [stream for stream in streams if is_depth(stream.encoding)]
    depth = [stream for stream in depth if stream.base != rgb.base]
    if not depth:
        return None

    def fitness(stream: Stream) -> tuple[bool, bool]:
        return stream.frame_id == rgb.frame_id, stream.size_px == rgb.size_px

    best = max(fitness(stream) for stream in depth)
    return _only([stream for stream in depth if fitness(stream) == best], 'depth')


def _points(streams: Sequence[Stream]) -> Stream:
    clouds = [stream for stream in streams if stream.type == CLOUD]
    if not clouds:
        seen = [f'{stream.topic} ({stream.encoding})' for stream in streams]
        raise RecordingError(
            f'neither depth images nor points; images: {_listed(seen)}',
            wanted='a topic of 16UC1, 32FC1 or compressedDepth, or a PointCloud2',
            remedy='Type --depth TOPIC or --points TOPIC if one of these is.',
        )
    return _only(clouds, 'points')


def _only(streams: Sequence[Stream], option: str) -> Stream:
    """Return the one stream; raw before compressed of the same images; a tie stops."""
    raw_first = sorted(streams, key=lambda stream: (stream.base, stream.type == COMPRESSED))
    distinct = {stream.base: stream for stream in reversed(raw_first)}
    if len(distinct) > 1:
        names = sorted(stream.topic for stream in distinct.values())
        raise RecordingError(
            f'{len(names)} {option} topics that fit equally well: {_listed(names)}',
            wanted='one',
            remedy=f'Type --{option} {names[0]} or the other.',
        )
    return raw_first[0]


def _named(streams: Sequence[Stream], topic: str, option: str) -> Stream:
    for stream in streams:
        if stream.topic == topic:
            return stream
    raise RecordingError(
        f'--{option} {topic}: no such topic of images or points with messages',
        wanted=f'one of: {_listed(stream.topic for stream in streams)}',
    )


def _named_info(infos: Sequence[str], topic: str) -> str:
    if topic not in infos:
        raise RecordingError(
            f'--info {topic}: no such CameraInfo with messages',
            wanted=f'one of: {_listed(infos)}',
        )
    return topic


def _info_beside(stream: Stream, infos: Sequence[str]) -> str | None:
    """Return the CameraInfo in the image's namespace, the one called camera_info if several."""
    parent = _parent(stream.base)
    beside = [info for info in infos if _parent(info) == parent]
    usual = f'{parent}/camera_info'
    if usual in beside:
        return usual
    if len(beside) > 1:
        raise RecordingError(
            f'{len(beside)} CameraInfo beside {stream.topic}: {_listed(beside)}',
            wanted='one',
            remedy=f'Type --info {beside[0]} or the other.',
        )
    return beside[0] if beside else None


def _parent(topic: str) -> str:
    return topic.rpartition('/')[0]


def _listed(names: Any) -> str:
    return ', '.join(names) or 'none'
