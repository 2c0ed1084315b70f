# SPDX-License-Identifier: Apache-2.0
"""Figures of alignment and of cameras from rays, on few draws."""

import pytest

pytest.importorskip('open3d', reason='worlds need the extra: bench')

from sam3d_ros.bench.harness import BenchOptions
from sam3d_ros.bench.ranges.inferring import aligned, cameras_of_rays

QUICK = BenchOptions(quick=True)


def test_scale_is_found_among_outliers_of_a_world():
    table, values = aligned(QUICK)
    assert len(table.rows) == 3
    assert values['align_40_scale_error'] < 0.005 and values['align_60_scale_error'] < 0.01
    assert values['align_60_refused'] <= 0.1


def test_a_ray_map_gives_its_camera():
    _, values = cameras_of_rays(QUICK)
    assert values['rays_focal_error'] < 0.01 and values['rays_rotation_deg'] < 0.2
    assert 0 < values['rays_center_m'] < 0.01
