# SPDX-License-Identifier: Apache-2.0
"""The memory of objects: each track's best reconstruction, its pose in the fixed frame, its state.

The tracker decides how long a track lives (free space must disprove it); the memory follows. It
says whether an object is seen now, hidden behind something, or outside the image, and lets the
pose grow uncertain while nothing confirms it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from sam3d_ros.core.errors import InputError, NotFoundError
from sam3d_ros.core.names import Named
from sam3d_ros.core.state import from_tree, to_tree
from sam3d_ros.core.types import (
    FloatArray,
    Frame,
    Mesh,
    ObjectState,
    Reconstruction,
    Reconstructions,
    Scene,
    SceneObject,
    Track,
    Tracks,
    TrackState,
)
from sam3d_ros.geometry.transforms import adjoint_rotation, apply, inverse
from sam3d_ros.geometry.visibility import judge_frame
from sam3d_ros.scene.config import SceneConfig
from sam3d_ros.scene.contacts import Contacts

SAMPLES = 400
"""Vertices of a mesh that are enough to tell hidden from out of view."""

SAME_MOMENT_NS = 1_000_000_000
"""For so long what one camera sees of an object stands against what another does not."""

DOUBLE_M, DOUBLE_SHARE = 0.02, 0.6
"""Of two things in one place, more of the surface of one is so near to that of the other."""

SLACK_M = 0.02
"""How far a completed surface and its pose may be off."""


REASONS = {
    ObjectState.TENTATIVE: 'seen in too few of the frames that could show it to be sure of',
    ObjectState.VISIBLE: 'seen',
    ObjectState.OCCLUDED: 'behind something, or too little of it is in the open',
    ObjectState.OUT_OF_VIEW: 'outside the image',
}
"""Why an object has its state."""

INFERRED = 'its range is inferred from its silhouette and what it stands on'
"""What is said of an object that returns hardly any range."""

HIDDEN_SHARE = 0.5
"""An inferred object is hidden where something is before so much of its surface."""

UNSEGMENTED = 'its surface is measured where it was, though no mask shows it'


class ObjectMemory:
    """Every known object; see the module's docstring."""

    def __init__(self, config: SceneConfig) -> None:
        self._config = config
        self._contacts = Contacts(config)
        self._objects: dict[int, SceneObject] = {}
        self._dismissed: set[int] = set()
        self._names: dict[int, str] = {}
        self._removed: list[int] = []
        self._notes: dict[int, str] = {}
        self._opinions: dict[int, dict[str, tuple[int, int]]] = {}
        self._stamp_ns: int | None = None
        self._elapsed_s = 0.0
        self._up: FloatArray | None = None
        self._T_fixed_cam: FloatArray | None = None
        self._pose_covariance: FloatArray | None = None
        self._drift = np.zeros((6, 6))

    def clear(self) -> None:
        """Forget every object; the next scene lists the forgotten ids as removed."""
        self._removed += sorted(self._objects)
        self._objects = {}
        self._opinions = {}
        self._notes = {}
        self._contacts.clear()
        self._dismissed = set()
        self._names = {}
        self._stamp_ns = None

    def ids(self) -> tuple[int, ...]:
        """Return the ids of all known objects, listed or not."""
        return tuple(sorted(self._objects))

    def get(self, object_id: int) -> SceneObject:
        """Return one object as it is known now.

        :raises NotFoundError: when no object has this id.
        """
        if object_id not in self._objects:
            known = ', '.join(map(str, self.ids())) or 'none'
            raise NotFoundError(f'no object {object_id}', wanted=f'one of: {known}')
        return self._objects[object_id]

    def require_unlocked(self, object_id: int) -> None:
        """Require an object that may be changed.

        :raises NotFoundError: when no object has this id.
        :raises InputError: when it is locked.
        """
        if self.get(object_id).locked:
            raise InputError(f'object {object_id} is locked', remedy='Unlock it first.')

    def remove(self, object_id: int) -> None:
        """Forget one object, and ignore its track from now on.

        :raises NotFoundError: when no object has this id.
        :raises InputError: when it is locked.
        """
        self.require_unlocked(object_id)
        del self._objects[object_id]
        self._dismissed.add(object_id)
        self._removed.append(object_id)

    def edit(self, object_id: int, label: str | None, locked: bool | None) -> None:
        """Give an object a name that stays, or lock it.

        :param label: its name; empty = what segmentation calls it; None = as before.
        :param locked: whether its shape is to stay as it is; None = as before.
        :raises NotFoundError: when no object has this id.
        """
        item = self.get(object_id)
        if label is not None:
            self._names[object_id] = label
            item = replace(item, label=label, label_score=float(bool(label)))
        self._objects[object_id] = item if locked is None else replace(item, locked=locked)

    def adopt(self, item: SceneObject) -> None:
        """Take over an object from elsewhere (a loaded scene); one of the same id is replaced.

        Whoever held it then is not known to hold it now.
        """
        self._removed = [object_id for object_id in self._removed if object_id != item.id]
        self._objects[item.id] = replace(item, held='')
        self._dismissed.discard(item.id)

    def forget(self, object_id: int) -> None:
        """Forget one object, if it is known; what it stood for is another one when seen again."""
        self._notes.pop(object_id, None)
        if self._objects.pop(object_id, None) is not None:
            self._opinions.pop(object_id, None)
            self._contacts.forget(object_id)
            self._removed.append(object_id)

    def note(self, object_id: int, reason: str) -> None:
        """Tell why an object is taken for what it is, beside the reason of its state."""
        self._notes[object_id] = reason

    def move(self, moves: Mapping[int, FloatArray]) -> None:
        """Move objects with the map.

        :param moves: by id: (4, 4) how each has moved in the fixed frame.
        """
        for object_id in self._objects.keys() & moves.keys():
            known, T_new_old = self._objects[object_id], moves[object_id]
            self._objects[object_id] = replace(
                known,
                T_fixed_obj=T_new_old @ known.T_fixed_obj,
                covariance=adjoint_rotation(known.covariance, T_new_old[:3, :3]),
            )
            self._contacts.move(object_id, T_new_old)

    def carry(self, moves: Mapping[int, FloatArray], stamp_ns: int) -> None:
        """Move objects as grippers carry them: what they stood on is left behind.

        :param moves: by id: (4, 4) how each has moved in the fixed frame.
        :param stamp_ns: of the frame before which they have moved.
        """
        self.move(moves)
        for object_id in self._objects.keys() & moves.keys():
            self._objects[object_id] = replace(self._objects[object_id], moved_ns=stamp_ns)
            self._contacts.forget(object_id)

    def hold(self, object_id: int, gripper: str) -> None:
        """Take note of who holds an object.

        :param gripper: TF frame of the gripper; empty = none.
        :raises NotFoundError: when no object has this id.
        """
        self._objects[object_id] = replace(self.get(object_id), held=gripper)

    def doubles(self) -> tuple[int, ...]:
        """Return the ids of objects in the place of older ones that were never seen beside them.

        They are the same: what was seen again from a map that had drifted meanwhile.
        """
        surfaces = {
            item.id: apply(item.T_fixed_obj, item.mesh.vertices_m.astype(np.float64))
            for item in self._objects.values()
            if len(item.mesh.vertices_m)
        }
        doubles: list[int] = []
        for object_id in sorted(surfaces):
            born_ns = self._objects[object_id].first_seen_ns
            older = [k for k in surfaces if self._objects[k].last_seen_ns < born_ns]
            mine = surfaces[object_id][:: max(1, len(surfaces[object_id]) // SAMPLES)]
            for other in older:
                distance, _ = cKDTree(surfaces[other]).query(mine, distance_upper_bound=DOUBLE_M)
                if np.isfinite(distance).mean() > DOUBLE_SHARE:
                    doubles.append(object_id)
                    break
        return tuple(doubles)

    def update(
        self,
        frame: Frame,
        tracks: Tracks,
        reconstructions: Reconstructions,
        names: Mapping[int, Named] | None = None,
    ) -> Scene:
        """Return every known object after a frame.

        :param frame: one that joins late, older than others before it, lets no time pass.
        :param tracks: all living tracks after it; what is not among them is forgotten.
        :param reconstructions: of the tracks seen in it.
        :param names: what they are called, by id; others keep the names that they have.
        """
        self._drift = self._drifted(frame)
        previous_ns = frame.stamp_ns if self._stamp_ns is None else self._stamp_ns
        self._elapsed_s = max(0, frame.stamp_ns - previous_ns) * 1e-9
        self._stamp_ns = max(frame.stamp_ns, previous_ns)
        self._T_fixed_cam = frame.T_fixed_cam
        if frame.up_cam is not None:
            self._up = frame.T_fixed_cam[:3, :3] @ frame.up_cam
        rebuilt = {item.track_id: item for item in reconstructions.items}
        alive = {track.id: track for track in tracks.items}
        for object_id in sorted(self._objects):
            if object_id not in alive:
                self.forget(object_id)
        for track in tracks.items:
            if track.id in self._dismissed:
                continue
            if track.id in rebuilt:
                name = (names or {}).get(track.id)
                self._objects[track.id] = self._seen(frame, tracks, track, rebuilt[track.id], name)
            elif track.id in self._objects:
                self._objects[track.id] = self._unseen(frame, track, self._objects[track.id])
        return self.snapshot(frame.stamp_ns, frame.fixed_frame)

    def glanced(self, frame: Frame, seen: Reconstructions, hidden: Collection[int]) -> Scene:
        """Return where known objects are in a frame that is to be segmented.

        Nothing of it is remembered, and none of the others is listed.

        :param frame: the one that :meth:`update` takes next.
        :param seen: the objects that were found in it already.
        :param hidden: ids of those that the last segmented frame did not show, either.
        """
        places = {item.track_id: frame.T_fixed_cam @ item.T_cam_obj for item in seen.items}
        scene = self.listed(frame.stamp_ns, frame.fixed_frame)
        objects = tuple(
            replace(item, T_fixed_obj=places.get(item.id, item.T_fixed_obj))
            for item in scene.objects
        )
        if self._config.contacts:
            objects = self._contacts.copy().settled(objects, scene.up)
        told = places.keys() | set(hidden)
        return replace(scene, objects=tuple(item for item in objects if item.id in told))

    def _drifted(self, frame: Frame) -> FloatArray:
        """Return the (6, 6) covariance that own odometry has added since the latest frame."""
        if self._stamp_ns is not None and frame.stamp_ns < self._stamp_ns:
            return np.zeros((6, 6))
        before, self._pose_covariance = self._pose_covariance, frame.pose_covariance
        if before is None or frame.pose_covariance is None:
            return np.zeros((6, 6))
        values, axes = np.linalg.eigh(frame.pose_covariance - before)
        return np.asarray((axes * np.maximum(values, 0.0)) @ axes.T)

    def rebuilt(self, frame: Frame, reconstructions: Reconstructions) -> None:
        """Take over shapes that were made again, whether the frame shows the objects or not.

        :param frame: the latest one, which the layouts are in.
        :param reconstructions: of objects; those that are not known, or removed, are left out.
        """
        for made in reconstructions.items:
            known = self._objects.get(made.track_id)
            if known is not None:
                self._objects[known.id] = replace(known, **_layout(frame, made))

    def state(self) -> dict[str, Any]:
        """Return what is remembered, as a tree of :mod:`core.state`."""
        return {
            'objects': to_tree(self._objects),
            'dismissed': to_tree(self._dismissed),
            'names': to_tree(self._names),
            'notes': to_tree(self._notes),
            'contacts': self._contacts.state(self._meshes()),
            'stamp_ns': self._stamp_ns,
            'up': self._up,
            'T_fixed_cam': self._T_fixed_cam,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Remember what :meth:`state` returned, and nothing else.

        :raises InputError: when it is of another version.
        """
        self._objects = from_tree(dict[int, SceneObject], state['objects'])
        self._dismissed = from_tree(set[int], state['dismissed'])
        self._names = from_tree(dict[int, str], state['names'])
        self._notes = from_tree(dict[int, str], state['notes'])
        self._contacts.restore(state['contacts'], self._meshes())
        self._stamp_ns = state['stamp_ns']
        self._up = state['up']
        self._T_fixed_cam = state['T_fixed_cam']

    def _meshes(self) -> dict[int, Mesh]:
        return {object_id: item.mesh for object_id, item in self._objects.items()}

    def snapshot(self, stamp_ns: int, fixed_frame: str) -> Scene:
        """Return what is known now, and the ids that left since the last call.

        :param stamp_ns: of the scene.
        :param fixed_frame: that the objects are in.
        """
        scene = self.listed(stamp_ns, fixed_frame)
        if self._config.contacts:
            settled = self._contacts.settled(scene.objects, scene.up)
            scene = replace(scene, objects=settled)
        removed, self._removed = tuple(sorted(self._removed)), []
        return replace(scene, removed=removed)

    def listed(self, stamp_ns: int, fixed_frame: str) -> Scene:
        """Return what is known now.

        A tentative object is listed only if every frame since its birth, the last one included,
        has shown it.

        :param stamp_ns: of the scene.
        :param fixed_frame: that the objects are in.
        """
        listed = tuple(
            self._objects[object_id]
            for object_id in sorted(self._objects)
            if self._objects[object_id].state != ObjectState.TENTATIVE
            or self._objects[object_id].missed == 0
        )
        return Scene(stamp_ns, fixed_frame, listed, up=self._up, T_fixed_cam=self._T_fixed_cam)

    def _seen(
        self,
        frame: Frame,
        tracks: Tracks,
        track: Track,
        rebuilt: Reconstruction,
        name: Named | SceneObject | None,
    ) -> SceneObject:
        instance = tracks.instances.items[track.instance]
        known = self._objects.get(track.id)
        held = known.held if known is not None else ''
        if instance.support >= 0 and not held:
            support = tracks.instances.supports[instance.support]
            plane = np.append(support.normal, support.offset_m) @ inverse(frame.T_fixed_cam)
            self._contacts.stood_on(track.id, plane)
        state = self._combined(frame, track.id, ObjectState.VISIBLE)
        state = state if self._is_told(track) else ObjectState.TENTATIVE
        name = name or known or Named()
        given = self._names.get(track.id)
        return SceneObject(
            id=track.id,
            state=state,
            state_reason=self._told(track.id, REASONS[state], rebuilt.inferred > 0.5),
            label=given or name.label,
            label_score=1.0 if given else name.label_score,
            labels=name.labels,
            colors=name.colors,
            appearance=name.appearance,
            score=float(instance.score * rebuilt.confidence),
            first_seen_ns=track.first_seen_ns,
            last_seen_ns=track.last_seen_ns,
            hits=track.hits,
            missed=track.missed,
            held=held,
            locked=known is not None and known.locked,
            **_layout(frame, rebuilt),
        )

    def _unseen(self, frame: Frame, track: Track, known: SceneObject) -> SceneObject:
        covariance = known.covariance + self._drift
        if not known.held:
            drift = np.repeat([self._config.drift_m_per_s, self._config.drift_rad_per_s], 3)
            covariance = covariance + np.diag(np.square(drift)) * self._elapsed_s
        state = ObjectState.TENTATIVE
        reason = self._told(track.id, REASONS[state], INFERRED in known.state_reason)
        if self._is_told(track):
            is_inferred = INFERRED in known.state_reason
            # No return confirms what has none: where nobody looked for it, it is seen as before.
            is_as_before = is_inferred and track.missed == known.missed
            is_as_before &= known.state == ObjectState.VISIBLE
            now = self._state_out_of_sight(frame, known, is_as_before)
            state = self._combined(frame, track.id, now)
            is_measured = state == ObjectState.VISIBLE and not is_as_before
            reason = UNSEGMENTED if is_measured else REASONS[state]
            reason = self._told(track.id, reason, is_inferred)
        return replace(
            known, state=state, state_reason=reason, covariance=covariance, missed=track.missed
        )

    def _is_told(self, track: Track) -> bool:
        """Whether a track is believed, or somebody who knows that it is one told so before."""
        known = self._objects.get(track.id)
        is_vouched = known is not None and (known.locked or known.held or track.id in self._names)
        was_told = known is not None and known.state != ObjectState.TENTATIVE
        return track.state == TrackState.CONFIRMED or (bool(is_vouched) and was_told)

    def _told(self, object_id: int, reason: str, is_inferred: bool) -> str:
        notes = (reason, INFERRED if is_inferred else '', self._notes.get(object_id, ''))
        return '; '.join(filter(None, notes))

    def _combined(self, frame: Frame, object_id: int, state: ObjectState) -> ObjectState:
        """Return the state of an object by all cameras: seen, else hidden, else out of view.

        What another camera saw counts for as long as it can be of the same moment.
        """
        opinions = self._opinions.setdefault(object_id, {})
        opinions[frame.camera_name] = (frame.stamp_ns, int(state))
        recent_ns = frame.stamp_ns - SAME_MOMENT_NS
        return ObjectState(min(value for at, value in opinions.values() if at >= recent_ns))

    def _state_out_of_sight(
        self, frame: Frame, known: SceneObject, is_as_before: bool
    ) -> ObjectState:
        """Return hidden, out of view, or visible when the depth still shows the surface.

        :param is_as_before: whether it is still visible unless something is before it.
        """
        step = max(1, len(known.mesh.vertices_m) // SAMPLES)
        vertices = known.mesh.vertices_m[::step].astype(np.float64)
        points_cam = apply(inverse(frame.T_fixed_cam) @ known.T_fixed_obj, vertices)
        verdict = judge_frame(points_cam, frame, SLACK_M)
        if verdict.in_view.mean() < self._config.out_of_view_share:
            return ObjectState.OUT_OF_VIEW
        if is_as_before and verdict.hidden.mean() < HIDDEN_SHARE:
            return ObjectState.VISIBLE
        # A closed object hides its own far side, so confirmed points are few even in plain view.
        return ObjectState.VISIBLE if verdict.confirmed.mean() > 0.25 else ObjectState.OCCLUDED


def _layout(frame: Frame, made: Reconstruction) -> dict[str, Any]:
    """Return the fields of a scene object that a reconstruction decides."""
    vertices = made.mesh.vertices_m.astype(np.float64)
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    return {
        'T_fixed_obj': frame.T_fixed_cam @ made.T_cam_obj,
        'covariance': adjoint_rotation(made.covariance, frame.T_fixed_cam[:3, :3]),
        'size_m': high - low,
        'box_center_m': (low + high) / 2,
        'scale_sigma': made.scale_sigma,
        'mesh': made.mesh,
        'observed_fraction': made.observed_fraction,
        'provenance': made.provenance,
        'moved_ns': made.moved_ns,
    }
