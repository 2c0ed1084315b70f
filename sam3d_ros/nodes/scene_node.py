# SPDX-License-Identifier: Apache-2.0
"""The node that remembers objects and tells everyone: TF, markers, detections, planner, list."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sam3d_msgs.srv import ClearScene, GetTexture, LoadScene, RemoveObject, SaveScene

from sam3d_ros.core.errors import InputError
from sam3d_ros.core.types import Frame, Reconstructions, Scene, SceneObject, Tracks
from sam3d_ros.export.scene_files import read_scene, write_scene
from sam3d_ros.messages.config import OutputConfig
from sam3d_ros.nodes.bus import Bus
from sam3d_ros.nodes.clearing import ClearedGate
from sam3d_ros.nodes.config import TfConfig
from sam3d_ros.nodes.links import FRAMES, RECONSTRUCTIONS, TRACKS, Arrival
from sam3d_ros.nodes.program import run
from sam3d_ros.nodes.publishing import ScenePublisher
from sam3d_ros.nodes.requests import NotFoundError, NotReadyError
from sam3d_ros.nodes.stage_node import StageNode
from sam3d_ros.nodes.texturing import with_textures
from sam3d_ros.scene.config import SceneConfig
from sam3d_ros.scene.memory import ObjectMemory

Parts = tuple[Arrival[Frame], Arrival[Tracks], Arrival[Reconstructions]]


class SceneNode(StageNode):
    """Frames, tracks and reconstructions of equal stamps to the scene."""

    def __init__(self, bus: Bus | None = None, **arguments: Any) -> None:
        groups = {'scene': SceneConfig, 'outputs': OutputConfig, 'tf': TfConfig}
        super().__init__('scene', groups, bus, **arguments)

    def build(self) -> None:
        """Start with an empty scene and offer it."""
        self._memory = ObjectMemory(self.config('scene'))
        self._gate = ClearedGate()
        self._loaded: dict[int, SceneObject] = {}
        self._scene: Scene | None = None
        self._out = ScenePublisher(self.publish_topic, self.config('outputs'), self.config('tf'))

    def connect(self) -> None:
        """Listen to the stages before and offer the services."""
        self.follow(FRAMES, TRACKS, RECONSTRUCTIONS)
        self.serve(ClearScene, '~/clear', self._clear)
        self.serve(RemoveObject, '~/remove', self._remove)
        self.serve(SaveScene, '~/save', self._save)
        self.serve(LoadScene, '~/load', self._load)
        self._ask_segmentation_to_clear = self.client(ClearScene, 'segmentation/clear')
        self._ask_reconstruction_to_clear = self.client(ClearScene, 'reconstruction/clear')
        self._ask_for_texture = self.client(GetTexture, 'reconstruction/texture')
        self._ask_segmentation_to_load = self.client(LoadScene, 'segmentation/load')
        self.every(0.5, lambda: self.tell_worker(self._greet_planners))

    def process(self, item: Parts) -> None:
        """Update the scene and publish it."""
        tracks = item[1].get()
        if not self._gate.admits(tracks):
            return
        for track in tracks.items:
            if track.id in self._loaded:
                self._memory.adopt(self._loaded.pop(track.id))
        self._publish(self._memory.update(item[0].get(), tracks, item[2].get()))

    def forget(self) -> None:
        """Forget the objects of a time that is over."""
        self._memory.clear()
        self._gate.open()
        self._loaded.clear()

    def _publish(self, scene: Scene) -> None:
        self._scene = scene
        self._out.publish(scene)

    def _publish_again(self) -> None:
        """Publish what the memory knows, with the stamp of the last frame."""
        if self._scene is not None:
            self._publish(self._memory.snapshot(self._scene.stamp_ns, self._scene.fixed_frame))

    def _greet_planners(self) -> None:
        if self._scene is not None:
            self._out.greet_planners(self._scene)

    def _clear(self, request: Any, response: Any) -> str:
        """Have the stages before forget first: what they still send is kept out."""
        self._ask_segmentation_to_clear(ClearScene.Request())
        self._ask_reconstruction_to_clear(ClearScene.Request())
        self.ask_worker(self._clear_memory)
        return 'the scene is empty; ids start at 1'

    def _clear_memory(self) -> None:
        self._memory.clear()
        self._gate.close()
        self._loaded.clear()
        self._publish_again()

    def _remove(self, request: Any, response: Any) -> str:
        if not request.id.isdecimal():
            raise InputError(f'id "{request.id}"', wanted='a decimal number')
        self.ask_worker(lambda: self._remove_object(int(request.id)))
        return f'object {request.id} is removed'

    def _remove_object(self, object_id: int) -> None:
        try:
            self._memory.remove(object_id)
        except InputError as error:
            raise NotFoundError(str(error)) from error
        self._publish_again()

    def _save(self, request: Any, response: Any) -> str:
        if self._scene is None:
            raise NotReadyError('no frame yet', wanted='a scene to save')
        scene, folder = self._scene, Path(request.path)
        if not request.path:
            raise InputError('an empty path', wanted='a folder')
        scene, textures = with_textures(scene, self._ask_for_texture)
        write_scene(scene, folder)
        response.ids = [str(item.id) for item in scene.objects]
        return f'{len(response.ids)} objects in {folder}, {textures}'

    def _load(self, request: Any, response: Any) -> str:
        """Take over saved objects; the tracker must know them first."""
        scene = read_scene(Path(request.path))
        now = self._scene
        if now is not None and now.fixed_frame != scene.fixed_frame:
            raise InputError(
                f'a scene in frame "{scene.fixed_frame}"', wanted=f'"{now.fixed_frame}"'
            )
        self._ask_segmentation_to_load(LoadScene.Request(path=request.path))
        self.ask_worker(lambda: self._adopt(scene))
        response.ids = [str(item.id) for item in scene.objects]
        return f'{len(response.ids)} objects taken over'

    def _adopt(self, scene: Scene) -> None:
        """Show the objects now; a frame whose tracks do not have them yet hides them again."""
        for item in scene.objects:
            self._memory.adopt(item)
            self._loaded[item.id] = item
        stamp_ns = scene.stamp_ns if self._scene is None else self._scene.stamp_ns
        self._publish(self._memory.snapshot(stamp_ns, scene.fixed_frame))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the node until Ctrl-C."""
    return run(lambda: [SceneNode()], arguments)


if __name__ == '__main__':
    sys.exit(main())
