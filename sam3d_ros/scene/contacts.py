# SPDX-License-Identifier: Apache-2.0
"""Contact: what is published stands on something, and in nothing.

Poses and completed surfaces are millimetres off, so that things hover, sink in and stand in each
other. What the covariance of its pose allows is put right: an object is moved until it touches
what it stands on, its foot is made level, and where two objects overlap, both are cut at the plane
that takes least off them and leaves what was seen. What needs more than that is told and left as
it is. What was tracked is not touched: only what is published changes, and while objects rest it
is always the same.

How far a bottom is off its support says little about the pose, which the sides hold: bottoms are
hardly ever seen. Pose and bottom are moved as a Kalman filter would, each by its own variance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import product
from typing import Any, overload

import numpy as np

from sam3d_ros.core.state import from_tree, to_tree
from sam3d_ros.core.types import ConvexPart, FaceLabel, FloatArray, Mesh, SceneObject
from sam3d_ros.geometry.shapes.convex import held_above
from sam3d_ros.geometry.transforms import apply, inverse
from sam3d_ros.scene.config import SceneConfig
from sam3d_ros.scene.separation import Separation, separation

SUPPORT_SIGMA_M = 0.001
"""How far the mean of many fits of a support is off."""
BOTTOM_SIGMA_M = 0.003
"""The bottom of a completed mesh is off by this, where its pose is right."""
LEAST_GAIN = 0.05
"""Weight of the latest fit of a support in their mean, when there were many."""
FOOT_M, FOOT_SHARE = 0.005, 0.1
"""What is this near to the support, or this share of an object's height, stands on it: completed
bottoms are not quite level."""
REACH_M = 0.02
"""Things whose boxes are farther apart have nothing to do with each other."""
MOST_CUT, MOST_SEEN_M = 0.4, 0.012
"""Two things that overlap by more, all in all (share of the thinner one) or where they were seen,
are not parted: each is the other, or a part of it."""
UPRIGHT = 0.7
"""What lies on another thing is parted from it by a plane whose normal is so far upward."""
ROUNDS = 4
CLEAR_M = 0.0001
"""So far from its plane is a surface that was cut."""
TOLD_M = 0.0005
"""Moves and cuts that are smaller are not worth a word."""
SIGNS = np.array(list(product((-1.0, 1.0), repeat=3)))
"""Corners of a box, in halves of its size."""
SAME_PLANE_M, SAME_NORMAL = 0.001, 0.01
"""Planes that differ by less leave a mesh that was cut as it is, so that it is not sent again."""


@dataclass(frozen=True, slots=True, eq=False)
class _Cut:
    """A plane, in the object's frame, that an object has to stay over.

    :param plane: (4,) nx, ny, nz, d with n @ p + d = height over it.
    :param level_m: what is less high and was not observed is put onto it.
    :param at: what is there, in words.
    :param seen_level_m: what is less high is put onto it, observed or not.
    """

    plane: FloatArray
    level_m: float
    at: str
    seen_level_m: float = 0.0

    def is_as(self, other: _Cut) -> bool:
        """Whether another one would cut alike."""
        apart = np.abs(self.plane - other.plane)
        is_near = apart[:3].max() < SAME_NORMAL and apart[3] < SAME_PLANE_M
        return self.at == other.at and bool(is_near)


class _CutParts(Sequence[ConvexPart]):
    """Convex parts as cuts leave them: made when a planner is told, which poses do not wait for.

    :param parts: whole.
    :param cuts: in the parts' frame.
    """

    def __init__(self, parts: Sequence[ConvexPart], cuts: tuple[_Cut, ...]) -> None:
        self._parts, self._cuts = parts, cuts

    @overload
    def __getitem__(self, at: int) -> ConvexPart: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[ConvexPart]: ...
    def __getitem__(self, at: int | slice) -> ConvexPart | Sequence[ConvexPart]:
        return self._made[at]

    def __len__(self) -> int:
        return len(self._parts)

    @cached_property
    def _made(self) -> tuple[ConvexPart, ...]:
        parts = tuple(self._parts)
        for place, cut in enumerate(ROUNDS * self._cuts):
            level_m = cut.level_m if place < len(self._cuts) else 0.0
            parts = tuple(held_above(part, cut.plane, level_m) for part in parts)
        return parts


@dataclass(frozen=True, slots=True, eq=False)
class _Trimmed:
    """A mesh, what cut it, what is left of it, and what that took off, in words."""

    source: Mesh
    cuts: tuple[_Cut, ...]
    mesh: Mesh
    told: tuple[str, ...]

    @classmethod
    def of(cls, source: Mesh, cuts: Sequence[_Cut]) -> _Trimmed:
        """Cut a mesh."""
        vertices, told = source.vertices_m.astype(np.float64), []
        is_guess = np.ones(len(vertices), bool)
        is_guess[source.faces[source.face_labels == FaceLabel.OBSERVED]] = False
        # What one plane moves may get over another one: alternating projections end over all.
        for place, cut in enumerate(ROUNDS * tuple(cuts)):
            heights = vertices @ cut.plane[:3] + cut.plane[3]
            below = np.where(
                heights < np.where(is_guess, cut.level_m, cut.seen_level_m), heights, 0.0
            )
            vertices = vertices - below[:, None] * cut.plane[:3]
            if place < len(cuts) and (depth_m := -float(below.min())) > TOLD_M:
                told.append(f'cut by up to {1e3 * depth_m:.1f} mm at {cut.at}')
        parts = None if source.parts is None else _CutParts(source.parts, tuple(cuts))
        mesh = replace(source, vertices_m=vertices.astype(np.float32), parts=parts)
        return cls(source, tuple(cuts), mesh, tuple(told))

    def holds(self, source: Mesh, cuts: Sequence[_Cut]) -> bool:
        """Whether cutting a mesh would give the same."""
        return (
            _is_same(source, self.source)
            and len(cuts) == len(self.cuts)
            and all(a.is_as(b) for a, b in zip(cuts, self.cuts, strict=True))
        )


@dataclass(eq=False)
class _Placed:
    """An object on its way out.

    :param T_fixed_obj: (4, 4) its pose, which changes as it is put right.
    :param stands: whether it stands on its support, or has been laid on something.
    :param told: what was done to it, in words.
    """

    item: SceneObject
    T_fixed_obj: FloatArray
    stands: bool = False
    cuts: list[_Cut] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    @cached_property
    def vertices(self) -> FloatArray:
        """(V, 3) of the mesh, object frame."""
        return self.item.mesh.vertices_m.astype(np.float64)

    @cached_property
    def seen(self) -> FloatArray:
        """(S, 3) vertices of the faces that were observed; all where none was."""
        mesh = self.item.mesh
        used = np.zeros(len(self.vertices), bool)
        used[mesh.faces[mesh.face_labels == FaceLabel.OBSERVED]] = True
        return self.vertices[used] if used.any() else self.vertices

    @property
    def box(self) -> FloatArray:
        """(2, 3) lowest and highest corner of the oriented box, fixed frame."""
        half = 0.5 * self.item.size_m
        points = apply(self.T_fixed_obj, self.item.box_center_m + SIGNS * half)
        return np.stack([points.min(axis=0), points.max(axis=0)])

    def sigma_m(self, direction: FloatArray) -> float:
        """Return the sigma of the position along a (3,) direction of the fixed frame."""
        return float(np.sqrt(direction @ self.item.covariance[:3, :3] @ direction))

    def shift(self, by_m: FloatArray, onto: str) -> None:
        """Move by (3,) in the fixed frame, onto something."""
        self.T_fixed_obj = self.T_fixed_obj.copy()
        self.T_fixed_obj[:3, 3] += by_m
        self.stands = True
        if (far_m := float(np.linalg.norm(by_m))) > TOLD_M:
            self.told.append(f'moved {1e3 * far_m:.1f} mm onto {onto}')


@dataclass(frozen=True, slots=True, eq=False)
class _Parted:
    """How two objects were parted, as it is saved: a :class:`_Pair` without its meshes."""

    lower: int
    upper: int
    T_lower_upper: FloatArray
    found: Separation


@dataclass(frozen=True, slots=True, eq=False)
class _Pair:
    """How two objects are parted, in the frame of the lower one, and what that was found from."""

    meshes: tuple[Mesh, Mesh]
    T_lower_upper: FloatArray
    found: Separation


class Contacts:
    """Remembers what objects stand on, how they were parted and cut; see the module's docstring.

    :param config: of the scene.
    """

    def __init__(self, config: SceneConfig) -> None:
        self._config = config
        self._supports: dict[int, tuple[FloatArray, int]] = {}
        self._trimmed: dict[int, _Trimmed] = {}
        self._pairs: dict[tuple[int, int], _Pair] = {}

    def clear(self) -> None:
        """Forget everything."""
        self._supports, self._trimmed, self._pairs = {}, {}, {}

    def copy(self) -> Contacts:
        """Return what goes on from here by itself."""
        other = Contacts(self._config)
        other._supports, other._pairs = dict(self._supports), self._pairs
        other._trimmed = dict(self._trimmed)
        return other

    def stood_on(self, object_id: int, plane: FloatArray) -> None:
        """Take note of the plane that a frame showed under an object.

        :param plane: (4,) nx, ny, nz, d in the fixed frame, n @ p + d = height over it.
        """
        mean, count = self._supports.get(object_id, (plane, 0))
        mean = mean + max(1.0 / (count + 1), LEAST_GAIN) * (plane - mean)
        self._supports[object_id] = mean / np.linalg.norm(mean[:3]), count + 1

    def move(self, object_id: int, T_new_old: FloatArray) -> None:
        """Let the support of an object go along with the map, (4, 4) in the fixed frame."""
        if object_id in self._supports:
            plane, count = self._supports[object_id]
            self._supports[object_id] = plane @ inverse(T_new_old), count

    def state(self, meshes: Mapping[int, Mesh]) -> Any:
        """Return what is remembered, as a tree of :mod:`core.state`.

        How meshes were cut is remembered by the cuts, since small moves leave them as they are.

        :param meshes: the present ones, by object; what was found of others is worth nothing.
        """
        cuts = {
            object_id: known.cuts
            for object_id, known in self._trimmed.items()
            if object_id in meshes and _is_same(meshes[object_id], known.source)
        }
        parted = [
            _Parted(lower, upper, pair.T_lower_upper, pair.found)
            for (lower, upper), pair in self._pairs.items()
            if all(
                object_id in meshes and _is_same(meshes[object_id], mesh)
                for object_id, mesh in zip((lower, upper), pair.meshes, strict=True)
            )
        ]
        return {
            'supports': to_tree(self._supports),
            'cuts': to_tree(cuts),
            'parted': to_tree(parted),
        }

    def restore(self, state: Mapping[str, Any], meshes: Mapping[int, Mesh]) -> None:
        """Remember what :meth:`state` returned, and nothing else.

        :param meshes: that it was given.
        :raises InputError: when it is of another version.
        """
        self._supports = from_tree(dict[int, tuple[FloatArray, int]], state['supports'])
        cuts = from_tree(dict[int, tuple[_Cut, ...]], state['cuts'])
        self._trimmed = {key: _Trimmed.of(meshes[key], each) for key, each in cuts.items()}
        self._pairs = {
            (item.lower, item.upper): _Pair(
                (meshes[item.lower], meshes[item.upper]), item.T_lower_upper, item.found
            )
            for item in from_tree(list[_Parted], state['parted'])
        }

    def settled(
        self, objects: Sequence[SceneObject], up: FloatArray | None
    ) -> tuple[SceneObject, ...]:
        """Return objects as they may be published: in contact, and not in each other.

        :param objects: as they were tracked, in a fixed frame; those without faces stay as they
            are.
        :param up: (3,) against gravity in the fixed frame, None = not known.
        """
        placed = [_Placed(item, item.T_fixed_obj) for item in objects if len(item.mesh.faces)]
        for body in placed:
            self._stand(body)
        self._part(placed, up)
        done = {body.item.id: self._published(body) for body in placed}
        self._trimmed = {key: known for key, known in self._trimmed.items() if key in done}
        return tuple(done.get(item.id, item) for item in objects)

    def forget(self, object_id: int) -> None:
        """Forget what an object stood on."""
        self._supports.pop(object_id, None)

    def _stand(self, body: _Placed) -> None:
        """Move an object onto its support, where its covariance allows; level its foot there."""
        if body.item.id not in self._supports:
            return
        plane, _ = self._supports[body.item.id]
        plane_obj = plane @ body.T_fixed_obj
        heights = body.vertices @ plane_obj[:3] + plane_obj[3]
        lowest = float(heights.min())
        sigma = body.sigma_m(plane[:3])
        variance = sigma**2 + SUPPORT_SIGMA_M**2 + BOTTOM_SIGMA_M**2
        if lowest**2 <= self._config.contact_sigmas**2 * variance:
            gain = sigma**2 / variance
            body.shift(-gain * lowest * plane[:3], 'its support')
            lowest *= 1.0 - gain
            if lowest > TOLD_M:
                body.told.append(f'foot lowered by {1e3 * lowest:.1f} mm')
        if lowest < 0.0 or body.stands:
            hover_m = max(lowest, 0.0)
            level_m = hover_m + min(FOOT_M, FOOT_SHARE * float(np.ptp(heights)))
            plane_obj = plane @ body.T_fixed_obj
            body.cuts.append(_Cut(plane_obj, level_m, 'its support', hover_m + CLEAR_M))
            body.stands = True

    def _part(self, placed: Sequence[_Placed], up: FloatArray | None) -> None:
        """Part what overlaps, the lower ones first; lay down what hovers over another."""
        boxes = [body.box for body in placed]
        heights = [0.0 if up is None else float(box[0] @ up) for box in boxes]
        order = np.argsort(heights, kind='stable').tolist()
        pairs: dict[tuple[int, int], _Pair] = {}
        for place, k in enumerate(order):
            upper, under = placed[k], []
            for j in order[:place]:
                apart = np.maximum(boxes[k][0] - boxes[j][1], boxes[j][0] - boxes[k][1])
                if apart.max() < REACH_M:
                    pair = self._pair(placed[j], upper)
                    pairs[placed[j].item.id, upper.item.id] = pair
                    under.append((placed[j], pair.found))
            under.sort(key=lambda each: -each[1].overlap_m)
            for lower, found in under:
                normal = lower.T_fixed_obj[:3, :3] @ found.normal
                sigma = float(np.hypot(lower.sigma_m(normal), upper.sigma_m(normal)))
                is_laid = (
                    not upper.stands
                    and up is not None
                    and normal @ up > UPRIGHT
                    and abs(found.overlap_m) <= self._config.contact_sigmas * sigma
                )
                if is_laid:
                    upper.shift(found.overlap_m * normal, str(lower.item.id))
                elif found.overlap_m > 0.0:
                    _cut(lower, upper, found)
        self._pairs = pairs

    def _pair(self, lower: _Placed, upper: _Placed) -> _Pair:
        T = inverse(lower.T_fixed_obj) @ upper.T_fixed_obj
        meshes = (lower.item.mesh, upper.item.mesh)
        known = self._pairs.get((lower.item.id, upper.item.id))
        if known is not None and all(map(_is_same, known.meshes, meshes)):
            moved = np.abs(known.T_lower_upper - T)
            if moved[:3, 3].max() < SAME_PLANE_M and moved[:3, :3].max() < SAME_NORMAL:
                return known
        points, seen = apply(T, upper.vertices), apply(T, upper.seen)
        found = separation(lower.vertices, points, lower.seen, seen)
        return _Pair(meshes, T, found)

    def _published(self, body: _Placed) -> SceneObject:
        item, trimmed = body.item, self._trimmed.get(body.item.id)
        if not body.cuts or item.locked:
            self._trimmed.pop(item.id, None)
            return replace(item, T_fixed_obj=body.T_fixed_obj, contact='; '.join(body.told))
        if trimmed is None or not trimmed.holds(item.mesh, body.cuts):
            trimmed = _Trimmed.of(item.mesh, body.cuts)
            self._trimmed[item.id] = trimmed
        low, high = trimmed.mesh.vertices_m.min(axis=0), trimmed.mesh.vertices_m.max(axis=0)
        return replace(
            item,
            T_fixed_obj=body.T_fixed_obj,
            mesh=trimmed.mesh,
            size_m=(high - low).astype(np.float64),
            box_center_m=(0.5 * (low + high)).astype(np.float64),
            contact='; '.join((*body.told, *trimmed.told)),
        )


def _is_same(one: Mesh, other: Mesh) -> bool:
    """Whether two meshes are one, or a copy of one that was saved and read again."""
    return one is other or (
        np.array_equal(one.vertices_m, other.vertices_m)
        and np.array_equal(one.faces, other.faces)
        and np.array_equal(one.face_labels, other.face_labels)
    )


def _cut(lower: _Placed, upper: _Placed, found: Separation) -> None:
    """Cut two objects that overlap at the plane between them, or tell that none is."""
    T_lower_upper = inverse(lower.T_fixed_obj) @ upper.T_fixed_obj
    normal_upper = T_lower_upper[:3, :3].T @ found.normal
    thick_m = min(np.ptp(lower.vertices @ found.normal), np.ptp(upper.vertices @ normal_upper))
    if found.seen_m > MOST_SEEN_M or found.overlap_m > MOST_CUT * thick_m:
        for body, other in ((lower, upper), (upper, lower)):
            body.told.append(f'not parted from {other.item.id}, which was seen in it or around it')
        return
    plane = np.append(found.normal, -found.offset_m)
    room = np.array([0.0, 0.0, 0.0, CLEAR_M])
    lower.cuts.append(_Cut(-plane - room, 0.0, str(upper.item.id)))
    upper.cuts.append(_Cut((plane - room) @ T_lower_upper, 0.0, str(lower.item.id)))
