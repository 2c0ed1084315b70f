# SPDX-License-Identifier: Apache-2.0
"""One labelled view on disk: small integers, uncompressed, so that reading costs a millisecond."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sam3d_ros.core.types import ByteArray, Float32Array
from sam3d_ros.segmentation.mini.inputs import Observation

LENGTH_STEP_M = 1e-4
NORMAL_STEP = 1 / 127


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """What the network sees of one frame, and the truth.

    :param instances: (h, w) uint8, 0 = no object.
    """

    seen: Observation
    instances: ByteArray


def store(path: Path, view: View) -> None:
    """Write a view; the file appears whole or not at all."""
    seen = view.seen
    z = np.where(seen.valid, seen.points[..., 2], np.inf)
    part = path.with_suffix('.part')
    with part.open('wb') as stream:
        np.savez(
            stream,
            rgb=seen.rgb,
            x=_column_mean(seen.points[..., 0] / z, seen.valid, 0),
            y=_column_mean(seen.points[..., 1] / z, seen.valid, 1),
            depth=_rounded(seen.points[..., 2], LENGTH_STEP_M, np.uint16),
            normal=_rounded(seen.normal, NORMAL_STEP, np.int8),
            height=_rounded(seen.height, LENGTH_STEP_M, np.int16),
            instances=view.instances,
        )
    part.rename(path)


def load(path: Path) -> View:
    """Read a view."""
    with np.load(path) as stored:
        z = stored['depth'] * np.float32(LENGTH_STEP_M)
        x, y = np.broadcast_arrays(stored['x'], stored['y'][:, None])
        seen = Observation(
            stored['rgb'],
            np.stack([x * z, y * z, z], axis=-1),
            stored['normal'] * np.float32(NORMAL_STEP),
            stored['height'] * np.float32(LENGTH_STEP_M),
        )
        return View(seen, stored['instances'])


def _rounded(values: Float32Array, step: float, kind: type[np.integer]) -> np.ndarray:
    limits = np.iinfo(kind)
    return np.clip(np.rint(values / np.float32(step)), limits.min, limits.max).astype(kind)


def _column_mean(ray: np.ndarray, valid: np.ndarray, axis: int) -> Float32Array:
    """The common ray coordinate of every column (axis 0) or row (axis 1); 0 where none is seen."""
    count = np.maximum(valid.sum(axis=axis), 1)
    return np.asarray((ray * valid).sum(axis=axis) / count, np.float32)
