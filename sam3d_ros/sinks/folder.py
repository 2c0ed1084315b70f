# SPDX-License-Identifier: Apache-2.0
"""The objects known at the end, as a folder: scene.json, meshes/, scene.glb."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sam3d_ros.core.types import Scene
from sam3d_ros.export.scene_files import write_scene
from sam3d_ros.session.result import FrameResult


class FolderSink:
    """Writes the scene of the last frame when it is closed; nothing without a frame.

    :param folder: made when missing.
    :param finished: what is done to the scene first, e.g. ``Session.textured``.
    """

    def __init__(
        self, folder: Path, finished: Callable[[Scene], Scene] = lambda scene: scene
    ) -> None:
        self._folder = folder
        self._finished = finished
        self._scene: Scene | None = None

    def write(self, result: FrameResult) -> None:
        """Keep what is known after a frame."""
        self._scene = result.scene

    def close(self) -> None:
        """Write the folder."""
        if self._scene is not None:
            write_scene(self._finished(self._scene), self._folder)
