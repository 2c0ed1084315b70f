# SPDX-License-Identifier: Apache-2.0
"""Which topics of a recording make the stream of frames.

Topics are chosen by what they are: colour is a colour image, one with a CameraInfo beside it and
in the frame of depth before others, grey only where there is none in colour; depth is a depth
image, one in colour's frame and size before others, not what its name says is infrared, confidence
or the like; without depth, points of a LiDAR. What cannot be decoded is left out. Where two ranges
fit equally well nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

import numpy as np

from sam3d_ros.bags.recording import Recording, TopicInfo
from sam3d_ros.core.errors import InputError, RecordingError
from sam3d_ros.messages.headers import frame_name
from sam3d_ros.messages.sensors.compressed import is_compressed_depth
from sam3d_ros.messages.sensors.images import (
    decode,
    depth_metres,
    is_color,
    is_depth,
    is_plain,
    layout,
)
from sam3d_ros.messages.topic_names import image_topic, is_aligned, is_of_camera, other_sensor

IMAGE = 'sensor_msgs/msg/Image'
COMPRESSED = 'sensor_msgs/msg/CompressedImage'
CLOUD = 'sensor_msgs/msg/PointCloud2'
INFO = 'sensor_msgs/msg/CameraInfo'
# So many messages are tried before a topic counts as one that cannot be decoded.
_TRIED = 5
# Where depth cameras see things, metres; tells depth from numbers of another kind.
_PLAUSIBLE_M = (0.1, 12.0)


@dataclass(frozen=True, slots=True)
class Stream:
    """A topic of images or clouds, as its first good message shows it.

    :param encoding: of images; empty for clouds.
    :param size_px: width and height; (0, 0) for clouds.
    :param problem: why it cannot be read; empty when it can.
    """

    topic: str
    type: str
    count: int
    frame_id: str
    encoding: str = ''
    size_px: tuple[int, int] = (0, 0)
    problem: str = ''

    @property
    def base(self) -> str:
        """The topic without the suffix of an image transport."""
        return image_topic(self.topic) if self.type == COMPRESSED else self.topic

    @property
    def other_sensor(self) -> str:
        """The word in the topic that says infrared, confidence or the like, or nothing."""
        return other_sensor(self.base)


@dataclass(frozen=True, slots=True)
class Selection:
    """The topics that make frames: depth or points first, neither for colour alone.

    :param more: further depth images and clouds of other sensors: fused with the first, or in
        its place where it is silent or blind.
    :param more_infos: CameraInfo topics of these, None where there is none.
    :param left_out: images that were not chosen and why, a sentence each.
    """

    rgb: Stream
    rgb_info: str
    depth: Stream | None = None
    depth_info: str | None = None
    points: Stream | None = None
    more: tuple[Stream, ...] = ()
    more_infos: tuple[str | None, ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def ranges(self) -> tuple[tuple[Stream, str | None], ...]:
        """All streams of range with their CameraInfos, the preferred one first."""
        first = self.depth or self.points
        more = tuple(zip(self.more, self.more_infos, strict=True))
        return more if first is None else ((first, self.depth_info), *more)


@dataclass(frozen=True, slots=True)
class Overrides:
    """Topics that the user named; empty = choose.

    :param more: further depth images and clouds.
    :param fused: whether all sensors of range are wanted, not only one and another in its place.
    :param color_alone: whether colour does where there is no sensor of range.
    :param camera: only topics with this level in their names are looked at.
    :param frames: by topic, the frame of its messages instead of their own.
    """

    rgb: str = ''
    depth: str = ''
    info: str = ''
    points: str = ''
    more: tuple[str, ...] = ()
    fused: bool = False
    color_alone: bool = False
    camera: str = ''
    frames: Mapping[str, str] = field(default_factory=dict)


def select(recording: Recording, overrides: Overrides | None = None) -> Selection:
    """Return the topics that make frames.

    :param recording: where they are.
    :param overrides: what the user named.
    :raises RecordingError: when one is missing, or two fit equally well: the error names the
        candidates and the option to type.
    """
    wished = overrides or Overrides()
    every = read_streams(recording, wished.frames, wished.camera)
    if wished.camera and not every:
        raise RecordingError(
            f'no images or points on topics of a camera "{wished.camera}"',
            wanted=f'"/{wished.camera}/" in the names of its topics',
        )
    streams = [stream for stream in every if not stream.problem]
    infos = [
        topic.name
        for topic in recording.topics
        if topic.type == INFO and topic.count and is_of_camera(topic.name, wished.camera)
    ]
    rgb = _named(every, wished.rgb, 'rgb') if wished.rgb else _color(every, wished, infos)
    rgb_info = _named_info(infos, wished.info) if wished.info else _info_beside(rgb, infos)
    if rgb_info is None:
        raise RecordingError(
            f'no CameraInfo beside {rgb.topic}; there are: {_listed(infos)}',
            wanted=f'{_parent(rgb.base)}/camera_info',
            remedy='Type --info TOPIC.',
        )
    chosen = Selection(rgb, rgb_info)
    if wished.points:
        chosen = replace(chosen, points=_named(every, wished.points, 'points'))
    elif wished.depth:
        chosen = replace(chosen, depth=_named(every, wished.depth, 'depth'))
    else:
        depth = _depth(recording, streams, rgb)
        clouds = [stream for stream in streams if stream.type == CLOUD]
        is_alone = wished.color_alone and depth is None and not clouds
        chosen = replace(chosen, depth=depth, points=None if depth or is_alone else _points(every))
    if chosen.depth is not None:
        chosen = replace(chosen, depth_info=_info_beside(chosen.depth, infos))
    more = _more(every, chosen, wished)
    chosen = replace(
        chosen,
        more=tuple(more),
        more_infos=tuple(
            None if stream.type == CLOUD else _info_beside(stream, infos) for stream in more
        ),
    )
    return replace(chosen, left_out=_left_out(every, chosen))


def _more(every: Sequence[Stream], chosen: Selection, wished: Overrides) -> list[Stream]:
    """Return streams of sensors beside the chosen one: those named, else those in other frames.

    A cloud in the frame of the camera is its own depth once more; of two streams in one frame one
    will do. Where the user named the stream of range, that is all.
    """
    if wished.more:
        return [_named(every, topic, 'more') for topic in wished.more]
    if wished.depth or wished.points or not chosen.ranges:
        return []
    frames = {chosen.rgb.frame_id, chosen.ranges[0][0].frame_id}
    more = []
    for stream in every:
        is_range = stream.type == CLOUD or (
            wished.fused
            and is_depth(stream.encoding)
            and stream.encoding != 'mono16'
            and not stream.other_sensor
        )
        if is_range and not stream.problem and stream.frame_id not in frames:
            frames.add(stream.frame_id)
            more.append(stream)
    return more


def read_streams(
    recording: Recording, frames: Mapping[str, str] | None = None, camera: str = ''
) -> list[Stream]:
    """Return every topic of images or clouds that has a message, by name.

    :param recording: where they are.
    :param frames: by topic, the frame of its messages instead of their own.
    :param camera: only topics with this level in their names; empty = all.
    """
    given = frames or {}
    streams = []
    for topic in recording.topics:
        if not is_of_camera(topic.name, camera):
            continue
        if topic.count and topic.type in (IMAGE, COMPRESSED, CLOUD):
            stream = _read(recording, topic)
            frame_id = given.get(topic.name, stream.frame_id)
            streams.append(replace(stream, frame_id=frame_id))
    return streams


def _read(recording: Recording, topic: TopicInfo) -> Stream:
    """Return what the first good message of a topic shows."""
    stream = Stream(topic.name, topic.type, topic.count, '', problem='it has no messages')
    for raw in islice(recording.messages([topic.name]), _TRIED):
        try:
            message = recording.decode(raw)
        except RecordingError as error:
            stream = replace(stream, problem=recording.problem(topic.name) or str(error))
            continue
        stream = replace(stream, frame_id=frame_name(message.header.frame_id), problem='')
        if topic.type == CLOUD:
            return stream
        seen = _seen(stream, message)
        if not seen.problem:
            return seen
        stream = seen
    if topic.type == COMPRESSED and (encoding := _encoding_named(stream.encoding)):
        # Frames that are cut off; what they are can still be told from their format.
        return replace(stream, encoding=encoding, problem='')
    return stream


def _seen(stream: Stream, message: Any) -> Stream:
    """Return the stream with what an image of it shows, or why it cannot be decoded."""
    try:
        if stream.type == IMAGE:
            encoding = str(message.encoding)
            layout(encoding)
            size_px = (int(message.width), int(message.height))
        else:
            pixels, encoding = decode(message)
            size_px = (pixels.shape[1], pixels.shape[0])
    except InputError as error:
        form = str(getattr(message, 'format', ''))
        problem = f'format "{form}" is not one we can read' if form else error.seen
        return replace(stream, encoding=form, problem=problem)
    return replace(stream, encoding=encoding, size_px=size_px)


def _encoding_named(form: str) -> str:
    """Return the encoding that a CompressedImage's format promises, empty for formats not read."""
    if is_compressed_depth(form):
        return '16UC1'
    return 'bgr8' if 'jpeg' in form or 'jpg' in form or 'png' in form else ''


