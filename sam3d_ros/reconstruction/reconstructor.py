# SPDX-License-Identifier: Apache-2.0
"""The reconstruction stage: evidence per track, completion in one batch, layout per frame."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sam3d_ros.core.registry import load_backend
from sam3d_ros.core.types import (
    Frame,
    Mesh,
    Reconstruction,
    Reconstructions,
    Track,
    Tracks,
    TrackState,
)
from sam3d_ros.geometry.transforms import adjoint_rotation, inverse
from sam3d_ros.reconstruction.completion import CompletionBackend
from sam3d_ros.reconstruction.config import ReconstructionConfig
from sam3d_ros.reconstruction.evidence import Evidence, build_evidence
from sam3d_ros.reconstruction.memory import TrackMemory
from sam3d_ros.reconstruction.shape import Shape, build_shape
from sam3d_ros.reconstruction.texture import TextureSource
from sam3d_ros.reconstruction.views import crop_view

LEAST_POINTS = 30
"""Own pixels with a return below which a view says too little to start an object."""


class ObjectReconstructor:
    """Shape and layout of every track that a frame shows.

    Every seen track that has a shape gets a reconstruction in every frame. A shape is made again
    when a kept view adds evidence; it is the same object as before otherwise. Backend ``auto``
    makes the first shape of a track without weights, and by ``volume`` when it is seen next.
    """

    def __init__(self, config: ReconstructionConfig) -> None:
        self._config = config
        self._previews = config.backend == 'auto'
        self._backends = self._load('volume' if self._previews else config.backend)
        self._memories: dict[int, TrackMemory] = {}

    def clear(self) -> None:
        """Forget every object."""
        self._memories = {}

    def reconstruct(self, frame: Frame, tracks: Tracks) -> Reconstructions:
        """Return the reconstructions of the tracks seen in ``frame``; frames in stamp order."""
        alive = {track.id for track in tracks.items}
        self._memories = {key: kept for key, kept in self._memories.items() if key in alive}
        seen = [track for track in tracks.items if track.instance >= 0]
        due = [track for track in seen if self._observe(frame, tracks, track)]
        if self._previews:
            first = [track for track in due if self._memories[track.id].shape is None]
            self._complete(first, self._backends[-1:])
            due = [track for track in due if track not in first]
        self._complete(due, self._backends)
        return Reconstructions(
            frame.stamp_ns,
            tuple(
                _published(track.id, self._memories[track.id], shape, frame)
                for track in seen
                if track.id in self._memories
                and (shape := self._memories[track.id].shape) is not None
            ),
        )

    def again(
        self, frame: Frame, tracks: Tracks, track_id: int, backend: str = ''
    ) -> Reconstruction | None:
        """Make the shape of one track again from all its kept views, and return it as it is now.

        :param frame: the latest frame that was reconstructed, with its ``tracks``.
        :param backend: who completes it this once; empty = as configured.
        :return: None when the track is not known or has never shown enough.
        :raises BackendError: when there is no such backend or it cannot be loaded.
        """
        backends = self._load(backend) if backend else self._backends
        known = [track for track in tracks.items if track.id == track_id]
        memory = self._memories.get(track_id)
        if not known or memory is None or not memory.views:
            return None
        self._complete(known, backends)
        return _published(track_id, memory, memory.shape, frame) if memory.shape else None

    def texture_source(self, track_id: int) -> TextureSource | None:
        """Return what the texture of a track's mesh, as it is now, can be made from.

        :return: None when the track is not known or has no mesh.
        """
        memory = self._memories.get(track_id)
        if memory is None or memory.shape is None:
            return None
        mesh, views = memory.shape.mesh, tuple(memory.views)
        return TextureSource(mesh, views, memory.T_anchor_obj, self._config)

    def textured(self, track_id: int, mesh: Mesh) -> Mesh:
        """Return the latest mesh of a track with its texture; any other mesh as it is."""
        source = self.texture_source(track_id)
        if source is None or source.mesh is not mesh:
            return mesh
        return replace(mesh, texture=source.texture())

    def _load(self, backend: str) -> list[tuple[str, CompletionBackend]]:
        """Return a backend and the one that stands in for it."""
        return [
            (name, load_backend('reconstruction', name)(self._config))
            for name in dict.fromkeys((backend, 'geometric'))
        ]

    def _observe(self, frame: Frame, tracks: Tracks, track: Track) -> bool:
        """Follow the track's pose and keep its view; return whether its shape is due."""
        view = crop_view(frame, tracks.instances, track.instance)
        if np.count_nonzero(view.own) < LEAST_POINTS:
            return False
        memory = self._memories.setdefault(track.id, TrackMemory())
        memory.follow(frame, view, self._config)
        due = memory.offer(memory.anchored(view), self._config)
        due |= self._previews and len(memory.backends) == 1 and memory.backends[0] == 'geometric'
        if track.state == TrackState.CONFIRMED and memory.shape is not None and not due:
            memory.frame_final = True
        return due

    def _complete(self, due: list[Track], backends: list[tuple[str, CompletionBackend]]) -> None:
        """Make the shapes of these tracks, all in one batch, falling back where one fails."""
        if not due:
            return
        open_tracks = list(due)
        evidence = {
            track.id: build_evidence(self._memories[track.id].views, self._config.evidence)
            for track in due
        }
        best: dict[int, Shape] = {}
        tried: dict[int, tuple[str, ...]] = {track.id: () for track in due}
        for name, backend in backends:
            shapes = self._shapes(backend, [evidence[track.id] for track in open_tracks])
            for track, shape in zip(open_tracks, shapes, strict=True):
                tried[track.id] += (name,)
                known = best.get(track.id)
                if known is None or self._passes(shape) or _agreement(shape) > _agreement(known):
                    best[track.id] = shape
            open_tracks = [track for track in open_tracks if not self._passes(best[track.id])]
            if not open_tracks:
                break
        for track in due:
            shape = best[track.id]
            if len(shape.mesh.faces):
                memory = self._memories[track.id]
                maker = shape.provenance.backend
                others = tuple(name for name in tried[track.id] if name != maker)
                memory.backends = (*others, maker)
                memory.adopt(shape, track.state == TrackState.CONFIRMED, self._config)

    def _shapes(self, backend: CompletionBackend, evidence: list[Evidence]) -> list[Shape]:
        completions = backend.complete(evidence)
        return [
            build_shape(item, completion, self._config.max_faces)
            for item, completion in zip(evidence, completions, strict=True)
        ]

    def _passes(self, shape: Shape) -> bool:
        return (
            len(shape.mesh.faces) > 0
            and min(shape.score.observed_inliers, shape.own_inliers) >= self._config.min_inliers
            and shape.score.free_volume <= self._config.max_free_volume
        )


def _agreement(shape: Shape) -> float:
    score = shape.score
    return score.observed_inliers + score.silhouette_iou - score.free_volume


def _published(track_id: int, memory: TrackMemory, shape: Shape, frame: Frame) -> Reconstruction:
    T_cam_fixed = inverse(frame.T_fixed_cam)
    return Reconstruction(
        track_id=track_id,
        mesh=shape.mesh,
        T_cam_obj=T_cam_fixed @ memory.T_fixed_obj,
        covariance=adjoint_rotation(memory.covariance, T_cam_fixed[:3, :3]),
        scale_sigma=shape.scale_sigma,
        observed_fraction=shape.observed_fraction,
        confidence=shape.confidence,
        score=shape.score,
        provenance=shape.provenance,
        refined=memory.refined,
        backends=memory.backends,
    )
