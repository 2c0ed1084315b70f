# SPDX-License-Identifier: Apache-2.0
"""Pieces of one object's surface, found and put together."""

import numpy as np

from sam3d_ros.core.types import Instance, Instances
from sam3d_ros.geometry.masks import mask_box
from sam3d_ros.masks3d.mending import find_pieces, joined

KNOWN = np.full((30, 40), -1, np.int32)
KNOWN[5:25, 2:18] = 7
KNOWN[5:25, 20:36] = 9


def instance(rows, columns, source='truth', score=0.5):
    mask = np.zeros((60, 80), bool)
    mask[slice(*rows), slice(*columns)] = True
    return Instance(mask, score, mask_box(mask), source)


def test_masks_on_one_surface_are_its_pieces():
    left, right = instance((10, 30), (4, 36)), instance((30, 50), (4, 36))
    other, floor = instance((10, 50), (40, 72)), instance((52, 60), (0, 80))
    found = find_pieces(Instances(1, (left, other, right, floor)), KNOWN, 2)
    assert set(found) == {7, 9}
    assert found[7].indices == (0, 2)
    assert not found[7].is_whole
    assert found[9].indices == (1,)
    assert found[9].is_whole


def test_a_mask_of_two_surfaces_is_a_piece_of_neither():
    both = instance((10, 50), (4, 72))
    assert find_pieces(Instances(1, (both,)), KNOWN, 2) == {}


def test_what_a_prompt_asked_for_and_specks_are_left_alone():
    lid, speck = instance((10, 20), (4, 36), 'mini:point'), instance((30, 34), (4, 12))
    rest = instance((34, 50), (4, 36), 'mini:all')
    found = find_pieces(Instances(1, (lid, speck, rest)), KNOWN, 2)
    assert found[7].indices == (2,)


def test_joined_masks_are_what_the_largest_was():
    small, large = instance((10, 20), (4, 36), 'a', 0.9), instance((20, 50), (4, 36), 'b', 0.6)
    other = instance((10, 50), (40, 72))
    whole = joined(Instances(1, (small, other, large)), [(0, 2)])
    assert len(whole.items) == 2
    assert whole.items[0].source == 'b'
    assert whole.items[0].box_px == (4, 10, 36, 50)
    assert (whole.items[0].mask == (small.mask | large.mask)).all()
    assert whole.items[1] is other
