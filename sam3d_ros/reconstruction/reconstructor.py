# SPDX-License-Identifier: Apache-2.0
"""The reconstruction stage: poses in every frame, shapes when a lane has completed them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

import numpy as np

from sam3d_ros.core.state import from_tree, to_tree
from sam3d_ros.core.types import (
    ByteArray,
    EvidenceScore,
    FloatArray,
    Frame,
    Instances,
    Provenance,
    Reconstruction,
    Reconstructions,
    Scene,
    SceneObject,
    Track,
    Tracks,
    TrackState,
)
from sam3d_ros.geometry.transforms import adjoint_rotation, apply, inverse
from sam3d_ros.reconstruction.appearance.texture import TextureSource
from sam3d_ros.reconstruction.completion.completer import PREVIEW, STAND_IN, Completed, Job
from sam3d_ros.reconstruction.completion.lane import CompletionHere, CompletionLane
from sam3d_ros.reconstruction.config import ReconstructionConfig
from sam3d_ros.reconstruction.evidence.inferred import with_bodies
from sam3d_ros.reconstruction.evidence.kept_bodies import KeptBodies
from sam3d_ros.reconstruction.generators.config import GENERATORS
from sam3d_ros.reconstruction.memory import TrackMemory
from sam3d_ros.reconstruction.pose.following import Expected, followed
from sam3d_ros.reconstruction.pose.layout import Placed, measure_poses
from sam3d_ros.reconstruction.pose.pose_filter import PoseFilter
from sam3d_ros.reconstruction.pose.relocation import relocated
from sam3d_ros.reconstruction.shape import Shape, loaded_shape
from sam3d_ros.reconstruction.views import View, crop_view

LEAST_POINTS = 30
"""Own pixels with a return below which a view says too little to start an object."""

HARDLY = 0.3
"""Share of its pixels with a return below which a thing is one without depth."""

INFERRED_SIGMA, INFERRED_SIGMA_RAD = 0.08, 0.1
"""Error of an inferred body's place over its diagonal, and of its axes: of worlds of glass."""

MOST_INFERRED = 0.4
"""Share of its ranges that may be inferred of what counts as measured."""

MOST_FAILURES = 3
"""Jobs for a first shape that may fail before only a new view asks for it again."""


