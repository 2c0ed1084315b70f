# SPDX-License-Identifier: Apache-2.0
"""Official SAM checkpoints (``sam_vit_*.pth``) as state and configuration for transformers.

Only names differ between the two; sizes are read off the tensors, so any width and depth loads.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from sam3d_ros.core.errors import BackendError
from sam3d_ros.core.pretrained.checkpoints import Checkpoint
from sam3d_ros.core.pretrained.weights import file_hash

RENAMES: tuple[tuple[str, str], ...] = (
    (r'^image_encoder\.', 'vision_encoder.'),
    (r'patch_embed\.proj\.', 'patch_embed.projection.'),
    (r'^vision_encoder\.blocks\.', 'vision_encoder.layers.'),
    (r'neck\.0\.', 'neck.conv1.'),
    (r'neck\.1\.', 'neck.layer_norm1.'),
    (r'neck\.2\.', 'neck.conv2.'),
    (r'neck\.3\.', 'neck.layer_norm2.'),
    (r'\.norm(\d)\.', r'.layer_norm\1.'),
    (r'\.norm_final_attn\.', '.layer_norm_final_attn.'),
    (
        r'pe_layer\.positional_encoding_gaussian_matrix',
        'shared_embedding.positional_embedding',
    ),
    (r'point_embeddings\.', 'point_embed.'),
    (r'mask_downscaling\.0\.', 'mask_embed.conv1.'),
    (r'mask_downscaling\.1\.', 'mask_embed.layer_norm1.'),
    (r'mask_downscaling\.3\.', 'mask_embed.conv2.'),
    (r'mask_downscaling\.4\.', 'mask_embed.layer_norm2.'),
    (r'mask_downscaling\.6\.', 'mask_embed.conv3.'),
    (r'output_upscaling\.0\.', 'upscale_conv1.'),
    (r'output_upscaling\.1\.', 'upscale_layer_norm.'),
    (r'output_upscaling\.3\.', 'upscale_conv2.'),
    (r'(mlps\.\d|iou_prediction_head)\.layers\.0\.', r'\1.proj_in.'),
    (r'(mlps\.\d|iou_prediction_head)\.layers\.1\.', r'\1.layers.0.'),
    (r'(mlps\.\d|iou_prediction_head)\.layers\.2\.', r'\1.proj_out.'),
)
"""Applied in order; the second half of a name never matches an earlier pattern."""

DECODER_HEADS = 8
"""Attention heads of the mask decoder (SAM paper, appendix A): the size that no tensor tells."""


def renamed(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the tensors of an official checkpoint under transformers' names."""
    result: dict[str, torch.Tensor] = {}
    for name, tensor in state.items():
        for pattern, replacement in RENAMES:
            name = re.sub(pattern, replacement, name)
        result[name] = tensor
    positional = 'prompt_encoder.shared_embedding.positional_embedding'
    if positional not in result:
        raise BackendError(
            'the file is not an official SAM checkpoint: it has no prompt encoder',
            wanted='sam_vit_b/l/h.pth, or a folder that transformers saved',
        )
    # transformers keeps the shared positional code twice.
    result['shared_image_embedding.positional_embedding'] = result[positional]
    return result


def configuration(state: Mapping[str, torch.Tensor]) -> Any:
    """Return the transformers SamConfig whose model has exactly these (renamed) tensors."""
    from transformers import SamConfig

    hidden = state['vision_encoder.pos_embed'].shape[-1]
    patch = state['vision_encoder.patch_embed.projection.weight'].shape[-1]
    grid = state['vision_encoder.pos_embed'].shape[1]
    layers = range(_count(state, r'vision_encoder\.layers\.(\d+)\.'))
    reach = [state[f'vision_encoder.layers.{i}.attn.rel_pos_h'].shape[0] for i in layers]
    prompt_hidden = state['prompt_encoder.no_mask_embed.weight'].shape[-1]
    decoder_layers = _count(state, r'mask_decoder\.transformer\.layers\.(\d+)\.')
    vision = {
        'hidden_size': hidden,
        'output_channels': prompt_hidden,
        'num_hidden_layers': len(reach),
        'num_attention_heads': hidden // state['vision_encoder.layers.0.attn.rel_pos_h'].shape[-1],
        'image_size': grid * patch,
        'patch_size': patch,
        'mlp_dim': state['vision_encoder.layers.0.mlp.lin1.weight'].shape[0],
        'window_size': min((length + 1) // 2 for length in reach),
        'global_attn_indexes': [i for i, length in enumerate(reach) if length == 2 * grid - 1],
        'num_pos_feats': prompt_hidden // 2,
        'initializer_range': 0.02,
    }
    prompt = {
        'hidden_size': prompt_hidden,
        'image_size': grid * patch,
        'patch_size': patch,
        'mask_input_channels': state['prompt_encoder.mask_embed.conv2.weight'].shape[0],
    }
    decoder = {
        'hidden_size': prompt_hidden,
        'mlp_dim': state['mask_decoder.transformer.layers.0.mlp.lin1.weight'].shape[0],
        'num_hidden_layers': decoder_layers,
        'num_attention_heads': DECODER_HEADS,
        'iou_head_hidden_dim': state['mask_decoder.iou_prediction_head.proj_in.weight'].shape[0],
    }
    return SamConfig(
        vision_config=vision, prompt_encoder_config=prompt, mask_decoder_config=decoder
    )


def _count(state: Mapping[str, torch.Tensor], pattern: str) -> int:
    found = (re.match(pattern, name) for name in state)
    return 1 + max(int(match.group(1)) for match in found if match)


def load_official_sam(path: Path) -> Checkpoint:
    """Return transformers' SamModel with the weights of an official ``.pth`` file.

    :raises BackendError: when the file cannot be read safely, or its tensors do not fit.
    """
    from transformers import SamModel

    try:
        state = torch.load(path, map_location='cpu', weights_only=True)
    except Exception as error:  # torch raises a dozen kinds here, all meaning the same
        raise BackendError(
            f'{path} cannot be read as weights alone: {error}', wanted='an official sam_vit_*.pth'
        ) from error
    tensors = renamed(state)
    model = SamModel(configuration(tensors))
    try:
        model.load_state_dict(tensors, strict=True)
    except RuntimeError as error:
        raise BackendError(f'{path} does not fit SAM: {error}') from error
    return Checkpoint(model, file_hash(path))
