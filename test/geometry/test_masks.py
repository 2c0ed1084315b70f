# SPDX-License-Identifier: Apache-2.0
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sam3d_ros.geometry.masks import box_iou, mask_box, mask_iou


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 8)), min_size=1))
def test_the_box_holds_every_pixel_and_touches_some_on_each_side(pixels):
    mask = np.zeros((7, 9), bool)
    mask[tuple(np.transpose(pixels))] = True
    rows, columns = np.nonzero(mask)
    assert mask_box(mask) == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)


def test_an_empty_mask_has_no_box():
    assert mask_box(np.zeros((3, 3), bool)) is None


@given(*[st.tuples(*[st.integers(0, 8)] * 4)] * 2)
def test_the_iou_of_boxes_is_that_of_their_pixels(a, b):
    masks = np.zeros((2, 8, 8), bool)
    for mask, (left, top, right, bottom) in zip(masks, (a, b), strict=True):
        mask[top:bottom, left:right] = True
    if masks.any():
        assert box_iou(np.array(a), np.array(b)) == mask_iou(*masks)
