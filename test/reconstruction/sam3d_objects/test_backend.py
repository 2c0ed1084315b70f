# SPDX-License-Identifier: Apache-2.0
"""Official results as completions: place, size and the principal point, against a known box."""

import dataclasses
import sys

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from sam3d_ros.core.errors import BackendError
from sam3d_ros.core.types import Instance, Instances, Plane
from sam3d_ros.geometry.transforms import apply, inverse
from sam3d_ros.reconstruction.config import ReconstructionConfig
from sam3d_ros.reconstruction.evidence.evidence import build_evidence
from sam3d_ros.reconstruction.sam3d_objects.backend import (
    Sam3dObjectsCompletion,
    fit_similarity,
    official_request,
)
from sam3d_ros.reconstruction.sam3d_objects.config import Sam3dObjectsConfig
from sam3d_ros.reconstruction.sam3d_objects.conventions import A, F, optical_from_glb
from sam3d_ros.reconstruction.views import crop_view

pytest.importorskip('open3d', reason='signed distances come from Open3D (extra: viewer)')

CENTER, SIZE = np.array([0.12, -0.15, 0.05]), np.array([0.08, 0.12, 0.10])

# Returns a box of the true shape whose pose is off by 1 cm and whose scale by 5 %.
STAND_IN = """
from types import SimpleNamespace
import numpy as np

class Inference:
    def __init__(self, config_file, compile=False):
        self.truth = np.load(config_file)

    def __call__(self, image, mask, seed=None, pointmap=None):
        colors = np.zeros((8, 4), np.uint8)
        mesh = SimpleNamespace(vertices=self.truth['vertices'], faces=self.truth['faces'],
                               visual=SimpleNamespace(vertex_colors=colors))
        return {'glb': mesh, 'rotation': self.truth['wxyz'][None],
                'translation': self.truth['translation'][None] + 0.01,
                'scale': np.full((1, 3), 1.05 * self.truth['scale'])}
"""


@pytest.fixture
def evidence(boxes_world):
    frame, index = boxes_world((0.7, 0.0, 0.5), [(CENTER, SIZE, (200, 40, 40))], size=(320, 240))
    mask = index == 0
    rows, columns = np.nonzero(mask)
    box = tuple(int(x) for x in (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1))
    normal = frame.up_cam
    plane = Plane(normal, float(frame.T_fixed_cam[2, 3]))
    instances = Instances(0, (Instance(mask, 1.0, box, 'truth', support=0),), (plane,))
    return frame, build_evidence([crop_view(frame, instances, 0)], ReconstructionConfig().evidence)


def official_pose(T_cam_obj, scale):
    """Return what the official side would report: F R^T A is the object's rotation."""
    R = (F @ T_cam_obj[:3, :3] @ A.T).T
    wxyz = np.roll(Rotation.from_matrix(R).as_quat(), 1)
    return wxyz, F @ T_cam_obj[:3, 3], scale


def test_completion_is_the_box_where_it_stands(evidence, tmp_path):
    frame, seen = evidence
    import open3d

    box = open3d.geometry.TriangleMesh.create_box(*SIZE)
    vertices = np.asarray(box.vertices) - SIZE / 2
    T_cam_obj = inverse(frame.T_fixed_cam) @ np.block(
        [[np.eye(3), CENTER[:, None]], [np.zeros(3), 1]]
    )
    wxyz, translation, scale = official_pose(T_cam_obj, 0.2)
    np.testing.assert_allclose(
        apply(optical_from_glb(wxyz, translation, scale), vertices / scale),
        apply(T_cam_obj, vertices),
        atol=1e-9,
    )
    (tmp_path / 'inference.py').write_text(STAND_IN)
    with (tmp_path / 'truth.npz').open('wb') as file:
        np.savez(
            file,
            vertices=vertices / scale,
            faces=np.asarray(box.triangles, np.int32),
            wxyz=wxyz,
            translation=translation,
            scale=scale,
        )
    sam3d = Sam3dObjectsConfig(
        python=sys.executable, notebook=str(tmp_path), pipeline=str(tmp_path / 'truth.npz')
    )
    backend = Sam3dObjectsCompletion(
        dataclasses.replace(ReconstructionConfig(), sam3d_objects=sam3d)
    )
    try:
        (completion,) = backend.complete([seen])
    finally:
        backend.close()
    centres = apply(seen.grid.T_ref_grid, seen.grid.centres_m().reshape(-1, 3).astype(float))
    inside = (np.abs(centres - CENTER) < SIZE / 2).all(axis=1).reshape(completion.distance_m.shape)
    found = completion.distance_m < 0
    assert (inside & found).sum() / (inside | found).sum() > 0.75
    assert completion.backend == 'sam3d_objects'
    assert ((completion.probability > 0.5) == found).all()


def test_request_has_a_centred_principal_point(evidence):
    _, seen = evidence
    view = seen.views[0]
    asked = official_request(view)
    rows, columns = asked.mask.shape
    v, u = np.nonzero(asked.mask & np.isfinite(asked.pointmap[..., 2]))
    x, y, z = asked.pointmap[v, u].T
    # The official camera has x left and y up: u grows against x.
    np.testing.assert_allclose(u - columns / 2, -x / z * view.camera.fx, atol=1.6)
    np.testing.assert_allclose(v - rows / 2, -y / z * view.camera.fy, atol=1.6)
    assert asked.mask.sum() == view.mask.sum()


def test_similarity_fit_recovers_scale_and_place_from_one_side():
    import open3d

    box = open3d.geometry.TriangleMesh.create_box(0.1, 0.14, 0.2).subdivide_midpoint(4)
    vertices, faces = np.asarray(box.vertices), np.asarray(box.triangles)
    observed = vertices[(vertices[:, 0] > 0.099) | (vertices[:, 2] > 0.199)]
    wrong = 1.06 * vertices + [0.004, -0.006, 0.003]
    fixed = apply(fit_similarity(wrong, faces, observed), wrong)
    before = np.linalg.norm(wrong - vertices, axis=1).mean()
    assert np.linalg.norm(fixed - vertices, axis=1).mean() < 0.7 * before
    np.testing.assert_array_equal(fit_similarity(vertices, faces, observed[:3]), np.eye(4))


def test_missing_installation_is_named():
    with pytest.raises(BackendError, match=r'reconstruction\.sam3d_objects\.python'):
        Sam3dObjectsCompletion(ReconstructionConfig())