def _color(every: Sequence[Stream], wished: Overrides, infos: Sequence[str]) -> Stream:
    """Return the colour topic that fits best, the first by name of several.

    Grey ones serve only when there is no other, 16 bits last: mostly they are infrared.
    """
    taken = (wished.depth, wished.points)
    images = [item for item in every if item.type != CLOUD and item.topic not in taken]
    usable = [item for item in images if not item.problem]
    depth = [item for item in usable if is_depth(item.encoding) and not item.other_sensor]
    sure = [item for item in depth if item.encoding != 'mono16']
    sixteen = [item for item in usable if item.encoding == 'mono16' and (sure or wished.depth)]
    color = [item for item in usable if is_color(item.encoding) and not is_depth(item.encoding)]
    if not color and not sixteen:
        seen = [f'{item.topic} ({item.problem or item.encoding})' for item in images]
        raise RecordingError(
            f'no topic with a colour encoding; images: {_listed(seen)}',
            wanted='a colour image, e.g. rgb8 or jpeg',
            remedy='Type --rgb TOPIC if one of these is colour.',
        )
    frames = {item.frame_id for item in depth}

    def fitness(stream: Stream) -> tuple[Any, ...]:
        return (
            bool(stream.other_sensor),
            ['mono8', '8UC1', 'mono16'].index(stream.encoding) + 1
            if stream.encoding in ('mono8', '8UC1', 'mono16')
            else 0,
            is_plain(stream.encoding),
            not _beside(stream, infos),
            stream.frame_id not in frames,
            stream.base,
            stream.type == COMPRESSED,
        )

    return min([*color, *sixteen], key=fitness)


