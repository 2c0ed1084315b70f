# SPDX-License-Identifier: Apache-2.0
"""What noise can make is no thing, however it is shaped; what it cannot is one."""

import numpy as np
import pytest

from sam3d_ros.core.sensors import MODELS
from sam3d_ros.segmentation.config import SupportConfig
from sam3d_ros.segmentation.partition.grid import make_grid
from sam3d_ros.segmentation.partition.normals import local_planes
from sam3d_ros.segmentation.partition.significance import left_after, rises_surely
from sam3d_ros.segmentation.partition.supports import find_structure


def test_what_is_left_of_noise_falls_with_the_cells_and_slower_with_grain():
    cells = np.array([1.0, 49.0, 400.0])
    white = left_after(MODELS['white'], cells, 2)
    stereo = left_after(MODELS['d435'], cells, 2)
    np.testing.assert_allclose(white, 1 / np.sqrt(cells), rtol=0.08)
    assert (np.diff(stereo) < 0).all() and (stereo[1:] > 3 * white[1:]).all()


@pytest.mark.parametrize(('sensor', 'height_m', 'sure'), [
    ('white', 0.010, True), ('d435', 0.006, False), ('d435', 0.030, True),
])  # fmt: skip
def test_a_low_box_is_sure_where_the_sensor_is_good_enough(
    make_scene, box, sensor, height_m, sure
):
    scene = make_scene([box((0, 0, height_m / 2), (0.03, 0.03, height_m))])
    grid = make_grid(scene.frame)
    model = MODELS[sensor]
    structure = find_structure(
        grid, local_planes(grid, model), model, scene.frame.up_cam, SupportConfig()
    )
    labels = scene.truth[:: grid.step, :: grid.step].astype(np.int32) * grid.valid
    assert bool(rises_surely(labels, grid, structure, model)[1]) == sure
