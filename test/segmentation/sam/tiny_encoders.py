# SPDX-License-Identifier: Apache-2.0
"""The smallest image encoders that models of transformers are made with in tests."""


def hiera(hidden=32):
    """Return the vision configuration of SAM 2 for 64 px."""
    return {
        'backbone_config': {
            'model_type': 'sam2_hiera_det_model',
            'hidden_size': 8,
            'num_attention_heads': 1,
            'image_size': [64, 64],
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
        'fpn_hidden_size': hidden,
        'fpn_top_down_levels': [2, 3],
        'num_feature_levels': 3,
    }


def vit(hidden, grid):
    """Return the vision configuration of SAM 3 for a grid of so many patches of 14 px a side."""
    return {
        'backbone_config': {
            'model_type': 'sam3_vit_model',
            'hidden_size': 32,
            'intermediate_size': 64,
            'num_hidden_layers': 2,
            'num_attention_heads': 2,
            'image_size': 14 * grid,
            'patch_size': 14,
            'window_size': 4,
            'global_attn_indexes': [1],
            'pretrain_image_size': 56,
        },
        'fpn_hidden_size': hidden,
        'backbone_feature_sizes': [[k * grid, k * grid] for k in (4, 2, 1)],
    }
