# SPDX-License-Identifier: Apache-2.0
"""The objects of a scene as phrases speak of them, and who looks at them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from scipy.spatial import cKDTree
from scipy.special import expit

from sam3d_ros.core.types import FaceLabel, FloatArray, Scene, SceneObject
from sam3d_ros.geometry.transforms import apply, upright_axes
from sam3d_ros.language.colors import HUES, TERMS, shares
from sam3d_ros.language.kinds import KINDS
from sam3d_ros.language.shape import Measures, measure

FEW = 400
Z = np.array([0.0, 0.0, 1.0])
OVER_SHARE = 0.4
"""Of a thing above another, so much of the smaller footprint lies over the other."""
ALIKE, PER_EXTENT, PER_LOOK = 3.8, 19.3, 2.2
"""Log-odds that two things are of one sort, and what differences take from it. Fitted to pairs of
things in worlds of scans of the training split, as often alike as not."""
HUE_SPREAD, PER_HUE = 0.5, 8.0
"""Hues of two things of one sort differ by no more in 95 of 100 such pairs. Beyond it they are of
another sort, which those pairs do not show: rivals were chosen by their colours."""
SATURATED = tuple(hue for hue in HUES if hue != 'brown')
NO_LOOK = 0.5
"""Difference of two things of which one was never looked at."""


@dataclass(frozen=True, slots=True, eq=False)
class Viewpoint:
    """Who looks: where from, and what is right and forward for it; fixed frame.

    :param is_guess: nothing says where the camera was.
    """

    name: str
    origin: FloatArray | None
    right: FloatArray
    forward: FloatArray
    is_guess: bool = False

    def distance(self, point: FloatArray) -> float:
        """Return how far a point is, metres; along forward where there is no origin."""
        if self.origin is None:
            return float(point @ self.forward)
        return float(np.linalg.norm(point - self.origin))


def viewpoint_of(scene: Scene, frame: str) -> Viewpoint:
    """Return who looks at a scene.

    :param scene: knows where its camera was, or not.
    :param frame: ``camera``, or ``fixed``: along x of the fixed frame, with y to the left.
    """
    up = _up_of(scene)
    if frame == 'fixed' or scene.T_fixed_cam is None:
        forward = np.array([1.0, 0, 0])
        return Viewpoint(
            f'x forward in "{scene.fixed_frame}"', None, np.cross(forward, up), forward,
            is_guess=frame != 'fixed',
        )  # fmt: skip
    right, down, ahead = scene.T_fixed_cam[:3, :3].T
    if scene.up is None:
        return Viewpoint('camera', scene.T_fixed_cam[:3, 3], right, ahead)
    # Straight from above, forward is where the upper edge of the image is.
    ahead = ahead - down
    forward = ahead - (ahead @ up) * up
    forward = forward / max(float(np.linalg.norm(forward)), 1e-9)
    return Viewpoint('camera', scene.T_fixed_cam[:3, 3], np.cross(forward, up), forward)


@dataclass(frozen=True, eq=False)
class Thing:
    """One object: its surface in the fixed frame, and what is derived from it."""

    item: SceneObject
    up: FloatArray

    @cached_property
    def points(self) -> FloatArray:
        """(N, 3) float64 vertices, fixed frame, metres."""
        return apply(self.item.T_fixed_obj, self.item.mesh.vertices_m.astype(np.float64))

    @cached_property
    def center(self) -> FloatArray:
        """(3,) middle of its box, fixed frame."""
        return apply(self.item.T_fixed_obj, self.item.box_center_m)

    @cached_property
    def measures(self) -> Measures:
        """Sizes and proportions."""
        return measure(self.points, self.item.mesh.faces, self.up)

    @cached_property
    def top_m(self) -> float:
        """Height of its highest point in the fixed frame."""
        return float((self.points @ self.up).max())

    @cached_property
    def colors(self) -> dict[str, float]:
        """How much of it goes by each colour name."""
        if self.item.colors:
            return dict(self.item.colors)
        mesh = self.item.mesh
        seen = mesh.faces[mesh.face_labels == FaceLabel.OBSERVED]
        own = mesh.colors[np.unique(seen)] if len(seen) else mesh.colors
        return dict(zip(TERMS, shares(own).tolist(), strict=True))

    @cached_property
    def few(self) -> FloatArray:
        """(N, 3) some of its points, evenly."""
        return self.points[:: -(-len(self.points) // FEW)]

    @cached_property
    def tree(self) -> cKDTree:
        """For the nearest points."""
        return cKDTree(self.points)

    def gap_m(self, other: Thing) -> float:
        """Return the distance between two surfaces, metres."""
        return float(other.tree.query(self.few)[0].min())

    def is_over(self, other: Thing) -> bool:
        """Whether it lies above another: higher, with footprints that overlap."""
        if (self.points @ self.up).min() < other.top_m - 0.01:
            return False
        side = upright_axes(self.up)[:2].T
        near = 0.01
        a, b = self.few @ side, other.few @ side
        shared = max(
            float((cKDTree(b).query(a)[0] < near).mean()),
            float((cKDTree(a).query(b)[0] < near).mean()),
        )
        return shared > OVER_SHARE

    def named(self, kinds: Sequence[str]) -> float:
        """Return the probability that it is of one of these kinds."""
        known = dict(self.item.labels)
        if self.item.label_score >= 1.0:
            return float(self.item.label in kinds)
        if not known:
            return float(self.item.label in kinds) * (self.item.label_score or 1.0)
        rest = max(0.0, 1 - sum(known.values())) / max(1, len(KINDS) - len(known))
        share = min(1.0, sum(known.get(kind, rest) for kind in kinds))
        # What is listed under a name answers to it, however unsure the name is.
        return 0.5 + 0.5 * share if self.item.label in kinds else share


@lru_cache(maxsize=1)
def things_of(scene: Scene) -> tuple[Thing, ...]:
    """Return the objects of a scene that have a surface; all its phrases share their measures."""
    up = _up_of(scene)
    return tuple(Thing(item, up) for item in scene.objects if len(item.mesh.vertices_m) > 3)


def likeness(a: Thing, b: Thing) -> float:
    """Return how likely two things are of one sort: by what they look like, hues and size.

    :param a: a thing.
    :param b: another one, or the same.
    """
    if a is b:
        return 1.0
    hue = sum(abs(a.colors.get(term, 0.0) - b.colors.get(term, 0.0)) for term in SATURATED) / 2
    extent = np.abs(np.log(a.measures.extents_m / b.measures.extents_m)).mean()
    looks = a.item.appearance, b.item.appearance
    look = 1 - float(np.dot(*looks)) if all(looks) else NO_LOOK
    other_hue = PER_HUE * max(0.0, hue - HUE_SPREAD)
    return float(expit(ALIKE - PER_EXTENT * extent - PER_LOOK * look - other_hue))


def _up_of(scene: Scene) -> FloatArray:
    return Z if scene.up is None else scene.up / np.linalg.norm(scene.up)
