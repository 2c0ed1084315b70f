# SPDX-License-Identifier: Apache-2.0
"""What would stop, or spoil, the pipeline on a recording: one finding for each thing looked at.

A capture of live topics is a recording too (:mod:`sam3d_ros.ros.capture`), so a robot and a file
are looked at by the same rules.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice

import numpy as np

from sam3d_ros.bags.clocks import Stamps, smallest_gap
from sam3d_ros.bags.recording import Recording
from sam3d_ros.bags.scan import SLOP_S, Scan, scan
from sam3d_ros.bags.selection import (
    CLOUD,
    COMPRESSED,
    IMAGE,
    INFO,
    Overrides,
    Selection,
    Stream,
    read_streams,
    select,
)
from sam3d_ros.core.errors import Sam3dError
from sam3d_ros.core.notes import Notes
from sam3d_ros.core.types import Camera, Frame
from sam3d_ros.geometry.lenses import Lens
from sam3d_ros.geometry.transform_tree import TransformTree
from sam3d_ros.messages.topic_names import is_of_camera
from sam3d_ros.pipeline.frames import BadFrame, FrameReader, overrides_of, timing_of
from sam3d_ros.pipeline.noise_checkup import noise_report
from sam3d_ros.pipeline.own_way import OwnWay
from sam3d_ros.pointmaps.config import PointmapConfig
from sam3d_ros.pointmaps.decoding import Decoder
from sam3d_ros.pointmaps.odometry.own_places import AT_WORK, follows
from sam3d_ros.pointmaps.pairing import pair_all

SENSORS = (IMAGE, COMPRESSED, CLOUD)
_FRAMES_TRIED = 3
_FRAMES_FOLLOWED = 20
_SLOWEST_HZ = 1.0
_SMALLEST_COVERAGE = 0.2
_LARGEST_OFFSET = 0.2
_LARGEST_ASPECT = 1.1


class Level(StrEnum):
    """How bad a finding is; only an error stops the pipeline."""

    OK = 'ok'
    WARN = 'warn'
    ERROR = 'error'


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    :param subject: what, e.g. ``colour`` or ``TF``.
    :param text: what was found.
    :param remedy: what to do about it, when something is to be done.
    """

    level: Level
    subject: str
    text: str
    remedy: str = ''


def check_up(
    recording: Recording,
    config: PointmapConfig,
    overrides: Overrides | None = None,
    slop_s: float = SLOP_S,
) -> Iterator[Finding]:
    """Yield findings, from the topics to the first frames; stops where nothing can follow.

    :param recording: what is looked at.
    :param config: options of the stage.
    :param overrides: topics that the user named.
    :param slop_s: most time between colour and depth (or points) of one frame, seconds.
    """
    overrides = overrides or overrides_of(recording, config)
    yield from _topics(recording, overrides)
    try:
        selection = select(recording, overrides)
        found = scan(recording, selection, timing_of(config, slop_s))
    except Sam3dError as error:
        yield _error('topics', error)
        return
    for sentence in (*selection.left_out, *found.notes):
        yield Finding(Level.WARN, 'inputs', sentence)
    for text in found.refused[:3]:
        yield Finding(Level.WARN, 'messages', text)
    yield from _sources(selection, config)
    ranges = [stream for stream, _ in selection.ranges]
    for subject, stream in [('colour', selection.rgb), *(('depth', each) for each in ranges)]:
        yield _rate(subject, stream, found.stamps_ns[stream.topic])
    for stream in ranges:
        yield _synchrony(selection.rgb.topic, stream.topic, found, slop_s)
    decoder = Decoder(config)
    yield _camera('colour camera', selection.rgb, selection.rgb_info, found, decoder)
    for stream, info in selection.ranges:
        if stream.type != CLOUD:
            yield _camera('depth camera', stream, info, found, decoder)
    yield from _transforms(selection, found, config)
    yield from _frames(recording, selection, config, slop_s, found)