def _depth(recording: Recording, streams: Sequence[Stream], rgb: Stream) -> Stream | None:
    depth = [stream for stream in streams if is_depth(stream.encoding)]
    depth = [item for item in depth if item.base != rgb.base and not item.other_sensor]
    if not depth:
        return None

    def fitness(stream: Stream) -> tuple[bool, ...]:
        return (
            stream.encoding != 'mono16',
            stream.frame_id == rgb.frame_id,
            stream.size_px == rgb.size_px,
            is_aligned(stream.base),
        )

    best = max(fitness(stream) for stream in depth)
    fitting = [stream for stream in depth if fitness(stream) == best]
    if len({stream.base for stream in fitting}) > 1:
        plausible = [stream for stream in fitting if _is_plausible(recording, stream)]
        fitting = plausible or fitting
    return _only(fitting, 'depth')


def _is_plausible(recording: Recording, stream: Stream) -> bool:
    """Return whether the numbers of a depth image can be distances to things."""
    try:
        depth_m = depth_metres(recording.first(stream.topic))
    except InputError:
        return False
    near, far = _PLAUSIBLE_M
    returns = depth_m[np.isfinite(depth_m)]
    return bool(returns.size and np.mean((returns > near) & (returns < far)) > 0.5)


def _points(every: Sequence[Stream]) -> Stream:
    clouds = [stream for stream in every if stream.type == CLOUD and not stream.problem]
    if not clouds:
        seen = [f'{item.topic} ({item.problem or item.encoding})' for item in every]
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


def _left_out(every: Sequence[Stream], chosen: Selection) -> tuple[str, ...]:
    """Return which images cannot be read, and which might have been taken for depth."""
    sentences = []
    for stream in every:
        if stream == chosen.rgb or any(stream == other for other, _ in chosen.ranges):
            continue
        if stream.problem:
            sentences.append(f'{stream.topic} is left out: {stream.problem}')
        elif is_depth(stream.encoding) and stream.other_sensor:
            sentences.append(
                f'{stream.topic} ({stream.encoding}) is not taken for depth: its name says '
                f'"{stream.other_sensor}"; --depth overrides'
            )
        elif stream.encoding == 'mono16' and chosen.depth is not None:
            sentences.append(
                f'{stream.topic} (mono16) is not taken for depth, which is {chosen.depth.topic} '
                f'({chosen.depth.encoding}); --depth overrides'
            )
    return tuple(sentences)


def _named(every: Sequence[Stream], topic: str, option: str) -> Stream:
    for stream in every:
        if stream.topic == topic:
            if stream.problem:
                raise RecordingError(f'--{option} {topic}: {stream.problem}')
            return stream
    raise RecordingError(
        f'--{option} {topic}: no such topic of images or points with messages',
        wanted=f'one of: {_listed(stream.topic for stream in every)}',
    )


def _named_info(infos: Sequence[str], topic: str) -> str:
    if topic not in infos:
        raise RecordingError(
            f'--info {topic}: no such CameraInfo with messages',
            wanted=f'one of: {_listed(infos)}',
        )
    return topic


def _beside(stream: Stream, infos: Sequence[str]) -> list[str]:
    """Return the CameraInfos in the image's namespace."""
    return [info for info in infos if _parent(info) == _parent(stream.base)]


def _info_beside(stream: Stream, infos: Sequence[str]) -> str | None:
    """Return the CameraInfo in the image's namespace, the one called camera_info if several."""
    beside = _beside(stream, infos)
    usual = f'{_parent(stream.base)}/camera_info'
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
