# SPDX-License-Identifier: Apache-2.0
"""Well-composed volumes: no two voxels touch along an edge or at a corner only.

Latecki, "3D well-composed pictures", Graphical Models and Image Processing 59(3), 1997: the
boundary of such a volume is a 2-manifold.
"""

from __future__ import annotations

import itertools

import numpy as np

from sam3d_ros.core.types import BoolArray, ByteArray, Float32Array

CORNERS = np.array(list(itertools.product((0, 1), repeat=3)))


def well_composed(field: Float32Array) -> BoolArray:
    """Return ``field < 0`` with voxels added until it is well-composed.

    Only adds, so that thin sheets stay whole; of the voxels in question the one nearest to the
    surface comes first. The border must be outside.

    :param field: (X, Y, Z) float32, < 0 inside.
    :returns: (X, Y, Z) bool.
    """
    inside = field < 0
    codes = _codes(inside)
    values, states, blocks = field.ravel(), inside.ravel(), codes.ravel()
    where = np.argwhere(_ADDABLE[codes] > 0)
    while len(where):
        addable = _ADDABLE[codes[tuple(where.T)]]
        corners = where[:, None] + CORNERS
        corners = np.ravel_multi_index(tuple(np.moveaxis(corners, -1, 0)), field.shape)
        open_values = np.where(addable[:, None] >> np.arange(8) & 1, values[corners], np.inf)
        chosen = corners[np.arange(len(where)), np.argmin(open_values, axis=1)]
        states[chosen] = True
        # Only the blocks around what was added have changed.
        added = np.stack(np.unravel_index(chosen, field.shape), axis=-1)[:, None] - CORNERS
        around = np.ravel_multi_index(tuple(np.moveaxis(added, -1, 0)), codes.shape)
        for bit in range(8):
            blocks[around[:, bit]] |= np.uint8(1 << bit)
        still = np.ravel_multi_index(tuple(where.T), codes.shape)
        candidates = np.unique(np.concatenate([still, around.ravel()]))
        candidates = candidates[_ADDABLE[blocks[candidates]] > 0]
        where = np.stack(np.unravel_index(candidates, codes.shape), axis=-1)
    return inside


def _codes(inside: BoolArray) -> ByteArray:
    """(X-1, Y-1, Z-1) uint8: bit b is corner ``CORNERS[b]`` of each 2x2x2 block."""
    codes: ByteArray = inside.view(np.uint8)
    codes = codes[:, :, :-1] | codes[:, :, 1:] << np.uint8(1)
    codes = codes[:, :-1] | codes[:, 1:] << np.uint8(2)
    return codes[:-1] | codes[1:] << np.uint8(4)


def _addable_corners() -> ByteArray:
    """(256,) uint8: for each code the outside corners of which one must come in, 0 = fine."""
    table = np.zeros(256, np.uint8)
    pairs = list(itertools.combinations(range(8), 2))
    distance = {(a, b): int(np.abs(CORNERS[a] - CORNERS[b]).sum()) for a, b in pairs}
    for code in range(256):
        inside = {bit for bit in range(8) if code >> bit & 1}
        addable: set[int] = set()
        for a, b in pairs:
            if distance[a, b] == 2:
                square = _square(a, b)
                if len({a, b} & inside) == 2 and not square & inside:
                    addable |= square
            elif distance[a, b] == 3 and inside in ({a, b}, set(range(8)) - {a, b}):
                addable |= set(range(8)) - inside
        table[code] = sum(1 << bit for bit in addable)
    return table


def _square(a: int, b: int) -> set[int]:
    """The other two corners of the face on which ``a`` and ``b`` are diagonal."""
    low, high = np.minimum(CORNERS[a], CORNERS[b]), np.maximum(CORNERS[a], CORNERS[b])
    on_face = {i for i, c in enumerate(CORNERS) if (c >= low).all() and (c <= high).all()}
    return on_face - {a, b}


_ADDABLE = _addable_corners()
