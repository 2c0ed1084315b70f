# SPDX-License-Identifier: Apache-2.0
"""Colours by name, under white light and other."""

import numpy as np
import pytest

from sam3d_ros.geometry.colors import encoded, linear
from sam3d_ros.language.colors import TERMS, applies, shares, white_balance

PAINTS = {
    'red': (200, 30, 30), 'blue': (30, 60, 180), 'green': (40, 140, 60), 'yellow': (230, 200, 40),
    'orange': (235, 130, 30), 'brown': (110, 70, 40), 'pink': (230, 150, 170),
    'purple': (120, 50, 140), 'grey': (128, 128, 128), 'white': (240, 240, 238),
    'black': (20, 20, 22), 'turquoise': (60, 190, 200), 'beige': (225, 205, 175),
}  # fmt: skip


def told(rgb, factors=None):
    return dict(zip(TERMS, shares(np.atleast_2d(rgb).astype(np.uint8), factors), strict=True))


@pytest.mark.parametrize('name', PAINTS)
def test_paints_go_by_their_names(name):
    found = told(PAINTS[name])
    assert sum(found.values()) == pytest.approx(1.0, abs=1e-5)
    assert applies(name, found) > 0.8
    others = {'white', 'black', 'red', 'green', 'blue', 'yellow'} - {name}
    assert all(applies(other, found) < 0.3 for other in others)


def test_warm_light_is_taken_away():
    rng = np.random.default_rng(0)
    room = rng.choice([60, 110, 160, 200], (60, 80, 1)) * np.ones(3)
    warm = np.array([1.0, 0.8, 0.62])
    seen = encoded((linear(room.astype(np.uint8)) * warm).astype(np.float32))
    paint = encoded((linear(np.array([[205, 205, 205]], np.uint8)) * warm).astype(np.float32))
    factors = white_balance(seen)
    tint = factors / factors.mean()
    assert tint[2] > 1.1 > 0.95 > tint[0]
    grey = [
        applies('grey', told(paint, f)) + applies('white', told(paint, f)) for f in (None, factors)
    ]
    assert grey[1] > 0.9 > grey[0]


def test_in_a_dim_room_things_keep_their_colours():
    rng = np.random.default_rng(0)
    walls = np.clip(rng.normal(190, 15, (400, 3)), 0, 249).astype(np.uint8)
    for name, paint in PAINTS.items():
        room = np.concatenate([walls, np.tile(paint, (60, 1))]).astype(np.uint8)[None]
        dim = encoded(0.3 * linear(room))
        factors = white_balance(dim)
        assert 2 < factors.min() < 4
        shown = told(dim[0, -60:], factors)
        assert applies(name, shown) > 0.5 or max(shown, key=shown.get) == name, (name, shown)


def test_highlights_do_not_make_a_thing_white():
    pixels = np.concatenate([np.full((60, 3), 255), np.tile([200, 30, 30], (100, 1))])
    assert applies('red', told(pixels)) > 0.9
    assert applies('white', told(np.full((10, 3), 255))) > 0.9
