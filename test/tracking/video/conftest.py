# SPDX-License-Identifier: Apache-2.0
"""Tiny random checkpoints of video models, in folders as the published ones: they mean nothing."""

import sys
from pathlib import Path

import pytest

torch = pytest.importorskip('torch', reason='video models need torch (extra: sam)')
transformers = pytest.importorskip('transformers', reason='video models need it (extra: sam)')

sys.path.insert(0, str(Path(__file__).parents[2] / 'segmentation' / 'sam'))

from tiny_encoders import hiera, vit

D, SIZE, G = 128, 64, 8
"""Hidden size (SAM 2's memory needs a multiple of 64 above 64), input, and SAM 3's patch grid."""

MEMORY = {
    'memory_attention_hidden_size': D,
    'memory_attention_num_layers': 1,
    'memory_attention_num_attention_heads': 1,
    'memory_encoder_hidden_size': D,
    'memory_encoder_output_channels': 64,
    'mask_downsampler_embed_dim': D,
    'memory_fuser_embed_dim': D,
    'memory_fuser_intermediate_dim': 64,
    'memory_fuser_num_layers': 1,
}
DECODER = {'hidden_size': D, 'mlp_dim': 64, 'iou_head_hidden_dim': D}


def saved(kind, config, folder):
    """Save a random model; return the folder."""
    torch.manual_seed(0)
    getattr(transformers, kind)(config).save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope='session')
def sam2_video(tmp_path_factory):
    config = transformers.Sam2VideoConfig(
        vision_config=hiera(D),
        prompt_encoder_config={'hidden_size': D, 'image_size': SIZE, 'patch_size': 16},
        mask_decoder_config=DECODER,
        memory_attention_feed_forward_hidden_size=64,
        memory_attention_rope_feat_sizes=[4, 4],
        image_size=SIZE,
        **MEMORY,
    )
    return saved('Sam2VideoModel', config, tmp_path_factory.mktemp('sam2_video'))


@pytest.fixture(scope='session')
def edgetam_video(tmp_path_factory):
    """EdgeTAM with SAM 2's image encoder: its own comes with timm."""
    config = transformers.EdgeTamVideoConfig(
        vision_config={'model_type': 'sam2_vision_model', **hiera(D)},
        prompt_encoder_config={'hidden_size': D, 'image_size': SIZE, 'patch_size': 16},
        mask_decoder_config=DECODER,
        memory_attention_mlp_hidden_size=64,
        memory_attention_rope_feat_sizes=[4, 4],
        memory_attention_rope_k_sizes=[2, 2],
        perceiver_resampler_num_latents=4,
        perceiver_resampler_num_latents_2d=4,
        image_size=SIZE,
        **MEMORY,
    )
    return saved('EdgeTamVideoModel', config, tmp_path_factory.mktemp('edgetam_video'))


@pytest.fixture(scope='session')
def sam3_video(tmp_path_factory):
    """A SAM 3 video checkpoint: detector and tracker in one file, as published."""
    tracker = transformers.Sam3TrackerVideoConfig(
        vision_config=vit(D, G),
        prompt_encoder_config={'hidden_size': D, 'image_size': 14 * G, 'patch_size': 14},
        mask_decoder_config=DECODER,
        memory_attention_feed_forward_hidden_size=64,
        memory_attention_rope_feat_sizes=[G, G],
        image_size=14 * G,
        **MEMORY,
    )
    small = {'hidden_size': D, 'intermediate_size': 64}
    detector = transformers.Sam3Config(
        vision_config=vit(D, G),
        text_config={
            **small,
            'vocab_size': 200,
            'projection_dim': 16,
            'num_hidden_layers': 1,
            'num_attention_heads': 2,
            'max_position_embeddings': 32,
        },
        geometry_encoder_config={**small, 'num_layers': 1},
        detr_encoder_config={**small, 'num_layers': 1},
        detr_decoder_config={**small, 'num_layers': 2, 'num_queries': 10},
        mask_decoder_config={'hidden_size': D},
    )
    config = transformers.Sam3VideoConfig(
        detector_config=detector.to_dict(), tracker_config=tracker.to_dict()
    )
    return saved('Sam3VideoModel', config, tmp_path_factory.mktemp('sam3_video'))
