# SPDX-License-Identifier: Apache-2.0
"""Tiny random checkpoints of video models, in folders as the published ones: they mean nothing."""

import pytest

torch = pytest.importorskip('torch', reason='video models need torch (extra: sam)')
transformers = pytest.importorskip('transformers', reason='video models need it (extra: sam)')

D, SIZE, G = 128, 64, 8
"""Hidden size (SAM 2's memory needs a multiple of 64 above 64), input, and SAM 3's patch grid."""

HIERA = {
    'backbone_config': {
        'model_type': 'sam2_hiera_det_model',
        'hidden_size': 8,
        'num_attention_heads': 1,
        'image_size': [SIZE, SIZE],
        'patch_kernel_size': [7, 7],
        'patch_stride': [4, 4],
        'patch_padding': [3, 3],
        'blocks_per_stage': [1, 1, 2, 1],
        'embed_dim_per_stage': [8, 16, 32, 64],
        'num_attention_heads_per_stage': [1, 1, 2, 2],
        'window_size_per_stage': [4, 2, 2, 2],
        'global_attention_blocks': [3],
        'query_stride': [2, 2],
        'num_query_pool_stages': 3,
        'window_positional_embedding_background_size': [2, 2],
    },
    'backbone_channel_list': [64, 32, 16, 8],
    'backbone_feature_sizes': [[16, 16], [8, 8], [4, 4]],
    'fpn_hidden_size': D,
    'fpn_top_down_levels': [2, 3],
    'num_feature_levels': 3,
}
VIT = {
    'backbone_config': {
        'model_type': 'sam3_vit_model',
        'hidden_size': 32,
        'intermediate_size': 64,
        'num_hidden_layers': 2,
        'num_attention_heads': 2,
        'image_size': 14 * G,
        'patch_size': 14,
        'window_size': 4,
        'global_attn_indexes': [1],
        'pretrain_image_size': 56,
    },
    'fpn_hidden_size': D,
    'backbone_feature_sizes': [[4 * G, 4 * G], [2 * G, 2 * G], [G, G]],
}
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
        vision_config=HIERA,
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
        vision_config={'model_type': 'sam2_vision_model', **HIERA},
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
        vision_config=VIT,
        prompt_encoder_config={'hidden_size': D, 'image_size': 14 * G, 'patch_size': 14},
        mask_decoder_config=DECODER,
        memory_attention_feed_forward_hidden_size=64,
        memory_attention_rope_feat_sizes=[G, G],
        image_size=14 * G,
        **MEMORY,
    )
    small = {'hidden_size': D, 'intermediate_size': 64}
    detector = transformers.Sam3Config(
        vision_config=VIT,
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
