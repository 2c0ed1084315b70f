# SPDX-License-Identifier: Apache-2.0
"""Tiny random checkpoints in the official formats: they load like real ones, and mean nothing."""

import torch
import transformers
from tiny_encoders import hiera, vit

G, D = 8, 128


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


def detector_config():
    """Return the smallest detector that a video checkpoint can hold."""
    return transformers.Sam3Config(
        vision_config=vit(D, G),
        text_config={
            'vocab_size': 200,
            'hidden_size': D,
            'intermediate_size': 64,
            'projection_dim': 16,
            'num_hidden_layers': 1,
            'num_attention_heads': 2,
            'max_position_embeddings': 32,
        },
        geometry_encoder_config={'hidden_size': D, 'num_layers': 1, 'intermediate_size': 64},
        detr_encoder_config={'hidden_size': D, 'num_layers': 1, 'intermediate_size': 64},
        detr_decoder_config={
            'hidden_size': D,
            'num_layers': 2,
            'num_queries': 10,
            'intermediate_size': 64,
        },
        mask_decoder_config={'hidden_size': D},
    )


def save_tiny_sam3(folder):
    """Write a random SAM 3 video checkpoint: detector and tracker in one file."""
    torch.manual_seed(0)
    vision = detector_config().vision_config.to_dict()
    tracker = transformers.Sam3TrackerVideoConfig(
        vision_config=vision,
        prompt_encoder_config={'hidden_size': D, 'image_size': 14 * G, 'patch_size': 14},
        mask_decoder_config={'hidden_size': D, 'mlp_dim': 64, 'iou_head_hidden_dim': D},
        memory_attention_hidden_size=D,
        memory_attention_num_layers=1,
        memory_attention_feed_forward_hidden_size=64,
        memory_attention_rope_feat_sizes=[G, G],
        memory_encoder_hidden_size=D,
        memory_encoder_output_channels=64,
        mask_downsampler_embed_dim=D,
        memory_fuser_embed_dim=D,
        memory_fuser_intermediate_dim=64,
        memory_fuser_num_layers=1,
        image_size=14 * G,
    )
    config = transformers.Sam3VideoConfig(
        detector_config=detector_config().to_dict(), tracker_config=tracker.to_dict()
    )
    transformers.Sam3VideoModel(config).save_pretrained(folder)
    alphabet = 'abcdefghijklmnopqrstuvwxyz '
    words = [*alphabet, *(c + '</w>' for c in alphabet), '<|startoftext|>', '<|endoftext|>']
    vocabulary = {word: index for index, word in enumerate(words)}
    transformers.CLIPTokenizer(vocab=vocabulary, merges=[]).save_pretrained(folder)
