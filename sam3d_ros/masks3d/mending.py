# SPDX-License-Identifier: Apache-2.0
"""What one view tears off comes back: pieces that lie on the surface of one object are one mask.

Whether an object is one is voted on as SA3D votes on a point: a view that shows it whole counts 1
for it, one that shows it in pieces lambda against it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from sam3d_ros.core.types import IndexArray, Instances
from sam3d_ros.geometry.masks import mask_box

OWN = 0.7
"""Share of a mask that must lie on an object's surface to be a piece of it."""
WHOLE = 0.8
"""Share of an object's visible surface that a mask must hold to show it whole."""
LEAST_CELLS = 12
"""Smaller masks, in cells that are looked at, are left alone."""
ASKED_FOR = (':point', ':box', ':mask')
"""How sources of instances end that a prompt asked for: a part may be meant."""


@dataclass(frozen=True, slots=True)
class Pieces:
    """The masks that lie on one object's surface.

    :param indices: of the instances.
    :param is_whole: one of them holds nearly all that is seen of the object.
    """

    indices: tuple[int, ...]
    is_whole: bool


def find_pieces(instances: Instances, known: IndexArray, step_px: int) -> dict[int, Pieces]:
    """Return by object the masks that are pieces of it, or it.

    :param instances: what a frame was segmented into.
    :param known: (h, w) int32 whose surface the frame's cells show, -1 = nobody's; see
        :func:`sam3d_ros.masks3d.rendering.owners`.
    :param step_px: distance of the cells' pixels.
    """
    ids, visible = np.unique(known[known >= 0], return_counts=True)
    holds: dict[int, list[tuple[int, int]]] = {}
    for index, item in enumerate(instances.items):
        if item.source.endswith(ASKED_FOR):
            continue
        mask = item.mask[::step_px, ::step_px]
        owner, count = np.unique(known[mask], return_counts=True)
        if not len(owner):
            continue
        most = int(count.argmax())
        size = int(count.sum())
        if owner[most] >= 0 and size >= LEAST_CELLS and count[most] >= OWN * size:
            holds.setdefault(int(owner[most]), []).append((index, int(count[most])))
    seen = dict(zip(ids.tolist(), visible.tolist(), strict=True))
    return {
        object_id: Pieces(
            tuple(index for index, _ in found),
            max(count for _, count in found) >= WHOLE * seen[object_id],
        )
        for object_id, found in holds.items()
    }


def joined(instances: Instances, groups: Iterable[Sequence[int]]) -> Instances:
    """Return instances with those of each group as one, which is what its largest was.

    :param groups: indices; none occurs twice.
    """
    items = dict(enumerate(instances.items))
    for group in groups:
        pieces = [items.pop(index) for index in group]
        mask = np.logical_or.reduce([piece.mask for piece in pieces])
        largest = max(pieces, key=lambda piece: np.count_nonzero(piece.mask))
        box = mask_box(mask)
        if box is not None:
            items[group[0]] = replace(largest, mask=mask, box_px=box)
    return replace(instances, items=tuple(items[index] for index in sorted(items)))
