# SPDX-License-Identifier: Apache-2.0
"""Surfels as files, read back as the viewers of Gaussian splats read them."""

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from sam3d_ros.export.surfel_ply import write_gaussians, write_points
from sam3d_ros.masks3d.surfels import Surfels


@pytest.fixture(scope='module')
def surfels(boxes_world) -> Surfels:
    frame, _ = boxes_world((0.4, -0.5, 0.4), [((0, 0, 0.1), (0.2, 0.2, 0.2), (200, 100, 50))])
    seen = Surfels(0.01)
    seen.add(frame)
    return seen


def load(path: Path) -> np.ndarray:
    """Return the vertices of a binary PLY whose properties are floats and bytes."""
    head, _, data = path.read_bytes().partition(b'end_header\n')
    lines = head.decode().split('\n')
    assert lines[:2] == ['ply', 'format binary_little_endian 1.0']
    (count,) = [int(line.split()[2]) for line in lines if line.startswith('element vertex')]
    kinds = {'float': '<f4', 'uchar': 'u1'}
    fields = [line.split()[1:] for line in lines if line.startswith('property')]
    vertices = np.frombuffer(data, [(name, kinds[kind]) for kind, name in fields])
    assert len(vertices) == count
    return vertices


def as_viewers_do(path: Path) -> dict[str, np.ndarray]:
    """Return what a viewer of splats shows: the layout of the reference implementation's files."""
    v = load(path)
    rest = [name for name in v.dtype.names if name.startswith('f_rest_')]
    assert len(rest) == 3 * (3 + 1) ** 2 - 3
    columns = {
        'xyz': ['x', 'y', 'z'],
        'f_dc': [f'f_dc_{k}' for k in range(3)],
        'scale': [f'scale_{k}' for k in range(3)],
        'rot': [f'rot_{k}' for k in range(4)],
    }
    found = {key: np.stack([v[n] for n in names], axis=1) for key, names in columns.items()}
    rotation = Rotation.from_quat(found['rot'], scalar_first=True).as_matrix()
    stretched = rotation * np.exp(found['scale'])[:, None, :]
    return {
        'center': found['xyz'],
        'rgb': 0.5 + 0.28209479177387814 * found['f_dc'],
        'opacity': 1 / (1 + np.exp(-v['opacity'])),
        'covariance': stretched @ stretched.transpose(0, 2, 1),
    }


def test_gaussians_are_what_viewers_of_splats_read(surfels, tmp_path) -> None:
    confidence = np.linspace(0.1, 0.9, len(surfels))
    write_gaussians(tmp_path / 'splats.ply', surfels, confidence)
    shown = as_viewers_do(tmp_path / 'splats.ply')
    np.testing.assert_allclose(shown['center'], surfels.points_fixed, atol=1e-6)
    np.testing.assert_allclose(shown['rgb'] * 255, surfels.colors, atol=1e-2)
    np.testing.assert_allclose(shown['opacity'], confidence, atol=1e-5)
    variance, axes = np.linalg.eigh(shown['covariance'])
    thin = np.abs((axes[:, :, 0] * surfels.normals_fixed).sum(axis=1))
    assert np.median(thin) > 0.999
    np.testing.assert_allclose(np.sqrt(variance[:, 1:]), 0.6 * surfels.spacing_m, rtol=1e-4)


def test_points_have_normals_colours_and_confidence(surfels, tmp_path) -> None:
    confidence = np.full(len(surfels), 0.25)
    write_points(tmp_path / 'points.ply', surfels, confidence)
    vertices = load(tmp_path / 'points.ply')
    np.testing.assert_allclose(vertices['z'], surfels.points_fixed[:, 2], atol=1e-6)
    np.testing.assert_array_equal(vertices['red'], np.rint(surfels.colors[:, 0]))
    assert np.unique(vertices['confidence']) == [0.25]
    up = vertices[(vertices['z'] > 0.195) & (np.hypot(vertices['x'], vertices['y']) < 0.07)]
    assert np.median(up['nz']) > 0.99


def test_equal_surfels_give_equal_bytes(surfels, tmp_path) -> None:
    confidence = np.ones(len(surfels))
    for name in ('a.ply', 'b.ply'):
        write_gaussians(tmp_path / name, surfels, confidence)
    assert (tmp_path / 'a.ply').read_bytes() == (tmp_path / 'b.ply').read_bytes()