class ObjectReconstructor:
    """Shape and layout of every track that a frame shows.

    Every seen track gets a reconstruction in every frame; one without a shape yet has a pose and
    the points that were seen. A shape is made again when a kept view adds evidence; it is the
    same object as before otherwise. Backend ``auto`` makes the first shape of a track without
    weights, and by ``volume`` when it is seen next; so does a generator in a lane of its own, with
    ``volume`` first.

    :param config: of the stage.
    :param lane: who completes objects; None = this thread, before ``reconstruct`` returns.
    """

    def __init__(self, config: ReconstructionConfig, lane: CompletionLane | None = None) -> None:
        self._config = config
        self._lane = lane if lane is not None else CompletionHere(config)
        self._is_live = lane is not None
        self._memories: dict[int, TrackMemory] = {}
        self._untold: set[int] = set()
        self._bodies = KeptBodies()

    def clear(self) -> None:
        """Forget every object."""
        self._memories, self._bodies = {}, KeptBodies()
        self._lane.keep(())

    def with_bodies(self, frame: Frame, instances: Instances) -> Frame:
        """Return a frame in which things without returns have a range, inferred.

        :param frame: one observation.
        :param instances: its masks.
        """
        return with_bodies(frame, instances, self._bodies) if self._config.bodies else frame

    def reconstruct(self, frame: Frame, tracks: Tracks) -> Reconstructions:
        """Return the reconstructions of the tracks seen in ``frame``.

        :param frame: frames come in stamp order.
        :param tracks: all living tracks after it.
        """
        alive = {track.id for track in tracks.items}
        self._memories = {key: kept for key, kept in self._memories.items() if key in alive}
        self._lane.keep(alive)
        seen = self._seen(frame, tracks)
        for track, _ in seen:
            self._memories.setdefault(track.id, TrackMemory())
        self._follow(frame, [(self._memories[track.id], view) for track, view in seen])
        for track, view in seen:
            self._find_again(frame, track.id, view)
        self._lane.ask([job for track, view in seen for job in self._due(track, view)])
        self._take_over()
        return self._reconstructions(frame, tracks)

    def follow(self, frame: Frame, before: Tracks) -> tuple[Tracks, Reconstructions]:
        """Return tracks and reconstructions of a frame that nobody segmented, by shapes alone.

        No view of it is kept: its masks are only what was expected.

        :param frame: frames come in stamp order.
        :param before: all living tracks after the frame before.
        """
        tracks, _ = self._followed(frame, before, self._memories)
        self._take_over()
        return tracks, self._reconstructions(frame, tracks)

    def glance(self, frame: Frame, before: Tracks) -> Reconstructions:
        """Return where shapes are in a frame that is to be segmented; nothing of it is remembered.

        Those that fit badly there, or of which too little is seen, have moved, perhaps, and are
        left out.

        :param frame: the one that :meth:`reconstruct` takes next.
        :param before: all living tracks after the frame before.
        """
        memories = {
            track_id: replace(memory, pose=replace(memory.pose))
            for track_id, memory in self._memories.items()
        }
        _, seen = self._followed(frame, before, memories)
        items = [
            _published(track.id, memories[track.id], frame)
            for track in seen
            if not (memories[track.id].is_poor or memories[track.id].is_lost)
        ]
        return Reconstructions(frame.stamp_ns, tuple(items))

    def _followed(
        self, frame: Frame, before: Tracks, memories: Mapping[int, TrackMemory]
    ) -> tuple[Tracks, list[Track]]:
        """Let memories follow a frame that nobody segmented; return its tracks, and those seen."""
        T_cam_fixed = inverse(frame.T_fixed_cam)
        expected = {
            track_id: Expected(memory.shape, T_cam_fixed @ memory.T_fixed_obj)
            for track_id, memory in memories.items()
            if memory.shape is not None
        }
        tracks = followed(frame, before, expected)
        seen = self._seen(frame, tracks)
        self._follow(frame, [(memories[track.id], view) for track, view in seen])
        return tracks, [track for track, _ in seen]

    def places(self) -> dict[int, FloatArray]:
        """Return by id where the objects are: (4, 4) poses of their anchors in the fixed frame."""
        return {track_id: memory.T_fixed_anchor for track_id, memory in self._memories.items()}

    def move(self, moves: Mapping[int, FloatArray]) -> None:
        """Move objects with the map.

        :param moves: by id: (4, 4) how each has moved in the fixed frame.
        """
        for track_id in self._memories.keys() & moves.keys():
            self._memories[track_id].move(moves[track_id])
        self._bodies = KeptBodies()

    def carry(self, moves: Mapping[int, FloatArray], stamp_ns: int) -> None:
        """Move objects as grippers carry them: they are elsewhere than before.

        :param moves: by id: (4, 4) how each has moved in the fixed frame.
        :param stamp_ns: of the frame before which they have moved.
        """
        self.move(moves)
        for track_id in self._memories.keys() & moves.keys():
            self._memories[track_id].moved_ns = stamp_ns

    def rejoin(
        self, frame: Frame, tracks: Tracks, places: Mapping[int, FloatArray]
    ) -> Reconstructions:
        """Reconstruct a frame that has passed; what has moved since then is where it was after.

        :param frame: older than others that were followed, none of which was segmented.
        :param tracks: all living tracks after it.
        :param places: what :meth:`places` returned when it was the latest.
        """
        now = self.places()
        for track_id in now.keys() & places.keys():
            self._memories[track_id].T_fixed_anchor = places[track_id]
        made = self.reconstruct(frame, tracks)
        for track_id in now.keys() & places.keys() & self._memories.keys():
            memory = self._memories[track_id]
            T_now_then = now[track_id] @ inverse(places[track_id])
            memory.T_fixed_anchor = T_now_then @ memory.T_fixed_anchor
        return made

    def late(self, frame: Frame) -> Reconstructions:
        """Return the reconstructions of objects whose new shapes no frame has told of yet.

        A lane beside the poses may finish when no frame comes, or none that shows the object.

        :param frame: the latest frame, which the layouts are in.
        """
        self._take_over()
        untold = [track_id for track_id in self._memories if track_id in self._untold]
        self._untold.clear()
        items = [_published(track_id, self._memories[track_id], frame) for track_id in untold]
        return Reconstructions(frame.stamp_ns, tuple(items))

    def order(self, track_id: int, backend: str = '') -> Future[Completed] | None:
        """Have the shape of one track made again from all its kept views, before all others.

        :param track_id: the track.
        :param backend: who completes it this once; empty = as configured.
        :return: what :meth:`deliver` takes, or BackendError; None when the track is not known or
            has never shown enough.
        """
        memory = self._memories.get(track_id)
        if memory is None:
            return None
        backend = backend or self._config.completer
        return self._lane.order(
            Job(track_id, memory.views, backend, T_ref_obj=memory.T_anchor_obj)
        )

    def deliver(self, frame: Frame, completed: Completed) -> Reconstruction | None:
        """Take over what was ordered; return the track's reconstruction as it is now.

        :param frame: the latest one, which the layout is in.
        :param completed: what came of the order.
        :return: None when the track is gone, or nothing has come of any job for it.
        """
        memory = self._memories.get(completed.track_id)
        if memory is None:
            return None
        self._adopt(completed)
        return _published(completed.track_id, memory, frame) if memory.shape is not None else None

    def surface(self, track_id: int, backend: str = '') -> tuple[FloatArray, ByteArray] | None:
        """Return the (N, 3) points that were seen of an object, fixed frame, and their RGB.

        :param track_id: the object.
        :param backend: who must have made its shape, of what was measured: what was inferred
            touches what it was inferred to stand beside, and no ray denies it; empty = anybody.
        :return: None when the object is not known, has no such shape, or is locked.
        """
        memory = self._memories.get(track_id)
        if memory is None or memory.shape is None or memory.is_poor or memory.is_locked:
            return None
        is_measured = memory.shape.inferred <= MOST_INFERRED
        if backend and not (is_measured and memory.shape.provenance.backend == backend):
            return None
        points = memory.points
        return apply(memory.T_fixed_obj, points.vertices_m.astype(np.float64)), points.colors

    def complete(self, job: Job) -> Future[Completed]:
        """Have something completed when there is time, whether it is an object or not."""
        return self._lane.order(job, patient=True)

    def merge(self, track_id: int, other_id: int, view: View, shape: Shape) -> None:
        """Let one object be what two were thought to be.

        :param track_id: the object, which is known from now on as what follows.
        :param other_id: the one that is no more.
        :param view: of both, with the fixed frame as ref.
        :param shape: of both, in the fixed frame.
        """
        self.forget(other_id)
        memory = self._memories[track_id] = TrackMemory()
        memory.offer(view, self._config)
        memory.frame_final = True
        memory.adopt(shape, self._config)
        memory.backends = (shape.provenance.backend,)

    def texture_source(self, track_id: int) -> TextureSource | None:
        """Return what the texture of a track's mesh, as it is now, can be made from.

        :return: None when the track is not known, has no mesh, or one with a look of its own.
        """
        memory = self._memories.get(track_id)
        if memory is None or memory.shape is None or memory.shape.has_own_look:
            return None
        return TextureSource(memory.shape.mesh, memory.views, memory.T_anchor_obj, self._config)

    def lock(self, track_id: int, locked: bool) -> None:
        """Let the shape of an object stay as it is, or go on again.

        :param track_id: the track; one that is not known is left alone.
        :param locked: whether it is to stay.
        """
        if track_id in self._memories:
            self._memories[track_id].is_locked = locked

    def load(self, item: SceneObject) -> None:
        """Take over an object as it was saved: its shape, its frame, and whether it is locked.

        What is seen of it from now on makes its shape anew, unless it is locked.

        :param item: of a saved scene, in the fixed frame of now; one without a mesh starts anew.
        """
        self.forget(item.id)
        if len(item.mesh.faces) == 0:
            return
        self._memories[item.id] = TrackMemory(
            T_fixed_anchor=item.T_fixed_obj,
            shape=loaded_shape(item),
            frame_final=True,
            pose=PoseFilter(covariance=item.covariance),
            moved_ns=item.moved_ns,
            is_locked=item.locked,
        )

    def texture_sources(self, scene: Scene) -> dict[int, TextureSource]:
        """Return by id what the textures of a scene's meshes can be made from.

        An object that came from a file, or whose mesh is no longer the latest, has none.
        """
        return {
            item.id: source
            for item in scene.objects
            if (source := self.texture_source(item.id)) is not None
            and source.mesh.faces is item.mesh.faces
        }

    def forget(self, track_id: int) -> None:
        """Forget one object, which starts anew when it is seen next."""
        self._memories.pop(track_id, None)
        self._lane.keep(self._memories.keys())

    def state(self) -> Any:
        """Return what is remembered, as a tree of :mod:`core.state`."""
        return {'memories': to_tree(self._memories), 'bodies': to_tree(self._bodies)}

    def restore(self, state: Any) -> None:
        """Remember what :meth:`state` returned, and nothing else.

        Shapes that somebody was making then are asked for again.

        :raises InputError: when it is of another version.
        """
        self._memories = from_tree(dict[int, TrackMemory], state['memories'])
        self._bodies = from_tree(KeptBodies, state['bodies'])
        for memory in self._memories.values():
            memory.failures += memory.is_asked and memory.shape is None
            memory.is_asked = False

    def _seen(self, frame: Frame, tracks: Tracks) -> list[tuple[Track, View]]:
        """Return the tracks that show enough, with their views."""
        seen = []
        for track in tracks.items:
            if track.instance < 0:
                continue
            with_frame = bool(self._config.generator)
            view = crop_view(frame, tracks.instances, track.instance, with_frame=with_frame)
            if np.count_nonzero(view.own) >= LEAST_POINTS:
                seen.append((track, view))
        return seen

    def _follow(self, frame: Frame, seen: Sequence[tuple[TrackMemory, View]]) -> None:
        """Let the poses of all objects that have a shape follow what the frame shows."""
        T_cam_fixed = inverse(frame.T_fixed_cam)
        known, placed = [], []
        for memory, view in seen:
            memory.refined = False
            if memory.shape is not None:
                known.append(memory)
                placed.append(Placed(memory.shape, view, T_cam_fixed @ memory.T_fixed_obj))
        updates = measure_poses(placed, self._config.layout)
        for memory, update in zip(known, updates, strict=True):
            memory.follow(update, frame.T_fixed_cam[:3, :3], frame.stamp_ns, self._config)

    def _find_again(self, frame: Frame, track_id: int, view: View) -> None:
        """Look for an object that is lost: it fits no view where it is thought to be.

        One that is found nowhere starts anew under its id.
        """
        memory = self._memories[track_id]
        if memory.shape is None or not memory.is_lost or memory.is_locked:
            return
        T_cam_obj = inverse(frame.T_fixed_cam) @ memory.T_fixed_obj
        found = relocated(Placed(memory.shape, view, T_cam_obj), self._config.layout)
        if found is None:
            self.forget(track_id)
            self._memories[track_id] = TrackMemory(moved_ns=frame.stamp_ns)
            return
        sure = adjoint_rotation(found[1], frame.T_fixed_cam[:3, :3])
        memory.put(frame.T_fixed_cam @ found[0], sure, frame.stamp_ns)

    def _reconstructions(self, frame: Frame, tracks: Tracks) -> Reconstructions:
        """Return what is known of the tracks that the frame shows."""
        seen = [track.id for track in tracks.items if track.instance >= 0]
        told = [track_id for track_id in seen if track_id in self._memories]
        self._untold.difference_update(told)
        items = [_published(track_id, self._memories[track_id], frame) for track_id in told]
        return Reconstructions(frame.stamp_ns, tuple(items))

    def _due(self, track: Track, view: View) -> list[Job]:
        """Keep the track's view if it is known where it is; return the job due now, if any."""
        memory = self._memories[track.id]
        if memory.is_locked and memory.shape is not None:
            return []
        is_kept = not memory.is_poor and memory.offer(memory.anchored(view), self._config)
        memory.frame_final |= track.state == TrackState.CONFIRMED
        is_first = memory.shape is None
        failed = is_first and 0 < memory.failures <= MOST_FAILURES and not memory.is_asked
        completer = self._config.completer
        if self._config.without_depth and view.returned.sum() < HARDLY * view.mask.sum():
            completer = self._config.without_depth
        previewer = STAND_IN if self._config.backend == 'auto' else ''
        if self._is_live and completer in GENERATORS:
            previewer = PREVIEW
        is_preview = previewer in memory.backends and completer not in memory.backends
        is_due = is_preview and not memory.is_asked and memory.failures == 0
        if not (is_kept or failed or is_due):
            return []
        memory.is_asked = True
        backend = (is_first and previewer) or completer
        return [Job(track.id, memory.views, backend, is_first, memory.T_anchor_obj)]

    def _take_over(self) -> None:
        """Take over what the lane has finished."""
        for completed in self._lane.finished():
            self._adopt(completed)
            if completed.shape is not None:
                self._untold.add(completed.track_id)

    def _adopt(self, completed: Completed) -> None:
        memory = self._memories[completed.track_id]
        memory.is_asked = False
        memory.failures += not completed.backends
        is_locked = memory.is_locked and memory.shape is not None
        if completed.shape is not None and not is_locked:
            memory.backends, memory.failures = completed.backends, 0
            memory.adopt(completed.shape, self._config)


