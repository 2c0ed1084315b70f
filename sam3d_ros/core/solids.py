# SPDX-License-Identifier: Apache-2.0
"""What a mesh may have beside its faces: its look as Gaussians, and what leaves it as it is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Float32Array = npt.NDArray[np.float32]
FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Gaussians:
    """Oriented Gaussians, as 3D Gaussian Splatting draws them (Kerbl et al., 2023).

    :param means_m: (N, 3) float32, metres.
    :param quaternions: (N, 4) float32 unit x, y, z, w, from each one's axes to the frame's.
    :param sigmas_m: (N, 3) float32 standard deviations along its axes, metres.
    :param colors: (N, 3) float32 RGB as seen from all sides, 0..1, sRGB.
    :param opacities: (N,) float32 0..1.
    """

    means_m: Float32Array
    quaternions: Float32Array
    sigmas_m: Float32Array
    colors: Float32Array
    opacities: Float32Array

    def __len__(self) -> int:
        return len(self.means_m)


@dataclass(frozen=True, slots=True, eq=False)
class Symmetry:
    """What leaves a shape as it is.

    :param kind: ``none``, ``mirror``, ``rotation`` or ``revolution``.
    :param fold: turns in a circle that leave it as it is; 0 = all turns, 1 = none but the whole.
    :param axis: (3,) float64 unit: what it turns about, or the mirror plane's normal.
    :param origin_m: (3,) float64 on the axis, or in the plane.
    """

    kind: str
    fold: int
    axis: FloatArray
    origin_m: FloatArray
