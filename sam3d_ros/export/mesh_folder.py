# SPDX-License-Identifier: Apache-2.0
"""The mesh files of the objects known now, for viewers and planners on the same machine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sam3d_ros.core.types import Scene
from sam3d_ros.export.ply import write_ply
from sam3d_ros.export.scene_files import mesh_name
from sam3d_ros.messages.results.products import MeshProducts


class MeshFolder:
    """Keeps one PLY file for each object; a changed mesh gets a new name, the old file goes.

    :param folder: made when missing; files that this object did not write are left alone.
    :raises OSError: when it cannot be written to.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self._folder.mkdir(parents=True, exist_ok=True)
        self._files: dict[int, Path] = {}

    def update(self, scene: Scene, products: Mapping[int, MeshProducts]) -> dict[int, Path]:
        """Write what is new, take away what is old, and return each object's file by id.

        :param scene: all known objects.
        :param products: what is derived from the meshes, by id.
        """
        files = {
            item.id: self._folder / f'{mesh_name(item.id, products[item.id].hash)}.ply'
            for item in scene.objects
        }
        for item in scene.objects:
            if self._files.get(item.id) != files[item.id]:
                write_ply(files[item.id], item.mesh)
        for file in set(self._files.values()) - set(files.values()):
            file.unlink(missing_ok=True)
        self._files = files
        return files
