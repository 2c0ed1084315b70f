# SPDX-License-Identifier: Apache-2.0
"""Process a recording offline: every frame, in stamp order, through the stages of the nodes.

Writes scene.json, meshes/, scene.glb, result/ (a recording of every output) and report.json.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from time import perf_counter

from sam3d_ros.bags.recording import Recording
from sam3d_ros.cli.console import objects_table, print_table, progress, working
from sam3d_ros.cli.inputs import (
    add_camera_argument,
    add_reading_arguments,
    add_topic_arguments,
    named_topics,
    reading_config,
)
from sam3d_ros.cli.recordings.prompts import Asked, add_prompt_arguments, asked_of, prompt_config
from sam3d_ros.core.config import flatten
from sam3d_ros.core.corrections import Correction
from sam3d_ros.core.errors import (
    BackendError,
    ConfigurationError,
    PromptError,
    RecordingError,
    Sam3dError,
)
from sam3d_ros.core.notes import Notes
from sam3d_ros.core.types import ExemplarPrompt, Frame, Scene
from sam3d_ros.export import scene_files, scene_json
from sam3d_ros.pipeline.cameras import in_stamp_order, read_cameras, transforms_of
from sam3d_ros.pipeline.frames import BadFrame, FrameReader
from sam3d_ros.reconstruction.appearance.splat_refinement import can_refine
from sam3d_ros.reconstruction.appearance.splats import with_gaussians
from sam3d_ros.reconstruction.appearance.texture import with_textures
from sam3d_ros.session.config import Config, load_config
from sam3d_ros.session.prompts.standing import serves_concepts
from sam3d_ros.session.result import FrameResult
from sam3d_ros.session.session import Session
from sam3d_ros.sinks import report
from sam3d_ros.sinks.bag import BagSink
from sam3d_ros.sinks.folder import FolderSink
from sam3d_ros.sinks.report import CameraInputs, Report
from sam3d_ros.sinks.rerun import RerunSink
from sam3d_ros.sinks.sink import Sink

RESULT = 'result'
SNAPSHOT = 'snapshot.png'
OUTPUTS = (
    scene_json.FILE,
    scene_files.SCENE_GLB,
    f'{scene_files.MESHES}/*.ply',
    f'{scene_files.MESHES}/*.glb',
    f'{scene_files.GAUSSIANS}/*.ply',
    scene_files.SCENE_GAUSSIANS,
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
    add_camera_argument(parser)
    add_reading_arguments(parser)
    add_prompt_arguments(parser)
    parser.add_argument('--fixed-frame', default='', metavar='F', help='frame to keep objects in')
    parser.add_argument(
        '--pointmaps', action='store_true', help='put the point clouds into result/ too'
    )
    parser.add_argument(
        '--gaussians',
        action='store_true',
        help='write the objects as 3D Gaussians too; with gsplat and a GPU, trained on the views',
    )
    parser.add_argument(
        '--rrd', type=Path, metavar='FILE', help='write a recording for the Rerun viewer too'
    )
    parser.add_argument(
        '--snapshot',
        action=argparse.BooleanOptionalAction,
        default=True,
        help=f'render the last frame into {SNAPSHOT}',
    )


def run(args: argparse.Namespace) -> int:
    """Process a recording; 0 when at least one frame was processed."""
    config = load_config(args.config)
    config = replace(
        config,
        pointmaps=reading_config(args, config.pointmaps),
        prompts=prompt_config(args, config.prompts),
    )
    notes = Notes(lambda text: _say(f'note: {text}\n'))
    with Recording(args.recording) as recording:
        overrides = named_topics(args, recording, config.pointmaps)
        with working('reading stamps and transforms'):
            readers = read_cameras(
                recording, args.camera or [''], config.pointmaps, args.slop, notes, overrides
            )
        _announce(readers)
        first = next(iter(readers.values()))
        corrects = args.correct is not None
        last_asked = len(first) - 1 - corrects  # a correction shows in the frames after
        if not 0 <= args.prompt_frame <= last_asked:
            raise PromptError(
                f'--prompt-frame {args.prompt_frame}',
                wanted=f'0 to {last_asked}, a frame of the recording'
                + ' before the last' * corrects,
            )
        prepare(args.out)
        refused = (text for reader in readers.values() for text in reader.scan.refused)
        collected = Report(
            refused=list(dict.fromkeys(refused)), recording=str(args.recording.absolute())
        )
        session = Session.from_config(config, notes.add)

        def finished(scene: Scene) -> Scene:
            sources = session.texture_sources(scene)
            textured = with_textures(scene, sources)
            return with_gaussians(textured, sources) if args.gaussians else textured

        if args.gaussians and not can_refine():
            notes.add('no gsplat with a GPU: Gaussians cover the meshes and are not trained')
        folder = FolderSink(args.out, finished)
        sinks: list[Sink] = [folder] if args.rrd is None else [folder, RerunSink(args.rrd)]
        with BagSink(
            args.out / RESULT,
            transforms_of(readers.values()),
            config.outputs,
            config.tf,
            pointmaps=args.pointmaps,
            cameras=[reader.camera_id for reader in readers.values()],
        ) as bag:
            asked = {(first.camera_id, args.prompt_frame): asked_of(args)}
            with progress('frames processed') as show:
                last = process_all(readers, session, collected, (bag, *sinks), asked, show)
        for sentence in recording.notes:
            notes.add(sentence)
        with working('writing the scene'):
            for sink in sinks:
                sink.close()
        session.close()
    collected.notes += notes.sentences
    _finish(args, config, readers, collected, last)
    return 0


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
    readers: Mapping[str, FrameReader],
    session: Session,
    collected: Report,
    sinks: Sequence[Sink],
    asked: Mapping[tuple[str, int], Asked],
    show: Callable[[int, int], None] = lambda done, total: None,
) -> FrameResult | None:
    """Process and write every frame; return what is known after the last that could be processed.

    A frame that fails is reported and the next one goes on.

    :param readers: of one recording, by camera; their frames come in stamp order.
    :param session: takes them.
    :param collected: is told how long everything took, and what was left out.
    :param sinks: take what the session makes of each frame.
    :param asked: by camera and number of its frame, from 0, that the pixels are of.
    :param show: is told how many frames are done, of how many.
    :raises PromptError: when a prompt cannot be served.
    :raises NotFoundError: when an object that is to be corrected is not known.
    """
    last = None
    coming = in_stamp_order(readers)
    total = sum(map(len, readers.values()))
    taken: Counter[str] = Counter()
    for number in range(total):
        start_s = perf_counter()
        try:
            frame = next(coming)
        except RecordingError as error:
            collected.refused.append(f'frames {number + 1} to {total}: {error}')
            _say(f'frames {number + 1} to {total} left out: {error}\n')
            break
        read_s = perf_counter() - start_s
        camera = frame.camera_id
        result = process_frame(session, frame, asked.get((camera, taken[camera]), Asked()))
        taken[camera] += 1
        if isinstance(result, BadFrame):
            collected.bad.append(result)
            whose = f' of {camera}' if camera else ''
            text = f'frame {number + 1}{whose} at {result.stamp_ns} ns left out'
            _say(f'{text}: {result.reason}\n')
            show(number + 1, total)
            continue
        start_s = perf_counter()
        for sink in sinks:
            sink.write(result)
        collected.add(result, read_s, perf_counter() - start_s)
        show(number + 1, total)
        last = result
    return last


def process_frame(
    session: Session, frame: Frame | BadFrame, asked: Asked
) -> FrameResult | BadFrame:
    """Have a session take a frame; what cannot be used comes back as the reason.

    :param session: takes it.
    :param frame: or the reason why it could not be made.
    :param asked: what is asked about it.
    :raises PromptError: when a prompt cannot be served, or the frame it is of is bad.
    :raises NotFoundError: when the object that is to be corrected is not known.
    """
    if isinstance(frame, BadFrame):
        if asked.prompts:
            raise PromptError(
                f'the frame that prompts are of cannot be used: {frame.reason}',
                remedy='Name another one by --prompt-frame.',
            )
        return frame
    # What known objects answer, and what corrects one of them, is asked when the frame is known.
    is_late = asked.object_id is not None or (
        any(isinstance(prompt, ExemplarPrompt) for prompt in asked.prompts)
        and not serves_concepts(session.segmenter)
    )
    try:
        result = session.step(frame, prompts=() if is_late else asked.prompts)
    except PromptError:
        raise
    except Sam3dError as error:
        return BadFrame(frame.stamp_ns, str(error), frame.camera_id)
    if asked.object_id is not None:
        (prompt,) = asked.prompts
        assert not isinstance(prompt, Correction)
        session.correct(asked.object_id, prompt)
    elif is_late:
        for prompt in asked.prompts:
            session.prompt(prompt)
        result = replace(result, scene=session.scene() or result.scene)
    return result


def _announce(readers: Mapping[str, FrameReader]) -> None:
    for camera, frames in readers.items():
        chosen, pairing = frames.selection, frames.pairing
        whose = f'{camera}: ' if camera else ''
        _say(f'{whose}colour {chosen.rgb.topic} ({chosen.rgb.encoding}), info {chosen.rgb_info}\n')
        kind = 'points' if chosen.points else 'depth'
        for stream, _ in chosen.ranges:
            what = 'depth' if stream.encoding else 'points'
            _say(f'{whose}{what} {stream.topic} ({stream.encoding or "PointCloud2"})\n')
        fixed = 'of own odometry' if frames.is_followed else frames.fixed_frame
        _say(f'{whose}{len(frames)} frames, fixed frame {fixed}\n')
        if pairing.alone_first or pairing.alone_second:
            _say(
                f'{whose}without a partner: {pairing.alone_first} colour images, '
                f'{pairing.alone_second} of {kind}\n'
            )
        for sentence in frames.scan.refused[:5]:
            _say(f'{whose}not used: {sentence}\n')


def _finish(
    args: argparse.Namespace,
    config: Config,
    readers: Mapping[str, FrameReader],
    collected: Report,
    last: FrameResult | None,
) -> None:
    inputs = {}
    for camera, reader in readers.items():
        chosen = reader.selection
        topics = {'rgb': chosen.rgb.topic, 'info': chosen.rgb_info}
        if chosen.ranges:
            topics['points' if chosen.points else 'depth'] = chosen.ranges[0][0].topic
        if chosen.more:
            topics['more'] = ' '.join(stream.topic for stream in chosen.more)
        inputs[camera] = CameraInputs(topics, reader.pairing)
    values = flatten(config)
    backends = {
        name.partition('.')[0]: str(value)
        for name, value in values.items()
        if name.endswith('.backend')
    }
    collected.write(args.out, inputs, backends, values)
    if last is None:
        reasons = [item.reason for item in collected.bad] + collected.refused
        total = sum(map(len, readers.values()))
        raise RecordingError(
            f'none of {total} frames could be processed; the first: {reasons[0]}',
            wanted='at least one',
        )
    print_table(objects_table(last.scene))
    if args.snapshot:
        from sam3d_ros.viewer.snapshot import write_snapshot

        try:
            with working('drawing the picture'):
                write_snapshot(args.out / SNAPSHOT, last.frame, last.tracks, last.scene)
            _say(f'picture: {args.out / SNAPSHOT}\n')
        except BackendError as error:
            _say(f'no picture: {error}\n')
    bad = f', {len(collected.bad)} left out' if collected.bad else ''
    _say(f'{collected.frames} frames{bad}, {len(last.scene.objects)} objects: {args.out}\n')


def _say(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()
