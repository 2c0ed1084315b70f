# SPDX-License-Identifier: Apache-2.0
import numpy as np

from sam3d_ros.bench.worlds import TruthSegmenter, case_of, episode_of
from sam3d_ros.training.volume.masks import (
    LEAK_M,
    MOST_BEHIND,
    MOST_OWN,
    corrupt_mask,
    segmented,
    without_returns,
)


def test_wrong_masks_stay_near_the_object() -> None:
    mask = np.zeros((120, 160), bool)
    mask[40:80, 60:100] = True
    ious = []
    for seed in range(40):
        wrong = corrupt_mask(mask, None, np.random.default_rng(seed))
        ious.append((wrong & mask).sum() / (wrong | mask).sum())
        rows, columns = np.nonzero(wrong)
        assert rows.min() >= 30 and rows.max() < 90 and columns.min() >= 50
    assert min(ious) > 0.5 and max(ious) == 1.0 and np.mean(ious) < 0.97


def test_masks_leave_out_what_lies_far_behind_the_object() -> None:
    masks = np.zeros((1, 120, 160), bool)
    masks[0, 40:80, 60:100] = True
    true = np.where(masks[0], 0.5, 0.5 + 2 * LEAK_M).astype(np.float32)
    found = [segmented(masks, 0, true, true, np.random.default_rng(seed)) for seed in range(60)]
    assert not any((mask & ~masks[0]).any() for mask in found)
    assert 0 < sum(not mask.any() for mask in found) < 12


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
