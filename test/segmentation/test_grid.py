# SPDX-License-Identifier: Apache-2.0
import numpy as np

from sam3d_ros.core.types import Camera, Frame
from sam3d_ros.geometry.cameras import pointmap_from_depth
from sam3d_ros.segmentation.grid import make_grid, with_returns


def test_holes_are_filled_smoothly_where_asked_and_returns_stay():
    camera = Camera(320, 240, np.array([[260.0, 0, 160], [0, 260.0, 120], [0, 0, 1]]))
    columns = np.arange(320, dtype=np.float32)
    depth = np.tile(1 / (1 + 0.001 * columns), (240, 1)).astype(np.float32)
    truth = depth.copy()
    depth[80:160, 100:190] = np.nan
    frame = Frame(0, 'c', camera, np.zeros((240, 320, 3), np.uint8),
                  pointmap_from_depth(depth, camera), 'c', np.eye(4))  # fmt: skip
    grid = make_grid(frame)
    cells = np.zeros(grid.valid.shape, bool)
    cells[90:150, 110:180] = True
    filled = with_returns(grid, cells)
    assert np.array_equal(filled.valid, grid.valid | cells)
    assert np.array_equal(filled.disparity[grid.valid], grid.disparity[grid.valid])
    np.testing.assert_allclose(filled.points[cells][:, 2], truth[cells], rtol=0.02)
    assert not grid.valid[cells].any()
