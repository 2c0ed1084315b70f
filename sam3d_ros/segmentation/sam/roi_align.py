# SPDX-License-Identifier: Apache-2.0
"""RoIAlign (He et al., "Mask R-CNN", 2017, section 3) in plain torch, for SAM 3's box exemplars.

transformers calls torchvision for it, whose wheels do not load beside the CPU build of torch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import torch


def roi_align(
    input: torch.Tensor,
    boxes: torch.Tensor | Sequence[torch.Tensor],
    output_size: int | tuple[int, int],
    spatial_scale: float = 1.0,
    sampling_ratio: int = -1,
    aligned: bool = False,
) -> torch.Tensor:
    """Return (K, C, h, w) features of K boxes, averaged over samples inside each cell.

    :param input: (B, C, H, W) feature maps.
    :param boxes: (K, 5) rows of image index and left, top, right, bottom, or one (k, 4) an image.
    :param spatial_scale: box units to feature cells.
    :param sampling_ratio: samples a cell side; -1 = as many as the cell is long.
    :param aligned: shift boxes by half a cell, as later versions do.
    """
    rows = _rows(boxes)
    out_h, out_w = (output_size, output_size) if isinstance(output_size, int) else output_size
    pooled = [
        _pool(input[int(row[0])], row[1:] * spatial_scale, out_h, out_w, sampling_ratio, aligned)
        for row in rows
    ]
    if not pooled:
        return input.new_zeros((0, input.shape[1], out_h, out_w))
    return torch.stack(pooled)


def _rows(boxes: torch.Tensor | Sequence[torch.Tensor]) -> torch.Tensor:
    if isinstance(boxes, torch.Tensor):
        return boxes
    numbered = [torch.cat([box.new_full((len(box), 1), i), box], 1) for i, box in enumerate(boxes)]
    return torch.cat(numbered)


def _pool(
    features: torch.Tensor, box: torch.Tensor, out_h: int, out_w: int, ratio: int, aligned: bool
) -> torch.Tensor:
    left, top, right, bottom = (box - 0.5 if aligned else box).tolist()
    width, height = right - left, bottom - top
    if not aligned:
        width, height = max(width, 1.0), max(height, 1.0)
    per_y = ratio if ratio > 0 else max(1, math.ceil(height / out_h))
    per_x = ratio if ratio > 0 else max(1, math.ceil(width / out_w))
    y = top + (torch.arange(out_h * per_y, dtype=torch.float32) + 0.5) * height / (out_h * per_y)
    x = left + (torch.arange(out_w * per_x, dtype=torch.float32) + 0.5) * width / (out_w * per_x)
    sampled = _bilinear(features, y.to(features.device), x.to(features.device))
    cells = sampled.reshape(len(features), out_h, per_y, out_w, per_x)
    return cells.mean(dim=(2, 4))


def _bilinear(features: torch.Tensor, y: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Return (C, Y, X) samples; more than one cell outside counts as zero, less is clamped."""
    height, width = features.shape[1:]
    inside = ((y >= -1) & (y <= height))[:, None] & ((x >= -1) & (x <= width))[None]
    y, x = y.clamp(0, height - 1), x.clamp(0, width - 1)
    y0, x0 = y.floor().long(), x.floor().long()
    y1, x1 = (y0 + 1).clamp(max=height - 1), (x0 + 1).clamp(max=width - 1)
    wy, wx = (y - y0).to(features.dtype)[:, None], (x - x0).to(features.dtype)[None]
    top = features[:, y0][:, :, x0] * (1 - wx) + features[:, y0][:, :, x1] * wx
    bottom = features[:, y1][:, :, x0] * (1 - wx) + features[:, y1][:, :, x1] * wx
    return (top * (1 - wy) + bottom * wy) * inside


def provide_to(module: Any) -> None:
    """Give a transformers module that names ``torchvision.ops.roi_align`` this one instead."""
    if 'torchvision' not in module.__dict__:
        module.torchvision = SimpleNamespace(ops=SimpleNamespace(roi_align=roi_align))
