# SPDX-License-Identifier: Apache-2.0
"""How far from the surface the sensor may put a point, along the ray."""

from __future__ import annotations

import numpy as np

from sam3d_ros.core.types import Float32Array
from sam3d_ros.reconstruction.config import EvidenceConfig
from sam3d_ros.reconstruction.rays import depth_sigma

STEEPEST_RAD = np.deg2rad(80.0)
"""The noise was measured up to about this angle of incidence."""
USUAL_COSINE = 0.7


def ray_sigma(
    depth_m: Float32Array, cosine: Float32Array, focal_px: float, config: EvidenceConfig
) -> Float32Array:
    """Return the one-sigma error (m) of measured depths, everything included.

    Axial noise with its growth towards grazing incidence, lateral noise on a slanted surface
    (both Nguyen, Izadi, Lovell, 3DIMPVT 2012, eq. 1 to 3), and quantisation (Khoshelham,
    Elberink, Sensors 2012, eq. 6).

    :param depth_m: (P,) depths.
    :param cosine: (P,) absolute cosine of the angle of incidence, 0 where it is not known.
    :param focal_px: focal length.
    """
    known = np.where(cosine > 0, np.minimum(cosine, 1.0), USUAL_COSINE)
    angle = np.minimum(np.arccos(known), STEEPEST_RAD)
    upright = 0.5 * np.pi - angle
    grazing = 1e-4 / np.sqrt(np.maximum(depth_m, 0.4)) * np.square(angle / upright)
    axial = depth_sigma(depth_m, config) + grazing
    lateral_px = config.sigma_lateral_px + 0.035 * angle / upright
    lateral = lateral_px * depth_m / focal_px * np.tan(angle)
    step = config.depth_step * np.square(depth_m) / np.sqrt(12.0)
    return np.asarray(np.sqrt(axial**2 + lateral**2 + step**2), np.float32)