def _topics(recording: Recording, overrides: Overrides) -> Iterator[Finding]:
    for sentence in recording.notes:
        yield Finding(Level.WARN, 'recording', sentence)
    for stream in read_streams(recording, overrides.frames, overrides.camera):
        size = f', {stream.size_px[0]}x{stream.size_px[1]}' if stream.size_px[0] else ''
        encoding = stream.encoding or stream.type.rpartition('/')[2]
        frame = f'frame "{stream.frame_id}"'
        level, remedy = Level.OK, ''
        if not stream.frame_id:
            level = Level.WARN
            remedy = f'Set it in the driver, or type --frame-override {stream.topic}=FRAME.'
        text = f'{stream.topic}: {stream.count} x {encoding}{size}, {frame}'
        qos = _offered(recording, stream.topic)
        yield Finding(level, 'topic', f'{text}{qos}', remedy)
    for topic in recording.topics:
        if not is_of_camera(topic.name, overrides.camera):
            continue
        if topic.type == INFO:
            yield Finding(Level.OK, 'topic', f'{topic.name}: {topic.count} x CameraInfo')
        elif not topic.count and topic.type in SENSORS:
            yield Finding(
                Level.WARN,
                'topic',
                f'{topic.name}: no messages{_offered(recording, topic.name)}',
                'Is the driver running, and on this machine or reachable?',
            )


def _offered(recording: Recording, topic: str) -> str:
    """Return the quality of service that the topic's publishers offer, where it is known."""
    offered = {
        profile.reliability.name.lower().replace('_', ' ') for profile in recording.offered(topic)
    }
    return f', {" and ".join(sorted(offered))}' if offered else ''


def _rate(subject: str, stream: Stream, stamps_ns: Stamps) -> Finding:
    if len(stamps_ns) < 2:
        return Finding(Level.WARN, subject, f'{stream.topic}: one message only, no rate')
    steps = np.diff(stamps_ns) * 1e-9
    if (steps < 0).any():
        return Finding(
            Level.WARN,
            subject,
            f'{stream.topic}: stamps go back {int((steps < 0).sum())} times',
            'Live, tracks start anew at each; let one driver only publish the topic.',
        )
    typical = float(np.median(steps))
    gaps = int((steps > 2.5 * typical).sum())
    rate_hz = 1.0 / max(typical, 1e-6)
    text = f'{stream.topic}: {rate_hz:.1f} Hz, {gaps} gaps, longest {steps.max():.2f} s'
    if rate_hz < _SLOWEST_HZ:
        return Finding(
            Level.WARN, subject, text, 'Objects that move are lost between frames so far apart.'
        )
    return Finding(Level.OK, subject, text)


def _sources(selection: Selection, config: PointmapConfig) -> Iterator[Finding]:
    """Say where range comes from, and what stands by."""
    first, *more = (stream.topic for stream, _ in selection.ranges) if selection.ranges else ('',)
    by = config.range if config.range not in ('auto', 'fused') else ''
    if not first:
        yield Finding(Level.OK, 'range', f'inferred from {selection.rgb.topic} by {by}')
    elif config.range == 'fused':
        yield Finding(Level.OK, 'range', f'fused from {", ".join((first, *more))}')
    else:
        text = f'from {first}' + (f' by {by}' if by else '')
        spare = f'; where it is silent or blind, from {" or ".join(more)}' if more else ''
        yield Finding(Level.OK, 'range', text + spare)


