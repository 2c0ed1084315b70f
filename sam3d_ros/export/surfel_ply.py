# SPDX-License-Identifier: Apache-2.0
"""Surfels as binary PLY files: as points with normals, and as Gaussians for viewers of splats.

The layout of Gaussians is that of 3D Gaussian Splatting (Kerbl et al., 2023), which every viewer
reads: scales are logarithms, opacities logits, rotations quaternions w, x, y, z, and colours
spherical harmonics up to degree 3, of which only the constant one is not zero here.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from sam3d_ros.core.types import FloatArray
from sam3d_ros.masks3d.surfels import Surfels

SH_CONSTANT = 0.28209479177387814
"""Spherical harmonic of degree 0."""
HIGHER_SH = 45
"""Coefficients of degrees 1 to 3, three colours together."""
COVERING = 0.6
"""Standard deviation of a Gaussian along its surface, in spacings: neighbours leave no gap."""
FLATNESS = 0.1
"""Its standard deviation across the surface over that along it."""
SUREST = 0.99
"""Opacity of a surfel of full confidence: that of 1 has no logit."""

_TYPES = {'<f4': 'float', '|u1': 'uchar'}


def write_points(path: Path, surfels: Surfels, confidence: FloatArray) -> None:
    """Write surfels as points, fixed frame, metres; equal ones give equal bytes.

    :param path: of the file.
    :param surfels: with normals and colours.
    :param confidence: (N,) 0..1, a property of each point.
    """
    columns = {
        **_axes(surfels.points_fixed, ('x', 'y', 'z')),
        **_axes(surfels.normals_fixed, ('nx', 'ny', 'nz')),
        **_axes(np.rint(surfels.colors), ('red', 'green', 'blue'), 'u1'),
        'confidence': confidence.astype('<f4'),
    }
    _write(path, columns)


def write_gaussians(path: Path, surfels: Surfels, confidence: FloatArray) -> None:
    """Write surfels as flat Gaussians, fixed frame, metres; equal ones give equal bytes.

    :param path: of the file.
    :param surfels: with normals and colours.
    :param confidence: (N,) 0..1, their opacity.
    """
    count = len(surfels)
    opacity = np.clip(confidence, 1 - SUREST, SUREST)
    along = np.log(COVERING * surfels.spacing_m)
    scales = np.tile([along, along, along + np.log(FLATNESS)], (count, 1))
    columns = {
        **_axes(surfels.points_fixed, ('x', 'y', 'z')),
        **_axes(surfels.normals_fixed, ('nx', 'ny', 'nz')),
        **_axes((surfels.colors / 255 - 0.5) / SH_CONSTANT, [f'f_dc_{k}' for k in range(3)]),
        **{f'f_rest_{k}': np.zeros(count, '<f4') for k in range(HIGHER_SH)},
        'opacity': np.log(opacity / (1 - opacity)).astype('<f4'),
        **_axes(scales, [f'scale_{k}' for k in range(3)]),
        **_axes(_turned_to(surfels.normals_fixed), [f'rot_{k}' for k in range(4)]),
    }
    _write(path, columns)


def _turned_to(normals: FloatArray) -> FloatArray:
    """Return (N, 4) unit quaternions w, x, y, z that turn the z axis to (N, 3) normals."""
    x, y, z = normals.T
    half_way = np.stack([1 + z, -y, x, np.zeros_like(z)], axis=1)
    half_way[1 + z < 1e-6] = [0.0, 1.0, 0.0, 0.0]
    unit: FloatArray = half_way / np.linalg.norm(half_way, axis=1, keepdims=True)
    return unit


def _axes(
    values: FloatArray, names: tuple[str, ...] | list[str], kind: str = '<f4'
) -> dict[str, npt.NDArray[np.generic]]:
    """Return the columns of (N, len(names)) values by name."""
    return {name: values[:, k].astype(kind) for k, name in enumerate(names)}


def _write(path: Path, columns: dict[str, npt.NDArray[np.generic]]) -> None:
    """Write one element ``vertex`` of (N,) columns."""
    kind = np.dtype([(name, column.dtype) for name, column in columns.items()])
    rows = np.empty(len(columns['x']), kind)
    for name, column in columns.items():
        rows[name] = column
    properties = [f'property {_TYPES[kind[name].str]} {name}' for name in columns]
    header = [
        'ply',
        'format binary_little_endian 1.0',
        'comment metres, fixed frame',
        f'element vertex {len(rows)}',
        *properties,
        'end_header\n',
    ]
    path.write_bytes('\n'.join(header).encode() + rows.tobytes())
