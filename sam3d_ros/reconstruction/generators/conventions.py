# SPDX-License-Identifier: Apache-2.0
"""Between SAM 3D Objects' frames and ours.

Its camera has x left, y up, z forward (PyTorch3D); its canonical frame is Z-up, its GLB Y-up; its
rotations act on row vectors. Ours is the optical frame, column vectors. F turns the camera, A the
GLB into the canonical frame.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from sam3d_ros.core.types import Float32Array, FloatArray

F = np.diag([-1.0, -1.0, 1.0])
A = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])


def pointmap_to_official(pointmap: Float32Array) -> Float32Array:
    """Return an (H, W, 3) optical pointmap in the official camera; NaN stays NaN."""
    return np.ascontiguousarray(pointmap * np.array([-1.0, -1.0, 1.0], np.float32))


def optical_from_canonical(
    rotation_wxyz: FloatArray, translation: FloatArray, scale: float
) -> FloatArray:
    """Return the (4, 4) similarity from the canonical (Z-up) frame to the optical frame.

    Official, row vectors: p = (s c) R(q) + t. Ours, columns: p_optical = s F R^T c + F t.

    :param rotation_wxyz: (4,) quaternion as the model gives it.
    :param translation: (3,) as the model gives it.
    :param scale: as the model gives it.
    """
    R = Rotation.from_quat(np.roll(rotation_wxyz, -1)).as_matrix()
    S = np.eye(4)
    S[:3, :3] = scale * F @ R.T
    S[:3, 3] = F @ translation
    return S


def optical_from_glb(
    rotation_wxyz: FloatArray, translation: FloatArray, scale: float
) -> FloatArray:
    """Return the (4, 4) similarity from the GLB's (Y-up) frame to the optical frame.

    :param rotation_wxyz: (4,) quaternion as the model gives it.
    :param translation: (3,) as the model gives it.
    :param scale: as the model gives it.
    """
    S = optical_from_canonical(rotation_wxyz, translation, scale)
    S[:3, :3] = S[:3, :3] @ A
    return S
