# SPDX-License-Identifier: Apache-2.0
"""Surfels as binary PLY files: as points with normals, and as Gaussians for viewers of splats."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from sam3d_ros.core.types import FloatArray
from sam3d_ros.geometry.shapes.gaussians import encode_gaussians, encode_vertices, flat_gaussians
from sam3d_ros.masks3d.surfels import Surfels

COVERING = 0.6
"""Standard deviation of a Gaussian along its surface, in spacings: neighbours leave no gap."""


def write_points(path: Path, surfels: Surfels, confidence: FloatArray) -> None:
    """Write surfels as points, fixed frame, metres; equal ones give equal bytes.

    :param path: of the file.
    :param surfels: with normals and colours.
    :param confidence: (N,) 0..1, a property of each point.
    """
    placed = np.concatenate([surfels.points_fixed, surfels.normals_fixed], axis=1).astype('<f4')
    colors = np.rint(surfels.colors).astype('u1')
    columns = {
        **{name: placed[:, k] for k, name in enumerate(('x', 'y', 'z', 'nx', 'ny', 'nz'))},
        **{name: colors[:, k] for k, name in enumerate(('red', 'green', 'blue'))},
        'confidence': confidence.astype('<f4'),
    }
    path.write_bytes(encode_vertices(columns, 'fixed frame'))


def write_gaussians(path: Path, surfels: Surfels, confidence: FloatArray) -> None:
    """Write surfels as flat Gaussians, fixed frame, metres; equal ones give equal bytes.

    :param path: of the file.
    :param surfels: with normals and colours.
    :param confidence: (N,) 0..1, their opacity.
    """
    colors, sigma_m = surfels.colors / 255, COVERING * surfels.spacing_m
    made = flat_gaussians(surfels.points_fixed, surfels.normals_fixed, colors, sigma_m)
    made = replace(made, opacities=confidence.astype(np.float32))
    path.write_bytes(encode_gaussians(made, 'fixed frame'))
