# SPDX-License-Identifier: Apache-2.0
"""Tiny random checkpoints in the official formats: they load like real ones, and mean nothing."""

import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='the SAM backends need torch (extra: sam)')
transformers = pytest.importorskip('transformers', reason='the SAM backends need it (extra: sam)')

sys.path.insert(0, str(Path(__file__).parent))

from tiny_encoders import hiera


@pytest.fixture(scope='session')
def tiny_sam():
    """Return a random SamModel of 64 px input."""
    torch.manual_seed(0)
    return transformers.SamModel(
        transformers.SamConfig(
            vision_config={
                'hidden_size': 32,
                'output_channels': 16,
                'num_hidden_layers': 2,
                'num_attention_heads': 2,
                'image_size': 64,
                'patch_size': 8,
                'mlp_dim': 64,
                'window_size': 4,
                'global_attn_indexes': [1],
                'num_pos_feats': 8,
                'initializer_range': 0.02,
            },
            prompt_encoder_config={
                'hidden_size': 16,
                'image_size': 64,
                'patch_size': 8,
                'mask_input_channels': 4,
            },
            mask_decoder_config={
                'hidden_size': 16,
                'mlp_dim': 32,
                'num_hidden_layers': 2,
                'num_attention_heads': 8,
                'iou_head_hidden_dim': 16,
            },
        )
    ).eval()


@pytest.fixture(scope='session')
def tiny_sam2():
    """Return a random Sam2Model of 64 px input."""
    torch.manual_seed(0)
    return transformers.Sam2Model(
        transformers.Sam2Config(
            vision_config=hiera(),
            prompt_encoder_config={
                'hidden_size': 32,
                'image_size': 64,
                'patch_size': 16,
                'mask_input_channels': 4,
            },
            mask_decoder_config={
                'hidden_size': 32,
                'mlp_dim': 64,
                'num_hidden_layers': 2,
                'num_attention_heads': 2,
                'iou_head_hidden_dim': 32,
            },
        )
    ).eval()


@pytest.fixture
def image():
    """Return a (48, 80, 3) uint8 picture with structure."""
    v, u = np.mgrid[:48, :80]
    return np.stack([u * 3, v * 5, (u + v) * 2], axis=-1).astype(np.uint8)
