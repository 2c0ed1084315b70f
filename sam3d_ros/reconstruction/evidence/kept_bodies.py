# SPDX-License-Identifier: Apache-2.0
"""Bodies that were fitted before: the one that a silhouette agrees with is not fitted again."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from sam3d_ros.core.types import FloatArray, Frame
from sam3d_ros.geometry.cameras import project
from sam3d_ros.geometry.transforms import inverse
from sam3d_ros.reconstruction.evidence.bodies import Body, Outline, agreement, fit_body

LESS, LEAST = 0.04, 0.5
"""A body is what a silhouette shows while the two agree at most so much less than when the body
was fitted; what agrees less than this is fitted anew in each frame."""
ANEW_NS, LONGEST = 50_000_000, 6
"""It is fitted anew after this time, all the same, then after twice it, so many times twice: no
single silhouette decides."""
MOST = 30
"""Bodies that are kept; beyond, the one that was shown least lately goes."""


@dataclass(slots=True, eq=False)
class KeptBody:
    """A body that a silhouette has shown.

    :param body: in the fixed frame.
    :param agreed: how well the silhouette that it was fitted to agrees with it.
    :param has_own: whether it was fitted to returns of its own, too.
    :param fits: how often it was fitted, each time near to the one before.
    :param anew_ns: stamp from which on it is fitted anew.
    """

    body: Body
    agreed: float
    has_own: bool
    fits: int
    anew_ns: int


@dataclass(slots=True, eq=False)
class KeptBodies:
    """The bodies of the things without returns that were seen lately.

    :param items: in the order in which they were shown last.
    """

    items: list[KeptBody] = field(default_factory=list)

    def body(self, outline: Outline, own_m: FloatArray | None, frame: Frame) -> Body:
        """Return the body that a silhouette shows, in the frame's camera; fitted where need be.

        :param outline: the silhouette over what it stands on.
        :param own_m: (P, 3) points of its surface, optical frame, metres; None = there are none.
        :param frame: what shows it.
        """
        T_cam_fixed = inverse(frame.T_fixed_cam)
        fits = 0
        for kept in [it for it in self.items if _is_there(it.body.moved(T_cam_fixed), outline)]:
            self.items.remove(kept)
            body = kept.body.moved(T_cam_fixed)
            agrees = agreement(outline, body, own_m) >= max(kept.agreed - LESS, LEAST)
            if agrees and kept.has_own == (own_m is not None):
                if frame.stamp_ns < kept.anew_ns:
                    self.items.append(kept)
                    return body
                fits = max(fits, kept.fits)
        body = fit_body(outline, own_m)
        self.items.append(
            KeptBody(
                body.moved(frame.T_fixed_cam),
                agreement(outline, body, own_m),
                own_m is not None,
                fits + 1,
                frame.stamp_ns + (ANEW_NS << min(fits, LONGEST)),
            )
        )
        del self.items[:-MOST]
        return body


def _is_there(body: Body, outline: Outline) -> bool:
    """Whether a silhouette is where a body, in the camera's frame, would be seen."""
    column, row = np.nan_to_num(project(body.rings_m.mean(axis=(0, 1)), outline.camera), nan=-1.0)
    height, width = outline.mask.shape
    return bool(0 <= column < width and 0 <= row < height and outline.mask[int(row), int(column)])
