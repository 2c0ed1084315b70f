# SPDX-License-Identifier: Apache-2.0
"""Things lose their returns and nothing else does; what is seen through them is the support."""

import numpy as np

from sam3d_ros.bench.worlds import TruthSegmenter, case_of, episode_of
from sam3d_ros.training.volume.returns import MOST_BEHIND, MOST_OWN, without_returns


def test_things_lose_their_returns_and_nothing_else_does() -> None:
    case = case_of(episode_of('spaced', 3, None, 'ideal', frames=1))
    (frame,), (sample,) = case.frames, case.samples
    instances = TruthSegmenter(case).segment(frame)
    lost = [1, 3]
    is_lost = np.isin(sample.truth.instances, [index + 1 for index in lost])
    through = 0
    for seed in range(6):
        told = without_returns(frame, sample.truth, instances, lost, np.random.default_rng(seed))
        np.testing.assert_array_equal(told.pointmap[~is_lost], frame.pointmap[~is_lost])
        for index in lost:
            own = sample.truth.instances == index + 1
            kept = own & (told.depth_m == frame.depth_m)
            assert kept.sum() <= MOST_OWN * own.sum() + 1
            behind = own & np.isfinite(told.depth_m) & ~kept
            assert behind.sum() <= MOST_BEHIND * own.sum() + 1
            plane = instances.supports[0]
            over_m = told.pointmap[behind] @ plane.normal + plane.offset_m
            assert np.abs(over_m).max(initial=0.0) < 0.01
            through += int(behind.any())
    assert 0 < through < 6 * len(lost)
