# SPDX-License-Identifier: Apache-2.0
"""Masks that anybody's node publishes: an InstanceArray without ids, or a label image."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from sam3d_ros.core.errors import InputError
from sam3d_ros.core.types import Instance, Instances
from sam3d_ros.geometry.masks import mask_box
from sam3d_ros.messages.headers import nanoseconds
from sam3d_ros.messages.results.instances import instances_from
from sam3d_ros.messages.sensors.images import decode_image

LABELS = ('mono16', '16UC1', '32SC1', 'mono8', '8UC1')
"""Encodings of a label image; values of 0 and below are background."""
MOST_LABELS = 1000
"""More things than this in one image are no labels: each mask takes a third of a megabyte."""
SOURCE = 'external'


def external_instances(message: Any) -> Instances:
    """Return the instances of an InstanceArray.

    Boxes are those of the masks, a score of 0 stands for 1, and an empty source for ``external``;
    ids and tracks are not read. An instance without a pixel is left out.

    :param message: an InstanceArray; its stamp is that of the image it is about.
    :raises InputError: when the id image is malformed or numbers an instance that is not there,
        a score is not in 0..1, or a support is not there.
    """
    found = instances_from(message)
    items = []
    for number, item in enumerate(found.items, start=1):
        if not 0.0 <= item.score <= 1.0 or not -1 <= item.support < len(found.supports):
            raise InputError(
                f'instance {number} with score {item.score:g} on support {item.support}',
                wanted=f'a score in 0..1, a support from -1 (none) to {len(found.supports) - 1}',
            )
        box = mask_box(item.mask)
        if box is not None:
            score, source = item.score or 1.0, item.source or SOURCE
            items.append(replace(item, box_px=box, score=score, source=source))
    return replace(found, items=tuple(items))


def labelled_instances(message: Any) -> Instances:
    """Return the instances of a label image: one for each value above 0.

    :param message: an Image of one of :data:`LABELS`; its stamp is that of the image it is about.
    :raises InputError: when it has another encoding, is malformed, or has too many labels.
    """
    if message.encoding not in LABELS:
        raise InputError(
            f'labels of encoding "{message.encoding}"', wanted=f'one of {", ".join(LABELS)}'
        )
    labels = decode_image(message)
    values = np.unique(labels)
    values = values[values > 0]
    if len(values) > MOST_LABELS:
        raise InputError(
            f'{len(values)} labels in one image',
            wanted=f'at most {MOST_LABELS}: 0 for the background, one value for each object',
        )
    masks = [labels == value for value in values]
    items = tuple(Instance(mask, 1.0, mask_box(mask) or (0, 0, 0, 0), SOURCE) for mask in masks)
    return Instances(nanoseconds(message.header.stamp), items)
