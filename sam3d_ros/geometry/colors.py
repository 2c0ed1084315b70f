# SPDX-License-Identifier: Apache-2.0
"""Between 8-bit sRGB and linear light (IEC 61966-2-1)."""

from __future__ import annotations

import numpy as np

from sam3d_ros.core.types import ByteArray, Float32Array


def linear(rgb: ByteArray) -> Float32Array:
    """Return (...) float32 linear light, 0..1, of 8-bit sRGB values."""
    light: Float32Array = _LINEAR[rgb]
    return light


def encoded(light: Float32Array) -> ByteArray:
    """Return the nearest 8-bit sRGB values of (...) linear light; clipped to 0..1."""
    light = np.clip(light, 0.0, 1.0)
    curved = np.where(
        light <= 0.0031308, 12.92 * light, 1.055 * np.power(light, np.float32(1 / 2.4)) - 0.055
    )
    return np.rint(255.0 * curved).astype(np.uint8)


def _table() -> Float32Array:
    value = np.arange(256) / 255.0
    light = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    return light.astype(np.float32)


_LINEAR = _table()
