# SPDX-License-Identifier: Apache-2.0
"""An id has one colour for good, and ids that live together are told apart."""

import numpy as np

from sam3d_ros.messages.results.colors import id_color


def test_a_colour_is_for_good():
    assert np.array_equal(id_color(7), id_color(7))
    assert ((id_color(7) >= 0) & (id_color(7) <= 1)).all()


def test_eight_ids_in_a_row_differ_clearly():
    for first in range(1, 60):
        colors = np.array([id_color(first + at) for at in range(8)])
        distances = np.linalg.norm(colors[:, None] - colors[None], axis=2)
        assert distances[~np.eye(8, dtype=bool)].min() > 0.15
