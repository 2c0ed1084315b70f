# SPDX-License-Identifier: Apache-2.0
"""Find what a phrase means: in the folder of a scene, or in a recording, processed first."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

from sam3d_ros.bags.recording import Recording
from sam3d_ros.bags.scan import SLOP_S
from sam3d_ros.cli.console import progress
from sam3d_ros.core.errors import NotFoundError
from sam3d_ros.core.notes import Notes
from sam3d_ros.core.types import Frame, Scene
from sam3d_ros.export import scene_json
from sam3d_ros.language.grammar import UnknownWordsError
from sam3d_ros.language.grounding import Answer, find
from sam3d_ros.pipeline.cameras import in_stamp_order, read_cameras
from sam3d_ros.pipeline.frames import overrides_of
from sam3d_ros.session.config import load_config
from sam3d_ros.session.session import Session
from sam3d_ros.viewer.answer import write_answer


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``sam3d find``."""
    parser.add_argument(
        'place',
        type=Path,
        metavar='DIR|RECORDING',
        help='what process or save wrote, or a recording',
    )
    parser.add_argument(
        'phrase', nargs='?', default='', help='an English noun phrase, e.g. "the blue cup"'
    )
    for name, text in (('like', 'means'), ('unlike', 'does not mean')):
        parser.add_argument(
            f'--{name}', type=int, action='append', default=[], metavar='ID',
            help=f'an object that shows what it {text}; repeatable',
        )  # fmt: skip
    parser.add_argument('--config', type=Path, metavar='YAML', help='a ROS parameter file')
    parser.add_argument(
        '--picture', type=Path, metavar='PNG', help='draw what was found, the rest in grey'
    )
    parser.add_argument('--json', action='store_true', help='print the answer as JSON')


def run(args: argparse.Namespace) -> int:
    """Find objects; 0 whether or not there are any."""
    scene = _scene(args)
    unknown: tuple[str, ...] = ()
    try:
        answer = find(scene, args.phrase, args.like, args.unlike)
    except UnknownWordsError as error:
        if not args.json:
            raise
        print(f'sam3d find: {error}', file=sys.stderr)
        answer, unknown = Answer(args.phrase.strip(), 0.0), error.words
    if args.picture is not None:
        write_answer(args.picture, scene, [item.id for item in answer.objects])
    if args.json:
        objects = [
            {'id': str(item.id), 'score': round(item.score, 4), 'why': item.why}
            for item in answer.objects
        ]
        tree = {
            'phrase': answer.phrase,
            'presence': round(answer.presence, 4),
            'objects': objects,
            'frame': answer.frame,
            'unknown_words': list(unknown),
        }
        print(json.dumps(tree))
    else:
        for item in answer.objects:
            print(f'{item.id}\t{item.score:.2f}\t{item.why}')
        seen = 'as the camera sees it' if answer.frame == 'camera' else answer.frame
        print(f'presence {answer.presence:.2f}' + f', {seen}' * bool(seen), file=sys.stderr)
    return 0


def _say(text: str) -> None:
    print(f'note: {text}', file=sys.stderr)


def _scene(args: argparse.Namespace) -> Scene:
    """Return the scene of a folder, or what a recording ends with."""
    if (args.place / scene_json.FILE).is_file():
        return scene_json.read_scene_json(args.place)
    config = load_config(args.config)
    config = replace(config, session=replace(config.session, folder=''))
    session = Session.from_config(config, _say)
    scene: Scene | None = None
    with Recording(args.place) as recording:
        overrides = overrides_of(recording, config.pointmaps)
        cameras = read_cameras(recording, [''], config.pointmaps, SLOP_S, Notes(_say), overrides)
        total = sum(map(len, cameras.values()))
        with progress('frames processed') as show:
            for number, frame in enumerate(in_stamp_order(cameras), 1):
                if isinstance(frame, Frame):
                    scene = session.step(frame).scene
                show(number, total)
    session.close()
    if scene is None:
        raise NotFoundError(f'no frame of {args.place} could be used')
    return scene
