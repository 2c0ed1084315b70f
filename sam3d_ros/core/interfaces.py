# SPDX-License-Identifier: Apache-2.0
"""The stage interfaces: one Protocol for each arrow of the design."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from sam3d_ros.core.types import Frame, Instances, Mesh, Prompt, Reconstructions, Scene, Tracks


class Segmenter(Protocol):
    """Frame and prompts to instances."""

    def segment(self, frame: Frame, prompts: Sequence[Prompt] = ()) -> Instances:
        """Return the objects that ``prompts`` ask for; without prompts, all on the supports."""
        ...


class Tracker(Protocol):
    """Instances to tracks; remembers between frames."""

    def update(self, frame: Frame, instances: Instances) -> Tracks:
        """Return all living tracks after ``frame``."""
        ...


class Reconstructor(Protocol):
    """Tracks to reconstructions; remembers evidence between frames."""

    def reconstruct(self, frame: Frame, tracks: Tracks) -> Reconstructions:
        """Return shape and layout of every track seen in ``frame``, in one batch."""
        ...

    def textured(self, track_id: int, mesh: Mesh) -> Mesh:
        """Return the latest mesh of a track with its texture; any other mesh as it is."""
        ...


class SceneMemory(Protocol):
    """Reconstructions to the scene; remembers objects that are out of sight."""

    def update(self, frame: Frame, tracks: Tracks, reconstructions: Reconstructions) -> Scene:
        """Return every known object after ``frame``."""
        ...