def _published(track_id: int, memory: TrackMemory, frame: Frame) -> Reconstruction:
    T_cam_fixed = inverse(frame.T_fixed_cam)
    T_cam_obj = T_cam_fixed @ memory.T_fixed_obj
    covariance = adjoint_rotation(memory.pose.covariance, T_cam_fixed[:3, :3])
    shape = memory.shape
    if shape is None:
        return Reconstruction(
            track_id=track_id,
            mesh=memory.points,
            T_cam_obj=T_cam_obj,
            covariance=covariance,
            scale_sigma=1.0,
            observed_fraction=0.0,
            confidence=0.0,
            score=EvidenceScore(0.0, 0.0, 0.0),
            provenance=Provenance(''),
            moved_ns=memory.moved_ns,
        )
    # What symmetry and support leave open of where an inferred body is, no residual shows.
    off_m = INFERRED_SIGMA * float(np.linalg.norm(np.ptp(shape.mesh.vertices_m, axis=0)))
    guessed = np.square(shape.inferred * np.repeat([off_m, INFERRED_SIGMA_RAD], 3))
    return Reconstruction(
        track_id=track_id,
        mesh=shape.mesh,
        T_cam_obj=T_cam_obj,
        covariance=covariance + np.diag(guessed),
        scale_sigma=shape.scale_sigma,
        observed_fraction=shape.observed_fraction,
        confidence=shape.confidence,
        score=shape.score,
        provenance=shape.provenance,
        refined=memory.refined,
        backends=memory.backends,
        moved_ns=memory.moved_ns,
        inferred=shape.inferred,
    )
