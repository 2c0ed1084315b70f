# SPDX-License-Identifier: Apache-2.0
"""3D Gaussians: made of surfaces, moved, and as PLY files.

The layout of the files is that of 3D Gaussian Splatting (Kerbl et al., 2023), which every viewer
reads: scales are logarithms, opacities logits, rotations quaternions w, x, y, z, and colours
spherical harmonics up to degree 3, of which only the constant one is not zero here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from sam3d_ros.core.errors import InputError
from sam3d_ros.core.solids import Gaussians
from sam3d_ros.core.types import Float32Array, FloatArray, Mesh, Scene
from sam3d_ros.geometry.transforms import apply

SH_CONSTANT = 0.28209479177387814
"""Spherical harmonic of degree 0."""
HIGHER_SH = 45
"""Coefficients of degrees 1 to 3, three colours together."""
SUREST = 0.99
"""Opacity of a Gaussian of full confidence: that of 1 has no logit."""
FLATNESS = 0.1
"""Standard deviation across a surface over the smaller one along it."""
COVERING = 1.8
"""Standard deviation along a surface over that of the piece which a Gaussian stands for."""
LEAST_M = 1e-5


def surface_gaussians(mesh: Mesh, most_m: float = 0.003) -> Gaussians:
    """Return flat Gaussians that cover a mesh, each with the moments and the colour of a piece.

    :param mesh: with faces; the colours are its texture's where it has one.
    :param most_m: faces with a longer edge are cut into quarters.
    """
    corners = mesh.vertices_m[mesh.faces].astype(np.float64)
    looks = mesh.colors[mesh.faces].astype(np.float64) / 255.0
    uv = None if mesh.texture is None else mesh.texture.uv.astype(np.float64)
    carried = np.concatenate([corners, looks if uv is None else uv], axis=2)
    whole = []
    while len(carried):
        edges = np.linalg.norm(carried[:, :, :3] - np.roll(carried[:, :, :3], 1, axis=1), axis=2)
        long = edges.max(axis=1) > most_m
        whole.append(carried[~long])
        carried = _quartered(carried[long])
    pieces = np.concatenate(whole)
    middle = pieces.mean(axis=1)
    away = pieces[:, :, :3] - middle[:, None, :3]
    # Second moments of a triangle about its centroid.
    variances, axes = np.linalg.eigh(np.einsum('pci,pcj->pij', away, away) / 12.0)
    sigmas = COVERING * np.sqrt(np.maximum(variances, 0.0))
    sigmas = np.maximum(sigmas, LEAST_M)
    sigmas[:, 0] = FLATNESS * sigmas[:, 1]
    axes[np.linalg.det(axes) < 0, :, 2] *= -1.0
    if mesh.texture is None:
        colors = middle[:, 3:]
    else:
        image = mesh.texture.image
        at = np.clip(middle[:, :2:-1] * image.shape[:2], 0, np.array(image.shape[:2]) - 1)
        colors = image[tuple(at.astype(np.intp).T)] / 255.0
    return Gaussians(
        middle[:, :3].astype(np.float32),
        Rotation.from_matrix(axes).as_quat().astype(np.float32),
        sigmas.astype(np.float32),
        colors.astype(np.float32),
        np.full(len(pieces), SUREST, np.float32),
    )


def _quartered(triangles: FloatArray) -> FloatArray:
    """Return (4 T, 3, C): each of (T, 3, C) triangles cut at the middles of its edges."""
    a, b, c = np.moveaxis(triangles, 1, 0)
    ab, bc, ca = (a + b) / 2, (b + c) / 2, (c + a) / 2
    parts = ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))
    return np.concatenate([np.stack(part, axis=1) for part in parts])


def flat_gaussians(
    points_m: FloatArray, normals: FloatArray, colors: FloatArray, sigma_m: float
) -> Gaussians:
    """Return opaque flat Gaussians on points of a surface.

    :param points_m: (N, 3).
    :param normals: (N, 3) unit.
    :param colors: (N, 3) RGB, 0..1.
    :param sigma_m: standard deviation along the surface.
    """
    x, y, z = normals.T
    half_way = np.stack([-y, x, np.zeros_like(z), 1 + z], axis=1)
    half_way[1 + z < 1e-6] = [1.0, 0.0, 0.0, 0.0]
    turned = half_way / np.linalg.norm(half_way, axis=1, keepdims=True)
    count = len(points_m)
    sigmas = np.array([sigma_m, sigma_m, FLATNESS * sigma_m], np.float32)
    return Gaussians(
        points_m.astype(np.float32),
        turned.astype(np.float32),
        np.tile(sigmas, (count, 1)),
        colors.astype(np.float32),
        np.full(count, SUREST, np.float32),
    )


def moved_gaussians(gaussians: Gaussians, S_new_old: FloatArray) -> Gaussians:
    """Return Gaussians in another frame.

    :param S_new_old: (4, 4) similarity, the same scale along all axes.
    """
    scale = float(np.cbrt(np.linalg.det(S_new_old[:3, :3])))
    turn = Rotation.from_matrix(S_new_old[:3, :3] / scale)
    turned = turn * Rotation.from_quat(gaussians.quaternions.astype(np.float64))
    return Gaussians(
        apply(S_new_old, gaussians.means_m.astype(np.float64)).astype(np.float32),
        turned.as_quat().astype(np.float32),
        (scale * gaussians.sigmas_m).astype(np.float32),
        gaussians.colors,
        gaussians.opacities,
    )


def joined(parts: Iterable[Gaussians]) -> Gaussians:
    """Return all Gaussians of one or more sets in one frame."""
    sets = list(parts)
    names = [field.name for field in fields(Gaussians)]
    return Gaussians(*(np.concatenate([getattr(one, name) for one in sets]) for name in names))


def scene_gaussians(scene: Scene) -> Gaussians:
    """Return all objects of a scene as Gaussians, fixed frame: their own, else of their meshes.

    :raises InputError: when no object has a surface.
    """
    parts = [
        moved_gaussians(object_gaussians(item.mesh), item.T_fixed_obj)
        for item in scene.objects
        if len(item.mesh.faces)
    ]
    if not parts:
        raise InputError('a scene without a surface', wanted='an object that has one')
    return joined(parts)


def object_gaussians(mesh: Mesh) -> Gaussians:
    """Return an object as Gaussians, object frame: its own, else flat ones that cover its mesh."""
    return surface_gaussians(mesh) if mesh.gaussians is None else mesh.gaussians


def covariances(gaussians: Gaussians) -> FloatArray:
    """Return (N, 3, 3) covariances, m^2."""
    axes = Rotation.from_quat(gaussians.quaternions.astype(np.float64)).as_matrix()
    stretched = axes * gaussians.sigmas_m[:, None, :].astype(np.float64)
    product: FloatArray = stretched @ stretched.transpose(0, 2, 1)
    return product


def encode_gaussians(gaussians: Gaussians, frame: str) -> bytes:
    """Return a PLY file; equal Gaussians give equal bytes.

    :param frame: that they are in, for the file's comment.
    """
    axes = Rotation.from_quat(gaussians.quaternions.astype(np.float64)).as_matrix()
    thin = np.argmin(gaussians.sigmas_m, axis=1)
    normals = np.take_along_axis(axes, thin[:, None, None], axis=2)[..., 0]
    opacity = np.clip(gaussians.opacities, 1 - SUREST, SUREST)
    columns: dict[str, npt.NDArray[np.generic]] = {
        **_columns(gaussians.means_m, ('x', 'y', 'z')),
        **_columns(normals, ('nx', 'ny', 'nz')),
        **_columns((gaussians.colors - 0.5) / SH_CONSTANT, [f'f_dc_{k}' for k in range(3)]),
        **{f'f_rest_{k}': np.zeros(len(opacity), '<f4') for k in range(HIGHER_SH)},
        'opacity': np.log(opacity / (1 - opacity)).astype('<f4'),
        **_columns(np.log(gaussians.sigmas_m), [f'scale_{k}' for k in range(3)]),
        **_columns(np.roll(gaussians.quaternions, 1, axis=1), [f'rot_{k}' for k in range(4)]),
    }
    return encode_vertices(columns, frame)


def encode_vertices(columns: dict[str, npt.NDArray[np.generic]], frame: str) -> bytes:
    """Return a binary PLY file of one element ``vertex``.

    :param columns: (N,) float32 or uint8 properties by name, in the file's order.
    :param frame: that they are in, for the file's comment.
    """
    kind = np.dtype([(name, column.dtype) for name, column in columns.items()])
    rows = np.empty(len(columns['x']), kind)
    for name, column in columns.items():
        rows[name] = column
    types = {'<f4': 'float', '|u1': 'uchar'}
    header = [
        'ply',
        'format binary_little_endian 1.0',
        f'comment metres, {frame}',
        f'element vertex {len(rows)}',
        *(f'property {types[kind[name].str]} {name}' for name in columns),
        'end_header\n',
    ]
    return '\n'.join(header).encode() + rows.tobytes()


def _columns(
    values: FloatArray | Float32Array, names: Sequence[str]
) -> dict[str, npt.NDArray[np.generic]]:
    return {name: values[:, k].astype('<f4') for k, name in enumerate(names)}


def decode_gaussians(data: bytes) -> Gaussians:
    """Return the Gaussians in a PLY file of floats; colours are those of the constant harmonic.

    :raises InputError: when it is no such file.
    """
    head, _, body = data.partition(b'end_header\n')
    names = [line.split()[-1].decode() for line in head.splitlines() if b'property float' in line]
    try:
        rows = np.frombuffer(body, [(name, '<f4') for name in names])

        def read(*wanted: str) -> Float32Array:
            return np.column_stack([rows[name] for name in wanted]).astype(np.float32)

        turned = read('rot_1', 'rot_2', 'rot_3', 'rot_0')
        return Gaussians(
            read('x', 'y', 'z'),
            turned / np.maximum(np.linalg.norm(turned, axis=1, keepdims=True), 1e-12),
            np.exp(read('scale_0', 'scale_1', 'scale_2')),
            np.clip(read('f_dc_0', 'f_dc_1', 'f_dc_2') * np.float32(SH_CONSTANT) + 0.5, 0, 1),
            (1 / (1 + np.exp(-read('opacity')[:, 0]))).astype(np.float32),
        )
    except (ValueError, KeyError) as error:
        raise InputError(f'no Gaussians: {error}', wanted='a file of splats') from error
