# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation

from sam3d_ros.geometry.transforms import apply, transform
from sam3d_ros.reconstruction.evidence.grid import Grid
from sam3d_ros.training.volume.distance import signed_distance
from sam3d_ros.world.solid import Solid

SIZE_M = np.array([0.10, 0.06, 0.04])
TRUNCATION_M = 0.012


@pytest.mark.parametrize('size', [48, 32])
@pytest.mark.parametrize('seed', range(3))
def test_distance_of_a_brick_is_that_of_the_formula(size: int, seed: int) -> None:
    box = trimesh.creation.box(SIZE_M)
    vertices, faces = np.asarray(box.vertices, np.float32), np.asarray(box.faces, np.int32)
    brick = Solid('brick', vertices, faces, np.zeros((8, 3), np.uint8), 'box')
    R = Rotation.random(random_state=seed).as_matrix()
    T_obj_grid = transform(R, np.array([0.01, -0.02, 0.005]))
    grid = Grid(size, 0.15 / size, np.eye(4))
    found = signed_distance(brick, T_obj_grid, grid, TRUNCATION_M)
    q = np.abs(apply(T_obj_grid, grid.centres_m().astype(np.float64))) - SIZE_M / 2
    true = np.linalg.norm(np.maximum(q, 0), axis=-1) + np.minimum(q.max(axis=-1), 0)
    assert found.shape == (size,) * 3 and found.dtype == np.float32
    np.testing.assert_allclose(found, np.clip(true, -TRUNCATION_M, TRUNCATION_M), atol=1e-5)
