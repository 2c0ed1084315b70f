# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation

from sam3d_ros.core.errors import InputError
from sam3d_ros.training.volume.objects import (
    draw_solid,
    load_object,
    make_object,
    pool_files,
    scans,
    settle,
    write_pool,
)
from sam3d_ros.world.solid import Solid

SIZE_M = np.array([0.10, 0.06, 0.04])


@pytest.fixture(scope='module')
def brick():
    box = trimesh.creation.box(SIZE_M)
    return make_object(solid('brick', box.vertices + 1.0, box.faces))


def solid(name: str, vertices_m: np.ndarray, faces: np.ndarray) -> Solid:
    vertices_m = np.asarray(vertices_m, np.float32)
    colors = np.tile(np.array([200, 100, 50], np.uint8), (len(vertices_m), 1))
    return Solid(name, vertices_m, np.asarray(faces, np.int32), colors, 'box')


def test_object_is_centred(brick) -> None:
    assert np.allclose(brick.vertices_m.min(axis=0), -SIZE_M / 2, atol=1e-6)
    assert np.abs(brick.centre_m()).max() < brick.step_m


def test_field_is_the_signed_distance(brick) -> None:
    points = np.random.default_rng(0).uniform(-0.6, 0.6, (2000, 3)) * SIZE_M
    q = np.abs(points) - SIZE_M / 2
    true = np.linalg.norm(np.maximum(q, 0), axis=1) + np.minimum(q.max(axis=1), 0)
    assert np.abs(brick.distance_m(points) - true).max() < brick.step_m
    assert np.array_equal(
        brick.contains(points)[np.abs(true) > 0.001], true[np.abs(true) > 0.001] < 0
    )


@pytest.mark.parametrize('seed', range(5))
def test_settled_brick_lies_on_a_face(brick, seed: int) -> None:
    R = settle(brick, Rotation.random(random_state=seed).as_matrix())
    assert np.linalg.det(R) == pytest.approx(1.0)
    height = np.ptp(brick.vertices_m @ R.T[:, 2])
    assert np.abs(height - SIZE_M).min() < 1e-6


def test_top_heavy_pin_falls_over() -> None:
    pin = trimesh.creation.cone(radius=0.03, height=0.2)
    pin = make_object(solid('pin', pin.vertices, pin.faces))
    tip_down = settle(pin, np.diag([1.0, -1.0, -1.0]))
    assert np.ptp(pin.vertices_m @ tip_down.T[:, 2]) < 0.1


def test_pool_is_read_back_and_split(tmp_path: Path) -> None:
    write_pool(tmp_path, None, 2)
    training, held_out = pool_files(tmp_path, False)[0], pool_files(tmp_path, True)[0]
    assert [file.name for file in held_out] == ['solid_00000.npz']
    assert [file.name for file in training] == ['solid_00001.npz']
    item = load_object(training[0])
    assert item.field_m.dtype == np.float32 and (item.field_m < 0).any()
    assert np.array_equal(item.colors, draw_solid(1).colors)


def test_pool_of_chosen_families(tmp_path: Path) -> None:
    write_pool(tmp_path, None, 3, families=('cup', 'plate'))
    families = {load_object(file).family for file in sorted(tmp_path.glob('solid_*.npz'))}
    assert families <= {'cup', 'plate'}


def test_test_split_is_never_among_the_training_scans(shared_data: Path) -> None:
    training = {entry.name for entry in scans(shared_data / 'objects', 'train')}
    scored = {entry.name for entry in scans(shared_data / 'objects', 'test')}
    assert training and scored and not training & scored


def test_folder_without_index_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r'index\.json'):
        scans(tmp_path, 'train')
