# SPDX-License-Identifier: Apache-2.0
"""Scanned objects: a folder of ``.glb``, ``.obj`` or ``.ply`` meshes in metres.

With an ``index.json`` beside the meshes, its split is respected: ``train`` objects may be trained
on, ``test`` objects are for scoring only.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import trimesh

from sam3d_ros.core.errors import ConfigurationError, InputError
from sam3d_ros.core.types import ByteArray
from sam3d_ros.world.appearance.paint import random_paint
from sam3d_ros.world.solid import Solid, Texture

SUFFIXES = ('.glb', '.obj', '.ply')
LARGEST_M = 0.35
"""Longest extent of a thing that fits a tabletop scene."""


@dataclass(frozen=True, slots=True)
class ScanEntry:
    """One mesh of a folder.

    :param split: ``train``, ``test``, or empty when the folder has no index.
    :param longest_m: longest extent by the index, or None when unknown before loading.
    """

    name: str
    path: Path
    category: str
    split: str
    longest_m: float | None


def list_scans(folder: Path, split: str = '') -> tuple[ScanEntry, ...]:
    """Return the meshes of a folder in the order of their names.

    :param split: only those of this split; empty = all. A folder without an index has no split
        and gives all its meshes.
    :raises ConfigurationError: when the folder has none.
    """
    index = folder / 'index.json'
    entries = indexed_scans(index) if index.is_file() else _found(folder)
    chosen = [e for e in entries if not split or not e.split or e.split == split]
    if not chosen:
        raise ConfigurationError(
            f'{folder} has no mesh' + (f' of split "{split}"' if split else ''),
            wanted='a folder of .glb, .obj or .ply files in metres',
        )
    return tuple(sorted(chosen, key=lambda entry: entry.name))


def indexed_scans(index: Path) -> list[ScanEntry]:
    """Return the meshes that an ``index.json`` lists, in its order."""
    listed = json.loads(index.read_text(encoding='utf-8'))['objects']
    return [
        ScanEntry(
            item['name'],
            index.parent / Path(item['file']).name,
            item['category'],
            item['split'],
            max(item['extents_m']),
        )
        for item in listed
    ]


def _found(folder: Path) -> list[ScanEntry]:
    paths = sorted(path for path in folder.glob('*') if path.suffix.lower() in SUFFIXES)
    return [ScanEntry(path.stem, path, 'scan', '', None) for path in paths]


def load_scan(entry: ScanEntry) -> Solid:
    """Return a mesh as a solid, centred on its box, with its texture or vertex colours.

    A scan without any colour is painted at random, always the same for the same name.

    :raises InputError: when the file holds no triangles.
    """
    mesh = trimesh.load(entry.path, force='mesh', process=False)
    if not isinstance(mesh, trimesh.Trimesh) or len(mesh.faces) == 0:
        raise InputError(f'{entry.path} has no triangles', wanted='a triangle mesh in metres')
    vertices = np.asarray(mesh.vertices, np.float64)
    vertices = vertices - (vertices.min(axis=0) + vertices.max(axis=0)) / 2
    corners = np.asarray(mesh.faces, np.int32)
    # UV seams double vertices; the surface is closed again once equal positions are one vertex.
    unique, inverse = np.unique(vertices.astype(np.float32), axis=0, return_inverse=True)
    faces = inverse.reshape(-1)[corners].astype(np.int32)
    texture, colors = _appearance(mesh, corners)
    if colors is None:
        paint = random_paint(np.random.default_rng(zlib.crc32(entry.name.encode())))
        merged = paint(unique.astype(np.float64))
    else:
        merged = np.zeros((len(unique), 3), np.uint8)
        merged[inverse.reshape(-1)] = colors
    return Solid(entry.name, unique, faces, merged, entry.category, texture)


def _appearance(mesh: Any, corners: Any) -> tuple[Texture | None, ByteArray | None]:
    """Return the texture and (V, 3) vertex colours of the mesh as loaded, if any."""
    visual = mesh.visual
    if visual.kind == 'texture' and visual.uv is not None:
        material = visual.material
        picture = getattr(material, 'baseColorTexture', None) or getattr(material, 'image', None)
        if picture is not None:
            image = np.ascontiguousarray(np.asarray(picture.convert('RGB'), np.uint8))
            texture = Texture(image, np.asarray(visual.uv, np.float32)[corners])
            return texture, np.asarray(visual.to_color().vertex_colors, np.uint8)[:, :3]
    if visual.kind in ('vertex', 'face'):
        return None, np.asarray(visual.vertex_colors, np.uint8)[:, :3]
    return None, None
