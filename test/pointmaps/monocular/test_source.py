# SPDX-License-Identifier: Apache-2.0
"""Depth Anything fills what was not measured, aligned or not at all; a tiny random checkpoint."""

import logging

import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='needs the extra: sam')
transformers = pytest.importorskip('transformers', reason='needs the extra: sam')

from sam3d_ros.core.errors import BackendError
from sam3d_ros.core.types import Camera
from sam3d_ros.geometry.lenses import Lens
from sam3d_ros.geometry.transform_tree import TransformTree
from sam3d_ros.pointmaps.config import DepthAnythingConfig, PointmapConfig
from sam3d_ros.pointmaps.inputs import ColorImage, DepthImage
from sam3d_ros.pointmaps.monocular.source import DepthAnythingSource

CAMERA = Camera(96, 72, np.array([[80.0, 0, 47.5], [0, 80.0, 35.5], [0, 0, 1]]))


@pytest.fixture(scope='module', params=['relative', 'metric'])
def checkpoint(request, tmp_path_factory):
    backbone = transformers.Dinov2Config(
        hidden_size=32,
        num_hidden_layers=4,
        num_attention_heads=2,
        mlp_ratio=2,
        image_size=56,
        patch_size=14,
        out_indices=[1, 2, 3, 4],
        apply_layernorm=True,
        reshape_hidden_states=False,
    )
    settings = transformers.DepthAnythingConfig(
        backbone_config=backbone,
        reassemble_hidden_size=32,
        neck_hidden_sizes=[8, 16, 16, 16],
        fusion_hidden_size=16,
        head_hidden_size=8,
        depth_estimation_type=request.param,
        max_depth=10 if request.param == 'metric' else 1,
    )
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp(request.param)
    transformers.DepthAnythingForDepthEstimation(settings).save_pretrained(folder)
    return folder


def made(folder):
    options = DepthAnythingConfig(checkpoint=str(folder), device='cpu')
    return DepthAnythingSource(PointmapConfig(depth_anything=options, measure_noise=False))


def seen(depth_m):
    rgb = np.random.default_rng(0).integers(0, 255, (72, 96, 3), np.uint8)
    lens = Lens(96, 72, CAMERA.K, CAMERA)
    return ColorImage(0, 'camera', rgb, lens), DepthImage(0, 'camera', depth_m, lens)


def test_the_checkpoint_answers_at_the_image_s_size(checkpoint):
    source = made(checkpoint)
    found = source.infer(seen(None)[0].rgb)
    assert found.shape == (72, 96) and np.isfinite(found).all()
    assert source.is_disparity == ('relative' in checkpoint.name)


def test_gaps_get_inferred_range_that_agrees_with_what_was_measured(checkpoint, monkeypatch):
    source = made(checkpoint)
    truth = np.linspace(1.0, 3.0, 96 * 72, dtype=np.float32).reshape(72, 96)
    says = 0.3 / truth + 0.1 if source.is_disparity else 0.3 * truth + 0.1
    monkeypatch.setattr(source, 'infer', lambda rgb: says.astype(np.float32))
    measured = truth.copy()
    measured[20:50, 30:60] = np.nan
    found = source.range_of(*seen(measured), TransformTree())
    hole = np.isnan(measured)
    assert np.array_equal(~found.measured, hole)
    assert np.allclose(found.depth_m[hole], truth[hole], rtol=0.01)
    assert np.array_equal(found.depth_m[~hole], truth[~hole])
    assert (found.sigma_m[hole] > 0).all() and found.sigma_m[hole].max() < 0.05


def test_what_cannot_be_aligned_is_left_out_and_said_once(checkpoint, caplog):
    source = made(checkpoint)
    measured = np.full((72, 96), 2.0, np.float32)
    measured[20:50, 30:60] = np.nan
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            found = source.range_of(*seen(measured), TransformTree())
    assert np.isnan(found.depth_m[20:50, 30:60]).all() and found.measured is None
    assert len([line for line in caplog.records if 'nothing is inferred' in line.message]) == 1


def test_a_checkpoint_that_is_none_is_refused(tmp_path):
    with pytest.raises(BackendError, match='no checkpoint'):
        made(tmp_path / 'nothing')
