# SPDX-License-Identifier: Apache-2.0
"""The adapter with a stand-in of the official call signature: bodies, errors, their place."""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from sam3d_ros.core.errors import BackendError
from sam3d_ros.core.types import FaceLabel
from sam3d_ros.people.config import PeopleConfig
from sam3d_ros.people.sam3d_body.client import (
    BodyRequest,
    OfficialBodyWorker,
    offset_to_returns,
)
from sam3d_ros.people.sam3d_body.config import Sam3dBodyConfig
from sam3d_ros.people.stage import PeopleStage

STAND_IN = '''
import numpy as np

def load_sam_3d_body(checkpoint, device, mhr_path):
    return open(checkpoint).read().strip(), {'mhr': mhr_path}

class SAM3DBodyEstimator:
    """The official call signature; the body is an upright box of a man, half a metre too far."""
    def __init__(self, model, cfg, human_detector, human_segmentor, fov_estimator):
        self.behaviour = model
        self.faces = np.array([[0, 2, 1], [1, 2, 3]])

    def process_one_image(self, img, bboxes, masks, cam_int, use_mask, inference_type):
        if self.behaviour == 'fail':
            raise ValueError('no such luck')
        assert use_mask and inference_type == 'full' and masks.shape == (1, *img.shape[:2])
        rng = np.random.default_rng(0)
        vertices = rng.uniform([-0.25, -0.85, -0.12], [0.25, 0.85, 0.12], (4000, 3))
        K = np.asarray(cam_int)[0]
        middle = (bboxes[0, :2] + bboxes[0, 2:]) / 2
        z = 1.7 * K[1, 1] / (bboxes[0, 3] - bboxes[0, 1]) + 0.5
        x, y = (middle - K[:2, 2]) / [K[0, 0], K[1, 1]] * z
        return [{
            'pred_vertices': vertices, 'pred_keypoints_3d': np.zeros((70, 3)),
            'pred_cam_t': np.array([x, y, z]), 'mhr_model_params': np.arange(204.0),
            'shape_params': np.zeros(45)}]
'''


@pytest.fixture
def config_for(tmp_path: Path) -> Callable[..., Sam3dBodyConfig]:
    (tmp_path / 'sam_3d_body.py').write_text(STAND_IN)

    def make(behaviour: str = '', python: str = sys.executable) -> Sam3dBodyConfig:
        checkpoint = tmp_path / 'model.ckpt'
        checkpoint.write_text(behaviour)
        return Sam3dBodyConfig(
            python, str(tmp_path), str(checkpoint), 'mhr.pt', 'cpu', every_s=0.0, timeout_s=20.0
        )

    return make


def request() -> BodyRequest:
    image = np.zeros((120, 160, 3), np.uint8)
    K = np.array([[130.0, 0, 80], [0, 130.0, 60], [0, 0, 1]])
    return BodyRequest(image, np.array([60.0, 10, 100, 110]), np.ones((120, 160), bool), K)


def test_a_body_comes_back_in_the_optical_frame(config_for: Callable) -> None:
    worker = OfficialBodyWorker(config_for())
    try:
        body = worker.estimate(request())
    finally:
        worker.close()
    assert body.vertices_m.shape == (4000, 3) and body.faces.tolist() == [[0, 2, 1], [1, 2, 3]]
    assert body.vertices_m[:, 2].mean() == pytest.approx(1.7 * 130 / 100 + 0.5, abs=0.05)
    assert body.mhr.shape == (204,) and body.keypoints_m.shape == (70, 3)


def test_failures_and_missing_paths_are_named(config_for: Callable) -> None:
    worker = OfficialBodyWorker(config_for('fail'))
    with pytest.raises(BackendError, match='no such luck'):
        worker.estimate(request())
    worker.close()
    with pytest.raises(BackendError, match=r'people\.sam3d_body\.repository'):
        OfficialBodyWorker(Sam3dBodyConfig(python='python'))


def test_a_body_is_moved_onto_the_returns() -> None:
    rng = np.random.default_rng(1)
    vertices = rng.uniform([-0.25, -0.85, 1.9], [0.25, 0.85, 2.1], (4000, 3)).astype(np.float32)
    front = vertices[vertices[:, 2] < 1.93].astype(np.float64)
    moved = [0.1, -0.05, -0.6]
    assert offset_to_returns(vertices, front + moved) == pytest.approx(moved, abs=0.05)
    assert offset_to_returns(vertices, front[:10]) == pytest.approx([0, 0, 0])


def test_the_stage_tells_the_official_body_where_depth_shows_the_person(
    config_for: Callable, drawn: Callable
) -> None:
    episode, samples = drawn('standing', seed=1, frames=4)
    stage = PeopleStage(PeopleConfig(sam3d_body=config_for()))
    for sample in samples:
        (person,) = stage.update(sample.frame()).items
    stage.close()
    assert person.body is not None and person.body.mhr is not None
    trunk = episode.joints_m[-1, 0, [11, 12, 23, 24]].mean(axis=0)
    assert np.linalg.norm((person.body.vertices_m.mean(axis=0) - trunk)[:2]) < 0.25
    assert set(person.body.face_labels) <= {FaceLabel.OBSERVED, FaceLabel.OCCLUDED}
    assert person.skeleton is not None  # the fast path goes on beside it


def test_an_installation_that_fails_costs_its_body_alone(
    config_for: Callable, drawn: Callable
) -> None:
    _, samples = drawn('standing', seed=1, frames=4)
    said: list[str] = []
    stage = PeopleStage(PeopleConfig(sam3d_body=config_for('fail')), said.append)
    for sample in samples:
        (person,) = stage.update(sample.frame()).items
    stage.close()
    assert person.skeleton is not None and person.body is None
    assert any('no such luck' in sentence for sentence in said)
