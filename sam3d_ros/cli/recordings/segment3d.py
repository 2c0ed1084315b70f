# SPDX-License-Identifier: Apache-2.0
"""One click to one object everywhere: its mask in every frame of a recording, and its points.

Writes masks/<k>.png (255 = the object) for every frame, object.ply (points with normals, colours
and confidence) and object_gaussians.ply (for viewers of Gaussian splats), both in the fixed frame.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np

from sam3d_ros.bags.recording import Recording
from sam3d_ros.cli.console import progress
from sam3d_ros.cli.inputs import (
    add_reading_arguments,
    add_topic_arguments,
    named_topics,
    reading_config,
)
from sam3d_ros.cli.recordings.prompts import add_pixel_prompt_arguments, pixel_prompts
from sam3d_ros.core.errors import PromptError
from sam3d_ros.core.notes import Notes
from sam3d_ros.core.registry import make_backend
from sam3d_ros.core.types import Frame
from sam3d_ros.export.surfel_ply import write_gaussians, write_points
from sam3d_ros.masks3d.propagation import READS, ObjectInViews, find_in_views
from sam3d_ros.pipeline.cameras import read_cameras
from sam3d_ros.pipeline.frames import BadFrame
from sam3d_ros.session.config import load_config

MASKS = 'masks'
POINTS = 'object.ply'
GAUSSIANS = 'object_gaussians.ply'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``sam3d segment3d``."""
    parser.add_argument('recording', type=Path, help='rosbag2 folder, .mcap, .db3 or ROS 1 .bag')
    parser.add_argument('--out', type=Path, required=True, metavar='DIR', help='results go here')
    parser.add_argument('--config', type=Path, metavar='YAML', help='a ROS parameter file')
    add_pixel_prompt_arguments(parser)
    add_topic_arguments(parser)
    add_reading_arguments(parser)
    parser.add_argument('--fixed-frame', default='', metavar='F', help='frame of the points')


def run(args: argparse.Namespace) -> int:
    """Find one object in every frame; 0 when it was found."""
    prompts = pixel_prompts(args)
    if len(prompts) != 1:
        raise PromptError(
            f'{len(prompts)} objects asked for',
            wanted='one',
            remedy='Give one --point U,V, with U,V,0 for what it does not mean, or one --box.',
        )
    config = load_config(args.config)
    pointmaps = reading_config(args, config.pointmaps)
    notes = Notes(lambda text: _say(f'note: {text}\n'))
    with Recording(args.recording) as recording:
        overrides = named_topics(args, recording, pointmaps)
        (reader,) = read_cameras(recording, [''], pointmaps, args.slop, notes, overrides).values()
        segmenter = make_backend('segmentation', config.segmentation.backend, config.segmentation)
        reads, total = itertools.count(1), (READS + 1) * len(reader)
        with progress('views read') as show:

            def read() -> Iterator[Frame | BadFrame]:
                for frame in reader:
                    show(next(reads), total)
                    yield frame

            found = find_in_views(
                lambda: _views(read()), args.prompt_frame, prompts[0], segmenter, config.masks3d
            )
            seen, count = _write(args.out, read(), found)
            show(total, total)
    if found.rejected:
        _say(f'frames whose own answer did not agree: {", ".join(map(str, found.rejected))}\n')
    _say(f'\rseen in {seen} of {len(reader)} frames, {count} points: {args.out}\n')
    return 0


def _views(frames: Iterable[Frame | BadFrame]) -> Iterator[tuple[int, Frame]]:
    """Yield the frames that could be made, numbered as they come."""
    for number, frame in enumerate(frames):
        if isinstance(frame, Frame):
            yield number, frame


def _write(
    folder: Path, frames: Iterable[Frame | BadFrame], found: ObjectInViews
) -> tuple[int, int]:
    """Write what was found; return in how many frames it is seen, and how many points it has.

    A frame that could not be made has no mask; the numbers of the others stay.
    """
    masks = folder / MASKS
    masks.mkdir(parents=True, exist_ok=True)
    for old in masks.glob('*.png'):
        old.unlink()
    seen = 0
    for number, frame in enumerate(frames):
        if isinstance(frame, BadFrame):
            _say(f'frame {number} left out: {frame.reason}\n')
            continue
        mask = found.mask_in(number, frame)
        seen += bool(mask.any())
        cv2.imwrite(str(masks / f'{number}.png'), mask.astype(np.uint8) * 255)
    surfels, confidence = found.surfels()
    write_points(folder / POINTS, surfels, confidence)
    write_gaussians(folder / GAUSSIANS, surfels, confidence)
    return seen, len(surfels)


def _say(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()
