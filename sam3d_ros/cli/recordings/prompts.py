# SPDX-License-Identifier: Apache-2.0
"""Prompts on the command line: what to look for in a recording, and nothing else."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from pathlib import Path

import cv2

from sam3d_ros.core.corrections import Correction
from sam3d_ros.core.errors import PromptError
from sam3d_ros.core.types import BoxPrompt, BoxPx, ExemplarPrompt, MaskPrompt, PointPrompt, Prompt
from sam3d_ros.session.config import PromptConfig
from sam3d_ros.session.prompts.answers import LEVELS


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked about one frame.

    :param prompts: in its pixels; then what is said about the answer to the last of them.
    :param object_id: the object that the only prompt corrects; None = the prompts are looked for.
    """

    prompts: tuple[Prompt | Correction, ...] = ()
    object_id: int | None = None


def add_prompt_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options that say what to look for; without them, everything."""
    parser.add_argument(
        '--text',
        default='',
        metavar='PHRASE[,PHRASE]',
        help='list only what these noun phrases mean, e.g. "the red cup left of the box"',
    )
    for name, text in (('like', 'that is meant'), ('unlike', 'that is not meant')):
        parser.add_argument(
            f'--{name}', action='append', type=shown, default=[], metavar='U,V|L,T,R,B',
            help=f'list only what is like a thing shown by a click or by a box around it, px: one '
            f'{text}; with --text, what answers to its phrase as well; repeatable',
        )  # fmt: skip
    add_pixel_prompt_arguments(parser)
    parser.add_argument(
        '--also',
        action='append',
        type=point,
        default=[],
        metavar='U,V[,LABEL]',
        help='corrects what the last prompt was answered with, as a second click does: this is on '
        'it too, with label 0 it is not; repeatable',
    )
    parser.add_argument(
        '--choose',
        choices=LEVELS,
        default='',
        help='of what a single --point may mean, this instead of the likeliest',
    )
    parser.add_argument(
        '--apart',
        action='store_true',
        help='what was chosen is an object by itself, whatever it is a part of',
    )
    parser.add_argument(
        '--correct',
        type=int,
        metavar='ID',
        help='with one --point, --box or --mask: list everything, but from the frame after '
        '--prompt-frame on the object ID is what lies there',
    )


def add_pixel_prompt_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options that point at something in a frame."""
    parser.add_argument(
        '--point',
        action='append',
        type=point,
        default=[],
        metavar='U,V[,LABEL]',
        help='what lies here and nothing else, px; label 0: not what lies here, but what the '
        'point before it means; repeatable',
    )
    parser.add_argument(
        '--box',
        action='append',
        type=box,
        default=[],
        metavar='L,T,R,B',
        help='what is in this box and nothing else, px; repeatable',
    )
    parser.add_argument(
        '--mask',
        action='append',
        type=mask,
        default=[],
        metavar='IMAGE',
        help='what this mask covers and nothing else, an image file whose pixels above 0 are set; '
        'repeatable',
    )
    parser.add_argument(
        '--prompt-frame',
        type=int,
        default=0,
        metavar='K',
        help='frame that points, boxes and masks are of, from 0 (%(default)s); one of the first '
        'camera',
    )


def prompt_config(args: argparse.Namespace, config: PromptConfig) -> PromptConfig:
    """Return what is looked for from the start, the command line's over the configuration's.

    :param args: parsed from :func:`add_prompt_arguments`.
    :param config: from a file, or the defaults.
    """
    if args.like:
        return replace(config, text='', alike=True)
    asked = bool(args.text or (asked_of(args).prompts and args.correct is None))
    return replace(config, text=args.text or config.text, only=config.only or asked)


def asked_of(args: argparse.Namespace) -> Asked:
    """Return what is asked about the frame of the prompts.

    :param args: parsed from :func:`add_prompt_arguments`.
    :raises PromptError: when an object is to be corrected by none or several of them.
    """
    prompts = pixel_prompts(args)
    told = corrections(args)
    if args.like or args.unlike:
        if not args.like or prompts or told or args.correct is not None or ',' in args.text:
            raise PromptError(
                'an exemplar with other prompts, or of what is not meant alone',
                wanted='--like, with --unlike and one phrase of --text or without',
                remedy='Run process once for each.',
            )
        first, *more = args.like
        return Asked((ExemplarPrompt(first, None, args.text, tuple(more), tuple(args.unlike)),))
    if told and (not prompts or args.correct is not None):
        raise PromptError(
            '--also, --choose or --apart without a prompt that they are about',
            wanted='--point, --box or --mask, and no --correct',
        )
    if args.correct is not None and len(prompts) != 1:
        raise PromptError(
            f'--correct {args.correct} with {len(prompts)} prompts',
            wanted='one: --point (and points of label 0 after it), --box or --mask',
        )
    return Asked((*prompts, *told), args.correct)


def corrections(args: argparse.Namespace) -> tuple[Correction, ...]:
    """Return what is said about the answer to the last prompt, a click at a time.

    :param args: parsed from :func:`add_prompt_arguments`.
    """
    chosen = Correction(choice=args.choose, apart=args.apart)
    clicks = [Correction(points_px=((u, v),), labels=(label,)) for u, v, label in args.also]
    return (*[chosen] * (chosen != Correction()), *clicks)


def pixel_prompts(args: argparse.Namespace) -> tuple[Prompt, ...]:
    """Return the prompts in pixels; a point with label 0 belongs to the one before it.

    :param args: parsed from :func:`add_pixel_prompt_arguments`.
    """
    groups: list[list[tuple[float, float, int]]] = []
    for item in args.point:
        if item[2] or not groups:
            groups.append([])
        groups[-1].append(item)
    points = [
        PointPrompt(tuple((u, v) for u, v, _ in group), tuple(label for *_, label in group))
        for group in groups
    ]
    return (*points, *(BoxPrompt(edges) for edges in args.box), *args.mask)


def point(text: str) -> tuple[float, float, int]:
    """Return column, row and label of ``U,V[,LABEL]``.

    :raises argparse.ArgumentTypeError: when it is something else.
    """
    parts = text.split(',')
    try:
        u, v = float(parts[0]), float(parts[1])
        label = int(parts[2]) if len(parts) == 3 else 1
    except (ValueError, IndexError):
        label = -1
    if label not in (0, 1) or len(parts) > 3:
        raise argparse.ArgumentTypeError(f'{text!r} is no point: U,V or U,V,1 or U,V,0')
    return u, v, label


def box(text: str) -> BoxPx:
    """Return left, top, right and bottom of ``L,T,R,B``.

    :raises argparse.ArgumentTypeError: when it is something else.
    """
    try:
        left, top, right, bottom = (float(part) for part in text.split(','))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f'{text!r} is no box: L,T,R,B') from error
    return left, top, right, bottom


def shown(text: str) -> BoxPx:
    """Return the box of an exemplar, of ``U,V`` one without area.

    :raises argparse.ArgumentTypeError: when it is neither.
    """
    if text.count(',') == 1:
        u, v, _ = point(text)
        return u, v, u, v
    return box(text)


def mask(text: str) -> MaskPrompt:
    """Return the mask in an image file.

    :raises argparse.ArgumentTypeError: when it cannot be read.
    """
    image = cv2.imread(text, cv2.IMREAD_GRAYSCALE) if Path(text).is_file() else None
    if image is None:
        raise argparse.ArgumentTypeError(f'{text!r} is no image file')
    return MaskPrompt(image > 0)
