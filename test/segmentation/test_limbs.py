# SPDX-License-Identifier: Apache-2.0
import cv2
import numpy as np
import pytest

from sam3d_ros.segmentation.limbs import limb_at


@pytest.fixture
def pan():
    """A round body, a bar that stands off it to the right, and another thing beside."""
    body, bar = np.zeros((2, 120, 200), np.uint8)
    cv2.circle(body, (60, 60), 40, 1, cv2.FILLED)
    cv2.rectangle(bar, (95, 55), (170, 65), 1, cv2.FILLED)
    things = (body | bar) > 0
    things[5:25, 150:190] = True
    return things, bar > 0, body > 0


@pytest.mark.parametrize(('row', 'column'), [(60, 130), (57, 130), (64, 160), (60, 105)])
def test_a_click_anywhere_on_a_bar_means_the_bar(pan, row, column):
    things, bar, body = pan
    limb = limb_at(things, row, column, 2.0)
    wanted = bar & ~body
    assert (limb & wanted).sum() / (limb | wanted).sum() > 0.9


@pytest.mark.parametrize(('row', 'column'), [(60, 60), (15, 170)])
def test_what_is_nowhere_thicker_has_no_limb_there(pan, row, column):
    assert not limb_at(pan[0], row, column, 2.0).any()


def test_a_thing_at_the_edge_of_the_picture_keeps_its_shape():
    things = np.zeros((60, 80), bool)
    things[:30, :40] = True
    things[10:18, 40:80] = True
    limb = limb_at(things, 14, 70, 2.0)
    assert limb[10:18, 45:].all() and not limb[:, :35].any()
