# SPDX-License-Identifier: Apache-2.0
import numpy as np

from sam3d_ros.segmentation.config import SegmentationConfig
from sam3d_ros.segmentation.mini.inputs import CHANNELS, HEIGHT_SCALE_M, channels, observe
from sam3d_ros.segmentation.partition.grid import make_grid
from sam3d_ros.segmentation.partition.normals import local_planes
from sam3d_ros.segmentation.partition.supports import Structure, find_structure


def _channels(frame, with_support=True):
    grid = make_grid(frame)
    local = local_planes(grid, frame.sensor)
    structure = Structure()
    if with_support:
        structure = find_structure(
            grid, local, frame.sensor, frame.up_cam, SegmentationConfig().supports
        )
    return dict(zip(CHANNELS, channels(observe(frame, grid, local, structure)), strict=True))


def test_heights_are_over_the_support_in_tenths_of_a_metre(make_scene, box):
    scene = make_scene([box((0, 0, 0.05), (0.2, 0.2, 0.1))])
    seen = _channels(scene.frame)
    top = seen['ny'] < -0.4
    on = (scene.truth[::2, ::2] == 1) & top
    assert abs(np.median(seen['height'][on]) * HEIGHT_SCALE_M - 0.1) < 0.005
    on_table = (scene.truth[::2, ::2] == 0) & (seen['valid'] > 0)
    assert abs(np.median(seen['height'][on_table])) < 0.05
    assert (seen['known height'] == 1).all()


def test_without_support_heights_are_said_to_be_unknown(make_scene, box):
    seen = _channels(make_scene([box((0, 0, 0.05), (0.2, 0.2, 0.1))]).frame, with_support=False)
    assert not seen['height'].any() and not seen['known height'].any()


def test_no_channel_leaves_its_range_and_missing_depth_is_zero(make_scene, box):
    scene = make_scene([box((0, 0, 0.05), (0.2, 0.2, 0.1))], plane=False)
    seen = _channels(scene.frame)
    stack = np.stack(list(seen.values()))
    assert stack.dtype == np.float32 and np.isfinite(stack).all()
    assert np.abs(stack).max() <= 2.5
    missing = seen['valid'] == 0
    assert missing.any()
    for name in ('x', 'y', 'z', 'nx', 'ny', 'nz', 'height'):
        assert not seen[name][missing].any()
