# SPDX-License-Identifier: Apache-2.0
"""What a network sees in a frame, cell by cell of the working grid."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from sam3d_ros.core.types import BoolArray, Float32Array

WITHIN_CELL = 8.0
"""Log-odds for two cells of the grid that are one to the network."""


@dataclass(frozen=True, slots=True, eq=False)
class Cues:
    """Log-odds on the working grid.

    :param thing: (h, w) float32 that a cell is part of a thing.
    :param joined: (h, w-1) and (h-1, w) float32 that the next cell to the right, and the one
        below, belong to the same thing, or both to none.
    """

    thing: Float32Array
    joined: tuple[Float32Array, Float32Array]

    def parted(self, inside: BoolArray) -> Cues:
        """Return the same, but with a sure cut along the outline of a (h, w) bool mask."""
        across, down = (part.copy() for part in self.joined)
        across[inside[:, 1:] != inside[:, :-1]] = -WITHIN_CELL
        down[inside[1:] != inside[:-1]] = -WITHIN_CELL
        return replace(self, joined=(across, down))


def on_cells(thing: Float32Array, joined: Float32Array, shape: tuple[int, int]) -> Cues:
    """Return cues on the grid from those of a network at half its size.

    :param thing: (h2, w2) float32 log-odds, each of a square of 2 x 2 cells; may reach further.
    :param joined: (2, h2, w2) float32 log-odds towards the right and down.
    :param shape: rows and columns of the grid.
    """
    h, w = shape
    enlarged = cv2.resize(
        thing, (2 * thing.shape[1], 2 * thing.shape[0]), interpolation=cv2.INTER_LINEAR
    )
    across = np.full((h, w - 1), WITHIN_CELL, np.float32)
    across[:, 1::2] = np.repeat(joined[0], 2, axis=0)[:h, : across[:, 1::2].shape[1]]
    down = np.full((h - 1, w), WITHIN_CELL, np.float32)
    down[1::2] = np.repeat(joined[1], 2, axis=1)[: down[1::2].shape[0], :w]
    return Cues(np.asarray(enlarged[:h, :w], np.float32), (across, down))
