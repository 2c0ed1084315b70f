# SPDX-License-Identifier: Apache-2.0
"""sam3d_msgs/Prompt to prompts, and back."""

from __future__ import annotations

from typing import Any

from sam3d_ros.core.corrections import Correction
from sam3d_ros.core.errors import PromptError
from sam3d_ros.core.types import (
    BoxPrompt,
    BoxPx,
    ExemplarPrompt,
    MaskPrompt,
    PointPrompt,
    Prompt,
    TextPrompt,
)
from sam3d_ros.messages.headers import nanoseconds, time_message
from sam3d_ros.messages.sensors.images import decode_image
from sam3d_ros.messages.types import MessageTypes

POINTS, BOX, MASK, TEXT, EXEMPLAR = range(5)
"""The values of ``Prompt.type``."""


def prompt_from(message: Any) -> Prompt:
    """Return the prompt in a Prompt message; only the fields of its type are read.

    :raises PromptError: when these fields do not make a prompt of the type.
    :raises InputError: when the mask is not an image.
    """
    if message.type == POINTS:
        return _points_from(message)
    if message.type == MASK:
        return MaskPrompt(decode_image(message.mask) > 0)
    if message.type == TEXT:
        if not message.text.strip():
            raise PromptError('an empty phrase', wanted='a noun phrase in text')
        return TextPrompt(message.text.strip())
    if message.type == BOX:
        return BoxPrompt(box_from(message.box))
    if message.type == EXEMPLAR:
        return _exemplar_from(message)
    raise PromptError(f'a prompt of type {message.type}', wanted='POINTS=0 to EXEMPLAR=4')


def correction_from(request: Any) -> Correction:
    """Return what a request AddPrompt says about an earlier prompt.

    :raises PromptError: when it corrects by something else than points.
    """
    points: PointPrompt | None = None
    if request.prompt.type == POINTS and request.prompt.points:
        points = _points_from(request.prompt)
    elif request.prompt.type != POINTS:
        raise PromptError(
            f'a correction by a prompt of type {request.prompt.type}',
            wanted='points, or choice and apart alone',
        )
    return Correction(
        int(request.corrects),
        points.points_px if points else (),
        points.labels if points else (),
        request.choice,
        request.apart,
    )


def prompt_message(types: MessageTypes, prompt: Prompt, stamp_ns: int | None = None) -> Any:
    """Return the Prompt message of points, a box or a phrase.

    :param types: makes the messages.
    :param prompt: what is asked for.
    :param stamp_ns: of the frame that its pixels are of; None = the latest.
    :raises PromptError: when it is of another kind.
    """
    fields: dict[str, Any] = {'stamp': time_message(types, stamp_ns or 0)}
    match prompt:
        case PointPrompt(points_px, labels):
            fields |= {
                'type': POINTS,
                'points': [types.new('geometry_msgs/msg/Point', x=u, y=v) for u, v in points_px],
                'labels': list(labels),
            }
        case BoxPrompt((left, top, right, bottom)):
            fields |= {
                'type': BOX,
                'box': types.new(
                    'sensor_msgs/msg/RegionOfInterest',
                    x_offset=max(0, round(left)),
                    y_offset=max(0, round(top)),
                    width=max(1, round(right) - max(0, round(left))),
                    height=max(1, round(bottom) - max(0, round(top))),
                ),
            }
        case TextPrompt(text):
            fields |= {'type': TEXT, 'text': text}
        case _:
            raise PromptError(f'a {type(prompt).__name__}', wanted='points, a box or a phrase')
    return types.new('sam3d_msgs/msg/Prompt', **fields)


def stamp_from(message: Any) -> int | None:
    """Return the stamp (ns) of the frame that a Prompt's pixels are of; None = the latest."""
    return nanoseconds(message.stamp) or None


def box_from(region: Any) -> tuple[float, float, float, float]:
    """Return left, top, right, bottom (px, half open) of a RegionOfInterest.

    :raises PromptError: when it is empty.
    """
    if not (region.width and region.height):
        raise PromptError(f'a box of {region.width}x{region.height} px', wanted='a box with area')
    left, top = float(region.x_offset), float(region.y_offset)
    return left, top, left + float(region.width), top + float(region.height)


def _exemplar_from(message: Any) -> ExemplarPrompt:
    like: list[BoxPx] = []
    unlike: list[BoxPx] = []
    if message.box.width or message.box.height or not message.points:
        like.append(box_from(message.box))
    if message.points:
        clicked = _points_from(message)
        for (u, v), label in zip(clicked.points_px, clicked.labels, strict=True):
            (like if label else unlike).append((u, v, u, v))
    if not like:
        raise PromptError('an exemplar of what is not meant alone', wanted='one of what is')
    return ExemplarPrompt(
        like[0], text=message.text.strip(), more_px=tuple(like[1:]), not_px=tuple(unlike)
    )


def _points_from(message: Any) -> PointPrompt:
    points = tuple((float(point.x), float(point.y)) for point in message.points)
    labels = tuple(int(label) for label in message.labels) or (1,) * len(points)
    if not points or len(labels) != len(points):
        raise PromptError(
            f'{len(points)} points with {len(labels)} labels',
            wanted='at least one point, and a label for each (or none: all on the object)',
        )
    return PointPrompt(points, labels)
