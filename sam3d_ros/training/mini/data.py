# SPDX-License-Identifier: Apache-2.0
"""Stored views as training samples: mirrored, recoloured, with prompts and targets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from sam3d_ros.core.types import ByteArray, Float32Array, Frame
from sam3d_ros.segmentation.config import SegmentationConfig
from sam3d_ros.segmentation.mini.inputs import Observation, channels, observe
from sam3d_ros.segmentation.partition.partition import find_surfaces
from sam3d_ros.training.mini.prompting import random_prompts
from sam3d_ros.training.views import View, load

DECIMETRES = 10.0
PICKED = 96
"""Cells of a view whose embeddings are compared."""
PICKED_GROUND = 0.2
SUPPORT_FORGOTTEN = 0.12
RECOLOURED = 0.5
"""Chances that a view is shown without its support, or in other colours."""


class Sample(NamedTuple):
    """One view, or a batch of them with a leading axis; maps of the truth have half the grid.

    :param channels: (C, h, w) float32.
    :param truth: (h/2, w/2) uint8.
    :param seen: (h/2, w/2) bool, where there is depth.
    :param middle: (3, h/2, w/2) float32 offset to the middle of the visible thing, decimetres.
    :param picked: (P,) int64 flat cells whose embeddings are compared.
    :param picked_at: (P, 3) float32 their points, metres.
    :param points: (K, 4, 2), labels (K, 4), outline (K, 4, h/8, w/8), wanted (K,): the prompts.
    """

    channels: Tensor
    truth: Tensor
    seen: Tensor
    middle: Tensor
    picked: Tensor
    picked_at: Tensor
    points: Tensor
    labels: Tensor
    outline: Tensor
    wanted: Tensor


class ViewFiles(Dataset[Sample]):
    """Views of files; with ``varied`` every pass of another ``seed`` sees them differently."""

    def __init__(self, files: list[Path], prompts: int, varied: bool, seed: int = 0) -> None:
        self.files, self._prompts, self._varied, self._seed = files, prompts, varied, seed

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Sample:
        rng = np.random.default_rng([self._seed, index])
        view = load(self.files[index])
        if not self._varied:
            return sample(observed(view.frame), view.instances, self._prompts, rng)
        view = _varied(view, rng)
        seen = observed(view.frame)
        if rng.random() < SUPPORT_FORGOTTEN:
            seen = replace(seen, height=np.zeros_like(seen.height))
        return sample(seen, view.instances, self._prompts, rng)


def observed(frame: Frame) -> Observation:
    """Return a stored frame as the network sees it."""
    found = find_surfaces(frame, SegmentationConfig())
    return observe(frame, found.grid, found.local, found.structure)


def sample(
    observation: Observation, instances: ByteArray, count: int, rng: np.random.Generator
) -> Sample:
    """Return a view with its targets and ``count`` random prompts."""
    truth = np.ascontiguousarray(instances[::2, ::2])
    points = observation.points[::2, ::2]
    seen = points[..., 2] > 0
    picked = _picked(truth, seen, rng)
    asked = random_prompts(truth, count, rng)
    return Sample(
        torch.from_numpy(channels(observation)),
        torch.from_numpy(truth),
        torch.from_numpy(seen),
        torch.from_numpy(_to_middle(points, truth, seen)),
        torch.from_numpy(picked),
        torch.from_numpy(points.reshape(-1, 3)[picked]),
        torch.from_numpy(asked.question.points),
        torch.from_numpy(asked.question.labels),
        torch.from_numpy(asked.question.outline),
        torch.from_numpy(asked.wanted),
    )


def _to_middle(points: Float32Array, truth: ByteArray, seen: np.ndarray) -> Float32Array:
    owner = np.where(seen, truth, 0).ravel()
    flat = points.reshape(-1, 3)
    count = np.maximum(np.bincount(owner, minlength=256), 1)
    middle = np.stack([np.bincount(owner, axis, 256) / count for axis in flat.T], axis=1)
    offset = (middle[owner] - flat) * DECIMETRES * (owner > 0)[:, None]
    return np.ascontiguousarray(offset.T.reshape(3, *truth.shape), np.float32)


def _picked(truth: ByteArray, seen: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Random cells with depth: small things get more than their share, the ground a fifth."""
    owner = np.where(seen, truth, 0).ravel()
    count = np.bincount(owner, minlength=256).astype(np.float64)
    share = 1 / np.sqrt(np.maximum(count, 1))
    share[0] = 0
    weight = share[owner]
    if weight.sum() == 0:
        return rng.integers(0, owner.size, PICKED)
    things = int(PICKED * (1 - PICKED_GROUND))
    total = np.cumsum(weight)
    on = np.searchsorted(total, rng.random(things) * total[-1])
    return np.concatenate([on, rng.integers(0, owner.size, PICKED - things)])


def _varied(view: View, rng: np.random.Generator) -> View:
    """Mirror half of the views; change or drop the colour of some."""
    frame, instances = view.frame, view.instances
    if rng.random() < 0.5:
        across = np.array([-1, 1, 1], np.float32)
        K = frame.camera.K.copy()
        K[0, 2] = frame.camera.width - 1 - K[0, 2]
        frame = replace(
            frame,
            camera=replace(frame.camera, K=K),
            rgb=np.ascontiguousarray(frame.rgb[:, ::-1]),
            pointmap=np.ascontiguousarray(frame.pointmap[:, ::-1] * across),
            up_cam=None if frame.up_cam is None else frame.up_cam * across,
        )
        instances = np.ascontiguousarray(instances[:, ::-1])
    if rng.random() < RECOLOURED:
        frame = replace(frame, rgb=_recoloured(frame.rgb, rng))
    return View(frame, instances)


def _recoloured(rgb: ByteArray, rng: np.random.Generator) -> ByteArray:
    if rng.random() < 0.08:
        return np.full_like(rgb, 127)
    mixed = np.eye(3)[rng.permutation(3)] if rng.random() < 0.3 else np.eye(3)
    gray = rng.uniform(-0.3, 0.7) if rng.random() < 0.8 else 1.0
    mixed = (1 - gray) * mixed + gray / 3
    gain = rng.uniform(0.6, 1.4) * rng.uniform(0.85, 1.15, 3)
    matrix = np.asarray(mixed * gain, np.float32)
    changed = (rgb.reshape(-1, 3).astype(np.float32) - 127) @ matrix + rng.uniform(90, 165)
    return np.clip(changed, 0, 255).astype(np.uint8).reshape(rgb.shape)
