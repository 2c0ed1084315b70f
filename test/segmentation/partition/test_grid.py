# SPDX-License-Identifier: Apache-2.0
import numpy as np

from sam3d_ros.core.types import Camera, Frame
from sam3d_ros.geometry.cameras import pointmap_from_depth
from sam3d_ros.segmentation.partition.grid import RIM_CELLS, make_grid, near_returns, with_returns


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


def test_holes_beyond_all_returns_are_left_out():
    valid = np.zeros((100, 100), bool)
    valid[60:] = True
    holes = np.zeros_like(valid)
    holes[20:60, 10:40] = True  # touches returns: all of it counts
    holes[10 : 60 - int(RIM_CELLS) - 2, 60:80] = True  # nothing says how far it is
    near = near_returns(holes, valid)
    assert near[:, :50].sum() == holes[:, :50].sum()
    assert not near[:, 50:].any()
    assert not near_returns(np.zeros_like(valid), valid).any()
