# SPDX-License-Identifier: Apache-2.0
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sam3d_ros.segmentation.mini.asking import about_box, about_mask, about_points, batched

SHAPE = (30, 40)
side = st.floats(0, 1)


@settings(max_examples=50, deadline=None)
@given(side, side, side, side)
def test_the_outline_of_a_box_has_its_area(x0: float, y0: float, x1: float, y1: float) -> None:
    left, right = sorted((x0, x1))
    top, bottom = sorted((y0, y1))
    asked = about_box([left, top, right, bottom], SHAPE)
    np.testing.assert_allclose(asked.outline[2].mean(), (right - left) * (bottom - top), atol=1e-5)
    assert (asked.outline[3] == 1).all() and not asked.outline[:2].any()
    assert asked.labels.tolist() == [2, 3]


def test_the_outline_of_a_mask_is_its_share_of_every_cell() -> None:
    mask = np.zeros((240, 320), bool)
    mask[8:16, 16:28] = True
    asked = about_mask(mask, SHAPE)
    assert asked.outline[0, 1, 2] == 1 and asked.outline[0, 1, 3] == 0.5
    assert asked.outline[0].sum() == 1.5
    assert (asked.outline[1] == 1).all()


def test_a_batch_is_filled_up_with_points_that_mean_nothing() -> None:
    asked = batched(
        [about_points([[0.1, 0.2]], [1], SHAPE), about_box([0.2, 0.2, 0.5, 0.6], SHAPE)]
    )
    assert asked.labels.tolist() == [[1, -1], [2, 3]]
    assert asked.points.shape == (2, 2, 2)
    np.testing.assert_allclose(asked.points[0, 0], [0.1, 0.2])
    assert batched([about_mask(np.ones((8, 8), bool), SHAPE)]).labels.tolist() == [[-1]]
