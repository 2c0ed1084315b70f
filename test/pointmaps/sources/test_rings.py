# SPDX-License-Identifier: Apache-2.0
"""Between two rings: what edges part from both is not known, what is joined lies between them."""

import numpy as np
import pytest

from sam3d_ros.pointmaps.sources.rings import Met, drop_parted

SHAPE = (80, 60)
COLUMNS = np.arange(0, 60, 3)


@pytest.fixture
def seen():
    """A grey wall at 2 m that rings meet in rows 20 and 60, a red thing in rows 35 to 45."""
    rgb = np.full((*SHAPE, 3), 120, np.uint8)
    rgb[35:46] = (220, 30, 30)
    rgb = (rgb + np.random.default_rng(0).integers(-2, 3, rgb.shape)).astype(np.uint8)
    row, column = (grid.ravel() for grid in np.meshgrid((20, 60), COLUMNS, indexing='ij'))
    return rgb, Met(row, column, np.full(len(row), 0.5))


def dropped(seen, inverse=None, flat=False):
    rgb, met = seen
    found = np.full(SHAPE, 0.5, np.float32) if inverse is None else inverse.copy()
    drop_parted(found, met, np.full(SHAPE, flat), rgb)
    return np.isnan(found)


def test_a_thing_that_no_ring_met_is_not_given_the_wall_s_range(seen):
    lost = dropped(seen)
    assert lost[37:44].all()
    assert not lost[:33].any() and not lost[48:].any()


def test_on_a_plane_edges_are_its_pattern(seen):
    assert not dropped(seen, flat=True).any()


def test_what_is_joined_to_a_ring_has_about_its_range(seen):
    inverse = np.full(SHAPE, 0.5, np.float32)
    inverse[22:30], inverse[52:58] = 0.52, 0.6
    lost = dropped(seen, inverse)
    assert not lost[22:30].any() and lost[52:58].all()


def test_between_dense_rings_only_ranges_tell(seen):
    inverse = np.full(SHAPE, 0.5, np.float32)
    inverse[22:30] = 0.6
    found = inverse.copy()
    drop_parted(found, seen[1], np.zeros(SHAPE, bool), None)
    assert np.isnan(found[22:30]).all() and np.isfinite(found[35:46]).all()
    # Above the first ring nothing is known to the contrary of what is there.
    assert np.isfinite(found[:20]).all()
