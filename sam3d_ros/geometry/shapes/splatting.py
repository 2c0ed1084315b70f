# SPDX-License-Identifier: Apache-2.0
"""Gaussians drawn as a camera sees them, on a CPU: for scores, pictures and tests.

Zwicker, Pfister, van Baar and Gross, "EWA splatting", TVCG 2002, as in 3D Gaussian Splatting
(Kerbl et al., 2023): each Gaussian becomes one in the image, nearer ones are laid over others.
"""

from __future__ import annotations

import numpy as np

from sam3d_ros.core.solids import Gaussians
from sam3d_ros.core.types import Camera, Float32Array, FloatArray
from sam3d_ros.geometry.shapes.gaussians import covariances
from sam3d_ros.geometry.transforms import apply

NEAREST_M = 0.02
BLUR_PX2 = 0.3
"""Variance added to each, so that none falls between pixels."""
REACH = 3.0
"""Sigmas around its middle up to which a Gaussian is drawn."""
FAINTEST, MOST_OPAQUE = 1.0 / 255.0, 0.99


def draw_gaussians(
    gaussians: Gaussians, camera: Camera, T_cam_frame: FloatArray
) -> tuple[Float32Array, Float32Array]:
    """Return the (H, W, 3) float32 RGB, 0..1, on black, and the (H, W) float32 opacity.

    :param camera: that looks.
    :param T_cam_frame: (4, 4) from the frame of the Gaussians to the optical frame.
    """
    color = np.zeros((camera.height, camera.width, 3), np.float32)
    clear = np.ones((camera.height, camera.width), np.float32)
    points = apply(T_cam_frame, gaussians.means_m.astype(np.float64))
    ahead = np.flatnonzero(points[:, 2] > NEAREST_M)
    order = ahead[np.argsort(points[ahead, 2], kind='stable')]
    x, y, z = points[order].T
    # Derivatives of the projection at each middle.
    J = np.zeros((len(order), 2, 3))
    J[:, 0, 0], J[:, 0, 2] = camera.fx / z, -camera.fx * x / z**2
    J[:, 1, 1], J[:, 1, 2] = camera.fy / z, -camera.fy * y / z**2
    J = J @ T_cam_frame[:3, :3]
    spread = J @ covariances(gaussians)[order] @ J.transpose(0, 2, 1) + BLUR_PX2 * np.eye(2)
    inverse = np.linalg.inv(spread)
    column, row = camera.fx * x / z + camera.cx, camera.fy * y / z + camera.cy
    reach = REACH * np.sqrt(np.diagonal(spread, axis1=1, axis2=2))
    left, top = np.floor(column - reach[:, 0]).clip(0), np.floor(row - reach[:, 1]).clip(0)
    right = np.ceil(column + reach[:, 0]).clip(max=camera.width - 1)
    bottom = np.ceil(row + reach[:, 1]).clip(max=camera.height - 1)
    boxes = np.stack([left, top, right, bottom], axis=1).astype(np.int64)
    shown = (boxes[:, 0] <= boxes[:, 2]) & (boxes[:, 1] <= boxes[:, 3])
    for k in np.flatnonzero(shown):
        first, above, last, below = boxes[k]
        part = np.s_[above : below + 1, first : last + 1]
        u = np.arange(first, last + 1) - column[k]
        v = (np.arange(above, below + 1) - row[k])[:, None]
        (a, b), (_, c) = inverse[k]
        alpha = gaussians.opacities[order[k]] * np.exp(-0.5 * (a * u * u + c * v * v) - b * u * v)
        alpha = np.where(alpha < FAINTEST, 0.0, np.minimum(alpha, MOST_OPAQUE)).astype(np.float32)
        shade = alpha * clear[part]
        color[part] += shade[..., None] * gaussians.colors[order[k]]
        clear[part] -= shade
    return color, 1.0 - clear
