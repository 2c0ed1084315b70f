# SPDX-License-Identifier: Apache-2.0
"""Textures come back from their bytes, and what does not fit is refused."""

from types import SimpleNamespace

import numpy as np
import pytest

from sam3d_ros.core.errors import InputError
from sam3d_ros.messages.textures import encode_png, texture_from

IMAGE = np.random.default_rng(0).integers(0, 256, (7, 9, 3)).astype(np.uint8)
UV = np.random.default_rng(1).random((5, 3, 2)).astype(np.float32)


def message(uv=UV, png=None):
    data = encode_png(IMAGE) if png is None else png
    return SimpleNamespace(uv=uv.reshape(-1), png=np.frombuffer(data, np.uint8))


def test_there_and_back():
    texture = texture_from(message(), 5)
    assert np.array_equal(texture.image, IMAGE) and texture.image.dtype == np.uint8
    assert np.array_equal(texture.uv, UV) and texture.uv.dtype == np.float32


@pytest.mark.parametrize(
    ('broken', 'text'),
    [(message(uv=UV[:4]), '4 faces'), (message(png=b'\x89PNG, cut off'), 'cannot be read')],
)
def test_what_does_not_fit_is_refused(broken, text):
    with pytest.raises(InputError, match=text):
        texture_from(broken, 5)
