# SPDX-License-Identifier: Apache-2.0
"""Process a recording offline: every frame, in stamp order, through the stages of the nodes.

Writes scene.json, meshes/, scene.glb, result/ (a recording of every output) and report.json.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from time import perf_counter

from sam3d_ros.bags.recording import Recording
from sam3d_ros.bags.selection import select
from sam3d_ros.cli.inputs import add_reading_arguments, add_topic_arguments, reading_config
from sam3d_ros.core.config import build, flatten
from sam3d_ros.core.errors import ConfigurationError, RecordingError, Sam3dError
from sam3d_ros.core.notes import Notes
from sam3d_ros.core.types import Frame
from sam3d_ros.export import report, scene_files, scene_json
from sam3d_ros.export.report import Report
from sam3d_ros.export.results import ResultRecording
from sam3d_ros.messages.config import OutputConfig
from sam3d_ros.pipeline.config import PipelineConfig, load_config, parameters
from sam3d_ros.pipeline.frames import BadFrame, FrameReader, overrides_of
from sam3d_ros.pipeline.pipeline import FrameResult, Pipeline

RESULT = 'result'
SNAPSHOT = 'snapshot.png'
OUTPUTS = (
    scene_json.FILE,
    scene_files.SCENE_GLB,
    f'{scene_files.MESHES}/*.ply',
    f'{scene_files.MESHES}/*.glb',
    f'{RESULT}/{RESULT}.mcap',
    f'{RESULT}/metadata.yaml',
    report.FILE,
    SNAPSHOT,
)
"""What a run writes, and so what the next run takes away first."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``sam3d process``."""
    parser.add_argument('recording', type=Path, help='rosbag2 folder, .mcap, .db3 or ROS 1 .bag')
    parser.add_argument('--out', type=Path, required=True, metavar='DIR', help='results go here')
    parser.add_argument('--config', type=Path, metavar='YAML', help='a ROS parameter file')
    add_topic_arguments(parser)
    add_reading_arguments(parser)
    parser.add_argument('--fixed-frame', default='', metavar='F', help='frame to keep objects in')
    parser.add_argument(
        '--pointmaps', action='store_true', help='put the point clouds into result/ too'
    )
    parser.add_argument(
        '--snapshot', action='store_true', help=f'render the last frame into {SNAPSHOT}'
    )


def run(args: argparse.Namespace) -> int:
    """Process a recording; 0 when at least one frame was processed."""
    config, outputs = read_config(args.config, args.fixed_frame)
    config = replace(config, pointmaps=reading_config(args, config.pointmaps))
    notes = Notes(lambda text: _say(f'\rnote: {text}\n'))
    with Recording(args.recording) as recording:
        overrides = overrides_of(
            recording,
            config.pointmaps,
            rgb=args.rgb,
            depth=args.depth,
            info=args.info,
            points=args.points,
        )
        selection = select(recording, overrides)
        frames = FrameReader(recording, selection, config.pointmaps, args.slop, notes)
        _announce(frames)
        prepare(args.out)
        collected = Report(refused=list(frames.scan.refused))
        pipeline = Pipeline.from_config(config)
        transforms = frames.scan.transforms
        with ResultRecording(
            args.out / RESULT, transforms, outputs, pointmaps=args.pointmaps
        ) as result_recording:
            last = process_all(frames, pipeline, collected, result_recording)
        for sentence in recording.notes:
            notes.add(sentence)
        if last is not None:
            last = replace(last, scene=pipeline.textured(last.scene))
    _finish(args, config, frames, collected, last)
    return 0


def read_config(path: Path | None, fixed_frame: str) -> tuple[PipelineConfig, OutputConfig]:
    """Return the stages' and the outputs' options of a YAML file.

    :raises ConfigurationError: when a value is unknown, of the wrong type or out of range.
    """
    config = load_config(path)
    if fixed_frame:
        config = replace(config, pointmaps=replace(config.pointmaps, fixed_frame=fixed_frame))
    group = parameters(path).get('outputs', {}) if path else {}
    if not isinstance(group, dict):
        raise ConfigurationError(f'outputs = {group!r}', wanted='a group of options')
    return config, build(OutputConfig, group, 'outputs.')


