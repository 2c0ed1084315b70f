# SPDX-License-Identifier: Apache-2.0
"""The picture encoder: a crop of an object to features."""

from __future__ import annotations

import numpy as np

from sam3d_ros.core.pretrained.inference import open_session
from sam3d_ros.core.pretrained.weights import verified_file
from sam3d_ros.core.types import ByteArray, Float32Array

WEIGHTS = 'names-encoder'


class PictureEncoder:
    """EfficientNet-Lite0 to its pooled features (``models/names.md``).

    :param device: where it runs.
    :raises BackendError: when its weights are missing, or the device cannot be used.
    """

    def __init__(self, device: str) -> None:
        self._session = open_session(verified_file(WEIGHTS), device=device)

    def features(self, picture: ByteArray) -> Float32Array:
        """Return (1280,) float32 features of a (SIDE, SIDE, 3) uint8 RGB picture."""
        pixels = np.ascontiguousarray(picture.transpose(2, 0, 1)[None], np.float32)
        found: Float32Array = self._session.run(None, {'pictures': pixels})[0][0]
        return found
