# SPDX-License-Identifier: Apache-2.0
"""Tiny random checkpoints of every kind, as transformers saves them; an image and its depth."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / 'bags'))

BACKBONE = {
    'hidden_size': 32,
    'num_hidden_layers': 4,
    'num_attention_heads': 2,
    'mlp_ratio': 2,
    'image_size': 56,
    'patch_size': 14,
    'out_indices': [1, 2, 3, 4],
    'apply_layernorm': True,
    'reshape_hidden_states': False,
}
NECK = {
    'reassemble_hidden_size': 32,
    'neck_hidden_sizes': [8, 16, 16, 16],
    'fusion_hidden_size': 16,
    'head_hidden_size': 8,
}


def random_model(kind):
    """Return a small model of a kind with random weights."""
    transformers = pytest.importorskip('transformers', reason='needs the extra: sam')
    if kind == 'pro':
        part = {
            'hidden_size': 16,
            'num_hidden_layers': 4,
            'num_attention_heads': 2,
            'mlp_ratio': 2,
            'image_size': 16,
            'patch_size': 4,
            'model_type': 'dinov2',
        }
        settings = transformers.DepthProConfig(
            patch_size=16,
            fusion_hidden_size=16,
            intermediate_hook_ids=[2, 0],
            intermediate_feature_dims=[8, 8],
            scaled_images_ratios=[0.5, 1.0],
            scaled_images_overlap_ratios=[0.0, 0.2],
            scaled_images_feature_dims=[12, 12],
            image_model_config=dict(part),
            patch_model_config=dict(part),
            fov_model_config=dict(part),
        )
        return transformers.DepthProForDepthEstimation(settings)
    shape = {'backbone_config': transformers.Dinov2Config(**BACKBONE), **NECK}
    if kind == 'prompt':
        settings = transformers.PromptDepthAnythingConfig(**shape, max_depth=10)
        return transformers.PromptDepthAnythingForDepthEstimation(settings)
    settings = transformers.DepthAnythingConfig(
        **shape,
        depth_estimation_type=kind,
        max_depth=10 if kind == 'metric' else 1,
    )
    return transformers.DepthAnythingForDepthEstimation(settings)


@pytest.fixture(scope='session')
def checkpoints(tmp_path_factory):
    """Return the folder of a checkpoint by its kind, made when first asked for."""
    torch = pytest.importorskip('torch', reason='needs the extra: sam')
    made = {}

    def folder(kind):
        if kind not in made:
            torch.manual_seed(0)
            made[kind] = tmp_path_factory.mktemp(kind)
            random_model(kind).save_pretrained(made[kind])
        return made[kind]

    return folder


@pytest.fixture
def networked():
    """Return a function that returns a configuration with a checkpoint of a kind."""
    from sam3d_ros.pointmaps.config import (
        DepthAnythingConfig,
        DepthProConfig,
        PointmapConfig,
        PromptDepthAnythingConfig,
    )

    groups = {
        'prompt': ('prompt_depth_anything', PromptDepthAnythingConfig),
        'pro': ('depth_pro', DepthProConfig),
    }

    def configured(kind, folder, **options):
        name, group = groups.get(kind, ('depth_anything', DepthAnythingConfig))
        own = {name: group(checkpoint=str(folder), device='cpu')}
        return PointmapConfig(range=name, measure_noise=False, **own, **options)

    return configured


@pytest.fixture
def seen():
    """Return a function that returns a noisy image, and a depth image of the same camera."""
    from sam3d_ros.core.types import Camera
    from sam3d_ros.geometry.lenses import Lens
    from sam3d_ros.pointmaps.inputs import ColorImage, DepthImage

    camera = Camera(96, 72, np.array([[80.0, 0, 47.5], [0, 80.0, 35.5], [0, 0, 1]]))
    lens = Lens(96, 72, camera.K, camera)
    rgb = np.random.default_rng(0).integers(0, 255, (72, 96, 3), np.uint8)

    def both(depth_m):
        return ColorImage(0, 'camera', rgb, lens), DepthImage(0, 'camera', depth_m, lens)

    return both
