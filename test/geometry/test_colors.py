# SPDX-License-Identifier: Apache-2.0
"""Between sRGB and linear light, there and back."""

import numpy as np
import pytest

from sam3d_ros.geometry.colors import encoded, linear


def test_every_value_comes_back():
    values = np.arange(256, dtype=np.uint8)
    light = linear(values)
    assert light.dtype == np.float32
    assert (np.diff(light) > 0).all() and light[0] == 0.0 and light[-1] == 1.0
    assert np.array_equal(encoded(light), values)


@pytest.mark.parametrize(('value', 'light'), [(10, 0.0030353), (128, 0.2158605), (188, 0.5028865)])
def test_known_values(value, light):
    assert linear(np.uint8(value)) == pytest.approx(light, abs=1e-6)


def test_light_out_of_range_is_clipped():
    assert encoded(np.array([-1.0, 2.0], np.float32)).tolist() == [0, 255]
