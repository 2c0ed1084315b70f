# SPDX-License-Identifier: Apache-2.0
import numpy as np

from sam3d_ros.segmentation.partition.cues import WITHIN_CELL, on_cells


def test_borders_between_cells_of_the_network_become_borders_on_the_grid():
    thing = np.zeros((3, 4), np.float32)
    thing[:, 2:] = 4.0
    joined = np.full((2, 3, 4), 5.0, np.float32)
    joined[0, :, 1] = -5.0  # between the second and the third column of cells
    joined[1, 0, :] = -3.0  # below the first row
    cues = on_cells(thing, joined, (6, 7))
    across, down = cues.joined
    assert cues.thing.shape == (6, 7) and across.shape == (6, 6) and down.shape == (5, 7)
    assert (across[:, 3] == -5).all() and (across[:, [1, 5]] == 5).all()
    assert (across[:, ::2] == WITHIN_CELL).all()
    assert (down[1] == -3).all() and (down[3] == 5).all() and (down[::2] == WITHIN_CELL).all()
    assert (cues.thing[:, :2] < 1).all() and (cues.thing[:, 5:] > 3).all()


def test_an_outline_parts_its_two_sides():
    cues = on_cells(np.zeros((2, 2), np.float32), np.full((2, 2, 2), 5, np.float32), (4, 4))
    inside = np.zeros((4, 4), bool)
    inside[1:, 2:] = True
    across, down = cues.parted(inside).joined
    assert (across[1:, 1] < 0).all() and (across[0] > 0).all()
    assert (down[0, 2:] < 0).all() and (down[0, :2] > 0).all()
    assert (cues.joined[0] > 0).all()
