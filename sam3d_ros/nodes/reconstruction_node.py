# SPDX-License-Identifier: Apache-2.0
"""The node that reconstructs what is tracked, and again what the action Reconstruct asks for."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from sam3d_msgs.srv import ClearScene, GetTexture

from sam3d_ros.core.types import Frame, Tracks
from sam3d_ros.nodes.bus import Bus
from sam3d_ros.nodes.clearing import ClearedGate
from sam3d_ros.nodes.links import FRAMES, RECONSTRUCTIONS, TRACKS, Arrival
from sam3d_ros.nodes.program import run
from sam3d_ros.nodes.reconstruct_action import ReconstructServer
from sam3d_ros.nodes.stage_node import StageNode
from sam3d_ros.nodes.texturing import answer_texture
from sam3d_ros.reconstruction.config import ReconstructionConfig
from sam3d_ros.reconstruction.reconstructor import ObjectReconstructor

Parts = tuple[Arrival[Frame], Arrival[Tracks]]


class ReconstructionNode(StageNode):
    """Frames and tracks of equal stamps to reconstructions."""

    def __init__(self, bus: Bus | None = None, **arguments: Any) -> None:
        groups = {'reconstruction': ReconstructionConfig}
        super().__init__('reconstruction', groups, bus, **arguments)

    def build(self) -> None:
        """Load the backends and offer the results."""
        self._reconstructor = ObjectReconstructor(self.config('reconstruction'))
        self._gate = ClearedGate()
        self._latest: tuple[Frame, Tracks] | None = None
        self._reconstructions = self.publish_link(RECONSTRUCTIONS)

    def connect(self) -> None:
        """Listen to the stages before and offer the services."""
        self.follow(FRAMES, TRACKS)
        self.serve(ClearScene, '~/clear', self._clear)
        self.serve(GetTexture, '~/texture', self._texture)
        action = ReconstructServer(
            self, self.requests, lambda: self._latest, self._reconstructor.again, self.call_worker
        )
        self.on_close(action.close)

    def process(self, item: Parts) -> None:
        """Reconstruct what one frame shows."""
        frame, tracks = item[0].get(), item[1].get()
        if not self._gate.admits(tracks):
            return
        self._latest = frame, tracks
        self._reconstructions.send(self._reconstructor.reconstruct(frame, tracks), frame)

    def forget(self) -> None:
        """Forget the evidence of a time that is over."""
        self._reconstructor.clear()
        self._gate.open()
        self._latest = None

    def _clear(self, request: Any, response: Any) -> str:
        self.ask_worker(self._clear_evidence)
        return 'evidence and meshes forgotten'

    def _texture(self, request: Any, response: Any) -> str:
        """Take what it needs from the worker, and make the texture while that goes on."""
        return answer_texture(
            request,
            response,
            lambda track_id: self.ask_worker(lambda: self._reconstructor.texture_source(track_id)),
        )

    def _clear_evidence(self) -> None:
        self._reconstructor.clear()
        self._gate.close()
        self._latest = None


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the node until Ctrl-C."""
    return run(lambda: [ReconstructionNode()], arguments)


if __name__ == '__main__':
    sys.exit(main())
