# SPDX-License-Identifier: Apache-2.0
"""The picture of a case: five views of the same size, filled by the truth."""

import numpy as np

from sam3d_ros.bench.pictures import HEIGHT, MARGIN, WIDTH, compare_meshes


def test_views_are_filled_by_the_truth_and_empty_without_a_result(spaced_case):
    meshes = [item.mesh for item in spaced_case.truth]
    picture = compare_meshes('a case', spaced_case.frames[-1], meshes, [])
    assert picture.image.shape == (HEIGHT, 5 * WIDTH, 3)
    _, truth, nothing, behind, nothing_behind = np.split(picture.image, 5, axis=1)
    for view in (truth, behind):
        drawn = (view != 245).any(axis=2)
        rows, columns = np.nonzero(drawn.any(axis=1))[0], np.nonzero(drawn.any(axis=0))[0]
        share = max(np.ptp(columns) / WIDTH, np.ptp(rows) / HEIGHT)
        assert abs(share - 1 / MARGIN) < 0.03
    assert (nothing == 245).all()
    assert (nothing_behind == 245).all()


def test_colour_and_truth_show_the_same_pixels(spaced_case):
    meshes = [item.mesh for item in spaced_case.truth]
    frame = spaced_case.frames[-1]
    image = compare_meshes('a case', frame, meshes, meshes).image
    color, truth, found, *_ = np.split(image.astype(float), 5, axis=1)
    np.testing.assert_array_equal(truth, found)
    drawn = (truth != 245).any(axis=2)
    edge = np.abs(np.diff(color.mean(axis=2), axis=1))
    outline = drawn[:, 1:] != drawn[:, :-1]
    assert edge[outline].mean() > 2 * edge[~outline].mean()
