# SPDX-License-Identifier: Apache-2.0
import numpy as np

from sam3d_ros.segmentation.partition.patches import MAX_PATCHES, Links, find_patches


def test_of_a_frame_of_noise_only_the_largest_patches_are_kept():
    foreground = np.ones((80, 80), bool)
    apart = (np.zeros((80, 79), bool), np.zeros((79, 80), bool))
    apart[0][70, :2] = True  # three pixels in a row hang together, all others stand alone
    patches = find_patches(foreground, Links(apart, apart, apart))
    assert patches.max() == MAX_PATCHES
    assert (patches == patches[70, 0]).sum() == 3
    assert patches[70, 0] > 0
