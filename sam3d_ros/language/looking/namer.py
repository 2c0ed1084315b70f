# SPDX-License-Identifier: Apache-2.0
"""One look at an object to the log-odds of its names."""

from __future__ import annotations

from sam3d_ros.core.pretrained.pictures import PictureEncoder
from sam3d_ros.core.types import ByteArray, Float32Array
from sam3d_ros.language.looking.head import trained_head


class LookNamer:
    """Names by look, shape and size.

    :param device: where the picture encoder runs.
    :raises BackendError: when its weights are missing, or the device cannot be used.
    """

    def __init__(self, device: str) -> None:
        self._encoder = PictureEncoder(device)
        self._head = trained_head()

    def look(self, picture: ByteArray, shape: Float32Array) -> tuple[Float32Array, Float32Array]:
        """Return (KINDS,) float32 log-odds of each kind, and (64,) what the picture looks like.

        :param picture: (SIDE, SIDE, 3) uint8 RGB crop.
        :param shape: of :func:`sam3d_ros.language.shape.features`.
        """
        appearance = self._head.appearance(self._encoder.features(picture)[None])
        return self._head.log_odds(appearance, shape[None])[0], appearance[0]
