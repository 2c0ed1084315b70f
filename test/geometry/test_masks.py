# SPDX-License-Identifier: Apache-2.0
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sam3d_ros.geometry.masks import mask_box


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 8)), min_size=1))
def test_the_box_holds_every_pixel_and_touches_some_on_each_side(pixels):
    mask = np.zeros((7, 9), bool)
    mask[tuple(np.transpose(pixels))] = True
    rows, columns = np.nonzero(mask)
    assert mask_box(mask) == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)


def test_an_empty_mask_has_no_box():
    assert mask_box(np.zeros((3, 3), bool)) is None