def _synchrony(first: str, second: str, found: Scan, slop_s: float) -> Finding:
    a, b = found.stamps_ns[first], found.stamps_ns[second]
    pairs = np.array(pair_all(a, b, round(slop_s * 1e9)).pairs, np.intp).reshape(-1, 2)
    if not len(pairs):
        nearest_s = smallest_gap(a, b) * 1e-9 if a.size and b.size else np.inf
        return Finding(
            Level.ERROR,
            'sync',
            f'no two stamps of {first} and {second} within {slop_s:g} s; nearest '
            f'{nearest_s:.3f} s',
            'Synchronise the clocks of the drivers (frame sync, chrony), raise --slop, or type '
            f'--stamp-offset {second}=SECONDS.',
        )
    apart = np.abs(a[pairs[:, 0]] - b[pairs[:, 1]]) * 1e-9
    share = len(pairs) / min(len(a), len(b))
    usual_ms, most_ms = np.median(apart) * 1e3, apart.max() * 1e3
    text = (
        f'{len(pairs)} of {len(a)} colour images have a partner, '
        f'stamps {usual_ms:.1f} ms apart (at most {most_ms:.1f})'
    )
    level = Level.OK if share > 0.5 else Level.WARN
    return Finding(level, 'sync', text, '' if share > 0.5 else 'Raise --slop or the slower rate.')


def _camera(
    subject: str, stream: Stream, topic: str | None, found: Scan, decoder: Decoder
) -> Finding:
    known = found.infos.get(topic or '', [])
    if not known:
        fits = subject == 'depth camera'
        text = f'no CameraInfo for {stream.topic}'
        remedy = 'Publish it beside the image; without, depth must be registered to colour.'
        return Finding(Level.WARN if fits else Level.ERROR, subject, text, remedy)
    try:
        lens = decoder.lens(known[0][1], stream.size_px, stream.topic)
    except Sam3dError as error:
        return _error(subject, error)
    return _judge(subject, lens, len(known))


def _judge(subject: str, lens: Lens, versions: int) -> Finding:
    camera: Camera = lens.rectified
    aside = max(
        abs(camera.cx / (camera.width - 1) - 0.5), abs(camera.cy / (camera.height - 1) - 0.5)
    )
    aspect = max(camera.fx / camera.fy, camera.fy / camera.fx)
    view_deg = 2 * np.degrees(np.arctan(camera.width / (2 * camera.fx)))
    how = 'pinhole' if lens.is_pinhole else f'{lens.model or "raw"}, will be rectified'
    text = (
        f'{camera.width}x{camera.height}, f {camera.fx:.1f} {camera.fy:.1f}, c {camera.cx:.1f} '
        f'{camera.cy:.1f} px, {view_deg:.0f} deg wide, {how}'
    )
    if versions > 1:
        text += f', {versions} versions'
    if aside > _LARGEST_OFFSET or aspect > _LARGEST_ASPECT:
        return Finding(
            Level.WARN, subject, text, 'An unusual camera: check that this CameraInfo is its own.'
        )
    return Finding(Level.OK, subject, text)


def _transforms(selection: Selection, found: Scan, config: PointmapConfig) -> Iterator[Finding]:
    tree, frame = found.tree, selection.rgb.frame_id
    for stream, _ in selection.ranges:
        if stream.frame_id != frame:
            yield _connection(tree, frame, stream.frame_id)
    if not tree.knows(frame):
        level = Level.ERROR if config.fixed_frame else Level.WARN
        is_followed = selection.depth is not None and follows(config, tree, frame, frame)
        who = 'own odometry follows the camera' if is_followed else 'it is the fixed frame itself'
        yield Finding(
            level,
            'TF',
            f'no transform names "{frame}"; {who}',
            'Fine for a depth camera in a hand, or one that stands still; on a robot, publish TF '
            'from a fixed frame to it.',
        )
        return
    try:
        fixed = config.fixed_frame or tree.root(frame)
        covered = tree.bounds(fixed, frame)
    except Sam3dError as error:
        yield _error('TF', error)
        return
    chain = ' <- '.join(reversed(tree.ancestors(frame)))
    if covered is None:
        yield Finding(Level.OK, 'TF', f'{chain}, all static; fixed frame "{fixed}"')
        return
    stamps = found.stamps_ns[selection.rgb.topic]
    share = float(np.mean((stamps >= covered[0]) & (stamps <= covered[1])))
    text = f'{chain}; fixed frame "{fixed}", known for {share:.0%} of the colour images'
    level = Level.OK if share > 0.9 else Level.WARN if share > 0 else Level.ERROR
    remedy = '' if share > 0.9 else 'Images outside are left out: check clocks and rate of /tf.'
    yield Finding(level, 'TF', text, remedy)


