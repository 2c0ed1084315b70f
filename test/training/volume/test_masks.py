# SPDX-License-Identifier: Apache-2.0
import numpy as np

from sam3d_ros.training.volume.masks import LEAK_M, corrupt_mask, segmented


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
