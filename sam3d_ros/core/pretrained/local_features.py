# SPDX-License-Identifier: Apache-2.0
"""XFeat's local features (Potje et al., CVPR 2024): a picture to descriptors, their matches."""

from __future__ import annotations

import numpy as np

from sam3d_ros.core.pretrained.inference import open_session
from sam3d_ros.core.pretrained.weights import verified_file
from sam3d_ros.core.types import Float32Array, IndexArray

WEIGHTS = 'xfeat'
SIDE_PX, CELL_PX = 160, 8
"""Of a picture, and of what each descriptor is of."""
LEAST_COSINE = 0.82
"""Descriptors that are less alike are no match: XFeat's."""


class LocalFeatures:
    """A picture to a descriptor for each cell (``models/xfeat.md``).

    :param device: where it runs.
    :raises BackendError: when its weights are missing, or the device cannot be used.
    """

    def __init__(self, device: str) -> None:
        self._session = open_session(verified_file(WEIGHTS), device=device)

    def of(self, grey: Float32Array) -> Float32Array:
        """Return (SIDE_PX / 8, SIDE_PX / 8, 64) float32 unit descriptors.

        :param grey: (SIDE_PX, SIDE_PX) float32, 0..255.
        """
        dense: Float32Array = self._session.run(None, {'pictures': grey[None, None]})[0][0]
        return np.moveaxis(dense, 0, 2)


def mutual_matches(here: Float32Array, there: Float32Array) -> tuple[IndexArray, IndexArray]:
    """Return which descriptors are each other's most alike: (M,) indices here and there.

    :param here: (N, 64) unit descriptors.
    :param there: (K, 64) likewise; neither is empty.
    """
    alike = here @ there.T
    best, back = alike.argmax(axis=1), alike.argmax(axis=0)
    mutual = (back[best] == np.arange(len(best))) & (alike.max(axis=1) > LEAST_COSINE)
    at = np.flatnonzero(mutual)
    return at.astype(np.int32), best[at].astype(np.int32)
