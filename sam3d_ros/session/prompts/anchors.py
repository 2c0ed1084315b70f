# SPDX-License-Identifier: Apache-2.0
"""What a prompt means, in the fixed frame: how it is asked again of frames that come later.

A point, box or mask names a piece of surface; so do the places that it was said not to mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.spatial import cKDTree

from sam3d_ros.core.errors import PromptError
from sam3d_ros.core.types import (
    BoxPrompt,
    FloatArray,
    Frame,
    Instance,
    PointPrompt,
    Prompt,
)
from sam3d_ros.geometry.cameras import project
from sam3d_ros.geometry.transforms import apply, inverse
from sam3d_ros.geometry.visibility import DepthVerdict, judge_frame
from sam3d_ros.session.prompts.answers import Answered, middle, surface_points

SLACK_M = 0.025
"""How far an anchor may be off. Depth this and the sensor's noise behind it proves it gone."""
FEW = 200
"""So many surface points say how far what was meant goes."""
NEAR = 1.5
"""What lies within so many steps between these points of one of them was meant, too."""
SAME_M = 0.003
"""Places this near to each other are one."""
NONE = np.zeros((0, 3))


@dataclass(frozen=True, slots=True, eq=False)
class Anchor:
    """What was pointed at, in the fixed frame, metres.

    :param number: of the prompt.
    :param point_fixed: (3,) surface point that was asked for.
    :param gone: in how many frames in a row it was seen to be gone.
    :param on_fixed: (N, 3) further surface points that are meant.
    :param off_fixed: (N, 3) surface points that are not meant.
    :param meant_fixed: (N, 3) surface points of the answer.
    :param is_boxed: a box or mask meant all of these.
    :param is_chosen: somebody chose it among alternatives, or made it an object by itself.
    :param apart: it is an object by itself.
    """

    number: int
    point_fixed: FloatArray
    gone: int = 0
    on_fixed: FloatArray = field(default_factory=NONE.copy)
    off_fixed: FloatArray = field(default_factory=NONE.copy)
    meant_fixed: FloatArray = field(default_factory=NONE.copy)
    is_boxed: bool = False
    is_chosen: bool = False
    apart: bool = False

    def moved(self, T_new_old: FloatArray) -> Anchor:
        """Return it after a move of the map, (4, 4) in the fixed frame."""
        return replace(
            self,
            point_fixed=apply(T_new_old, self.point_fixed),
            on_fixed=apply(T_new_old, self.on_fixed),
            off_fixed=apply(T_new_old, self.off_fixed),
            meant_fixed=apply(T_new_old, self.meant_fixed),
        )


def anchor_of(answer: Answered, before: Anchor | None = None) -> Anchor:
    """Return what stands of a prompt that a frame has answered.

    :param answer: with what is meant.
    :param before: what stood of it before this correction.
    :raises PromptError: when nothing of it has depth.
    """
    frame, meant = answer.frame, answer.meant
    points = surface_points(frame, meant.mask)
    if not len(points):
        raise PromptError('the prompt points at a place without depth', wanted='depth there')
    u, v = middle(meant.mask & np.isfinite(frame.depth_m))
    anchor = Anchor(
        answer.number,
        surface_points(frame, np.array([[round(v), round(u)]]))[0],
        meant_fixed=points[:: -(-len(points) // FEW)],
        is_boxed=not isinstance(answer.prompt, PointPrompt),
        is_chosen=answer.is_chosen,
        apart=meant.apart,
    )
    if not isinstance(answer.prompt, PointPrompt):
        return anchor
    # A single point is where it is wanted; of several, each keeps its place.
    labels = np.array(answer.prompt.labels)
    pixels = np.rint(np.array(answer.prompt.points_px)[:, ::-1]).astype(int)
    on = surface_points(frame, pixels[labels == 1]) if (labels == 1).sum() > 1 else NONE
    off = surface_points(frame, pixels[labels == 0])
    if before is not None:
        on, off = _added(before.on_fixed, on), _added(before.off_fixed, off)
    return replace(anchor, on_fixed=on, off_fixed=off)


def _added(known: FloatArray, points: FloatArray) -> FloatArray:
    """Return (N, 3) known points, and those of others that are none of them."""
    if not len(known) or not len(points):
        return known if len(known) else points
    return np.vstack([known, points[cKDTree(known).query(points)[0] > SAME_M]])


def prompt_again(anchor: Anchor, place: tuple[float, float], frame: Frame) -> Prompt:
    """Return the prompt that means an anchor in a frame that shows it.

    :param anchor: what was pointed at.
    :param place: its pixel.
    :param frame: what is looked at.
    """
    if anchor.is_boxed:
        pixels, _ = looked_at(anchor.meant_fixed, frame)
        low, high = np.nanmin(pixels, axis=0), np.nanmax(pixels, axis=0)
        size = frame.camera.width, frame.camera.height
        if (low >= 0).all() and (high < size).all():
            (left, top), (right, bottom) = low, high
            return BoxPrompt((float(left), float(top), float(right) + 1, float(bottom) + 1))
    points, labels = [place], [1]
    for places, label in ((anchor.on_fixed, 1), (anchor.off_fixed, 0)):
        pixels, verdict = looked_at(places, frame)
        seen = [(float(u), float(v)) for u, v in pixels[verdict.confirmed]]
        points, labels = points + seen, labels + [label] * len(seen)
    return PointPrompt(tuple(points), tuple(labels))


def chosen_again(anchor: Anchor, items: Sequence[Instance], frame: Frame) -> Instance:
    """Return of a frame's alternatives the one that an anchor means.

    It is the likeliest, and where somebody chose it the one that agrees best with the surface
    that was meant then.

    :param anchor: what was pointed at.
    :param items: the answers of ``frame``, at least one.
    :param frame: what is looked at.
    """
    if not anchor.is_chosen:
        return max(items, key=lambda item: item.score)
    tree = cKDTree(anchor.meant_fixed)
    step_m = float(np.median(tree.query(anchor.meant_fixed, k=2)[0][:, -1]))
    pixels, verdict = looked_at(anchor.meant_fixed, frame)
    columns, rows = np.rint(pixels[verdict.confirmed]).astype(int).T

    def agreement(item: Instance) -> float:
        held = int(item.mask[rows, columns].sum())
        points = surface_points(frame, item.mask)
        few = points[:: max(1, len(points) // FEW)]
        own = (tree.query(few)[0] < NEAR * step_m).mean() if len(few) else 0.0
        return float(own * held / max(1, len(rows)))

    return max(items, key=agreement)


def looked_at(points_fixed: FloatArray, frame: Frame) -> tuple[FloatArray, DepthVerdict]:
    """Return the (N, 2) pixels of (N, 3) points, and whether the frame shows a surface there.

    :param points_fixed: fixed frame, metres.
    :param frame: what is looked at.
    """
    points_cam = apply(inverse(frame.T_fixed_cam), points_fixed)
    verdict = judge_frame(points_cam, frame, SLACK_M)
    return project(points_cam, frame.camera), verdict