def prepare(folder: Path) -> None:
    """Make the output folder and take away what an earlier run left in it, and nothing else.

    :raises ConfigurationError: when the folder of the result recording holds other files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for pattern in OUTPUTS:
        for path in folder.glob(pattern):
            path.unlink()
    result = folder / RESULT
    if result.is_dir() and any(result.iterdir()):
        raise ConfigurationError(
            f'{result} holds other files than a result recording',
            wanted='a folder for the results alone',
            remedy='Choose another --out.',
        )
    if result.is_dir():
        result.rmdir()


def process_all(
    frames: FrameReader, pipeline: Pipeline, collected: Report, out: ResultRecording
) -> FrameResult | None:
    """Process and write every frame; return what is known after the last that could be processed.

    A frame that fails is reported and the next one goes on.
    """
    last = None
    coming = iter(frames)
    for number in range(1, len(frames) + 1):
        start_s = perf_counter()
        try:
            frame = next(coming)
        except RecordingError as error:
            collected.refused.append(f'frames {number} to {len(frames)}: {error}')
            _say(f'\nframes {number} to {len(frames)} left out: {error}\n')
            break
        read_s = perf_counter() - start_s
        result = process_frame(pipeline, frame)
        if isinstance(result, BadFrame):
            collected.bad.append(result)
            _say(f'\rframe {number} at {result.stamp_ns} ns left out: {result.reason}\n')
            continue
        start_s = perf_counter()
        out.write(result)
        collected.add(result, read_s, perf_counter() - start_s)
        known = len(result.scene.objects)
        _say(f'\r{number}/{len(frames)} frames, {known} objects ', only_terminal=True)
        last = result
    return last


def process_frame(pipeline: Pipeline, frame: Frame | BadFrame) -> FrameResult | BadFrame:
    """Run the stages on a frame; what cannot be used comes back as the reason."""
    if isinstance(frame, BadFrame):
        return frame
    try:
        return pipeline.process(frame)
    except Sam3dError as error:
        return BadFrame(frame.stamp_ns, str(error))


def _announce(frames: FrameReader) -> None:
    chosen, pairing = frames.selection, frames.pairing
    _say(f'colour {chosen.rgb.topic} ({chosen.rgb.encoding}), info {chosen.rgb_info}\n')
    kind = 'points' if chosen.points else 'depth'
    _say(f'{kind} {chosen.geometry.topic} ({chosen.geometry.encoding or "PointCloud2"})\n')
    _say(f'{len(frames)} frames, fixed frame {frames.fixed_frame}\n')
    if pairing.alone_first or pairing.alone_second:
        _say(
            f'without a partner: {pairing.alone_first} colour images, {pairing.alone_second} '
            f'of {kind}\n'
        )
    for sentence in frames.scan.refused[:5]:
        _say(f'not used: {sentence}\n')


def _finish(
    args: argparse.Namespace,
    config: PipelineConfig,
    frames: FrameReader,
    collected: Report,
    last: FrameResult | None,
) -> None:
    chosen = frames.selection
    topics = {'rgb': chosen.rgb.topic, 'info': chosen.rgb_info}
    topics['points' if chosen.points else 'depth'] = chosen.geometry.topic
    values = flatten(config)
    backends = {
        name.partition('.')[0]: str(value)
        for name, value in values.items()
        if name.endswith('.backend')
    }
    collected.notes += frames.notes.sentences
    collected.write(args.out, topics, frames.pairing, backends, values)
    if last is None:
        reasons = [item.reason for item in collected.bad] + collected.refused
        raise RecordingError(
            f'none of {len(frames)} frames could be processed; the first: {reasons[0]}',
            wanted='at least one',
        )
    scene_files.write_scene(last.scene, args.out)
    if args.snapshot:
        from sam3d_ros.viewer.snapshot import write_snapshot

        write_snapshot(args.out / SNAPSHOT, last.frame, last.tracks, last.scene)
    bad = f', {len(collected.bad)} left out' if collected.bad else ''
    _say(f'\r{collected.frames} frames{bad}, {len(last.scene.objects)} objects: {args.out}\n')


def _say(text: str, *, only_terminal: bool = False) -> None:
    """Report progress; lines that overwrite themselves go to terminals alone."""
    if only_terminal and not sys.stderr.isatty():
        return
    sys.stderr.write(text)
    sys.stderr.flush()
