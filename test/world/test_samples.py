# SPDX-License-Identifier: Apache-2.0
"""Samples in memory: independent of each other, moving objects, endless streams."""

from itertools import islice

import numpy as np
import pytest

from sam3d_ros.core.errors import InputError
from sam3d_ros.world.episode import with_moved
from sam3d_ros.world.samples import endless, samples
from sam3d_ros.world.suites import make_episode

SMALL = (160, 120)


def test_moved_object_moves_in_truth_and_picture():
    still = make_episode('single', 1, frames=4, size_px=SMALL)
    moved = with_moved(still, 0, 0.1)
    first, last = (list(samples(moved))[k] for k in (0, -1))
    shift = last.truth.T_fixed_obj[0, :3, 3] - first.truth.T_fixed_obj[0, :3, 3]
    assert np.linalg.norm(shift) == pytest.approx(0.1) and shift[2] == 0
    unmoved = list(samples(still))[-1]
    assert (unmoved.truth.instances != last.truth.instances).any()
    assert np.array_equal(next(samples(still)).rgb, first.rgb)


def test_a_mask_is_of_the_object_that_it_agrees_with_by_half():
    truth = next(samples(make_episode('spaced', 2, frames=1, size_px=SMALL))).truth
    for number in np.unique(truth.instances[truth.instances > 0]).astype(int):
        mask = truth.instances == number
        assert truth.object_of(mask) == number - 1
        rows, columns = np.nonzero(mask)
        mask[rows[::3], columns[::3]] = False
        assert truth.object_of(mask) == number - 1
        mask[rows[::2], columns[::2]] = mask[rows[1::3], columns[1::3]] = False
        assert truth.object_of(mask) is None
    assert truth.object_of(truth.instances == 0) is None


def test_endless_stream_goes_on_with_the_next_seed():
    stream = list(islice(endless('single', 4, frames=2), 4))
    second = list(samples(make_episode('single', 5, frames=2)))
    assert np.array_equal(stream[2].rgb, second[0].rgb)
    assert not np.array_equal(stream[0].rgb, stream[2].rgb)


def test_lidar_sample_has_no_depth_frame():
    sample = next(samples(make_episode('lidar', 0, frames=1, size_px=SMALL)))
    assert sample.sweep is not None and len(sample.sweep.points_m) > 1000
    with pytest.raises(InputError, match='LiDAR'):
        sample.frame()