def _connection(tree: TransformTree, frame: str, other: str) -> Finding:
    try:
        tree.bounds(frame, other)
    except Sam3dError as error:
        remedy = 'Publish it, or let the driver register depth (realsense: align_depth.enable).'
        return Finding(
            Level.ERROR, 'TF', f'depth is in "{other}", colour in "{frame}": {error}', remedy
        )
    return Finding(Level.OK, 'TF', f'depth in "{other}" will be registered to "{frame}"')


def _frames(
    recording: Recording, selection: Selection, config: PointmapConfig, slop_s: float, found: Scan
) -> Iterator[Finding]:
    """Build the first frames, as the pipeline would."""
    known = {*recording.notes, *selection.left_out, *found.notes}
    notes = Notes()
    try:
        reader = FrameReader(recording, selection, config, slop_s, notes, found)
        tried = list(islice(iter(reader), _FRAMES_TRIED))
    except Sam3dError as error:
        yield _error('frames', error)
        return
    built = [item for item in tried if isinstance(item, Frame)]
    for item in tried:
        if isinstance(item, BadFrame):
            yield Finding(Level.WARN if built else Level.ERROR, 'frames', item.reason)
    for sentence in notes.sentences:
        if sentence not in known and not (reader.is_followed and AT_WORK in sentence):
            yield Finding(Level.WARN, 'frames', sentence)
    for frame in built[:1]:
        yield _coverage(frame, config)
        if selection.depth is not None:
            text, remedy = noise_report(reader, config)
            yield Finding(Level.WARN if remedy else Level.OK, 'depth noise', text, remedy)
    if reader.is_followed:
        yield _odometry(reader)


def _odometry(reader: FrameReader) -> Finding:
    """Follow the camera through the first frames by own odometry."""
    items = list(islice(iter(reader), _FRAMES_FOLLOWED))
    frames = [item for item in items if isinstance(item, Frame)]
    way = OwnWay()
    for frame in frames:
        way.add(frame)
    text = f'own odometry follows {len(frames)} of the first {len(items)} frames; {way.sentence}'
    if len(frames) == len(items):
        return Finding(Level.OK, 'odometry', text)
    reason = next(item.reason for item in items if isinstance(item, BadFrame))
    return Finding(Level.WARN, 'odometry', f'{text}; {reason}', 'Move the camera more slowly.')


def _coverage(frame: Frame, config: PointmapConfig) -> Finding:
    depth = frame.depth_m[~np.isnan(frame.depth_m)]
    limits = f'[{config.min_depth_m:g}, {config.max_depth_m:g}] m'
    if not depth.size:
        return Finding(
            Level.ERROR,
            'frames',
            f'no depth within {limits} in the first frame',
            'Check the depth topic and --depth-unit; 16UC1 is millimetres, 32FC1 metres.',
        )
    share = depth.size / frame.depth_m.size
    low, middle, high = np.percentile(depth, [5, 50, 95])
    text = f'{share:.0%} of the pixels have depth: {low:.2f} .. {middle:.2f} .. {high:.2f} m'
    up = 'gravity from TF' if frame.up_cam is not None else 'gravity unknown, supports tell up'
    level = Level.OK if share > _SMALLEST_COVERAGE else Level.WARN
    return Finding(level, 'frames', f'{text}; {up}')


def _error(subject: str, error: Sam3dError) -> Finding:
    wanted = f'; wanted {error.wanted}' if error.wanted else ''
    return Finding(Level.ERROR, subject, f'{error.seen}{wanted}', error.remedy)
