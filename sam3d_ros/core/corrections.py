# SPDX-License-Identifier: Apache-2.0
"""What is said about the answer to a prompt."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Correction:
    """What is said about the answer to an earlier prompt.

    :param number: of that prompt; 0 = the last one.
    :param points_px: ((u, v), ...) further points, with ``labels`` as of :class:`PointPrompt`.
    :param choice: which alternative is meant: ``whole``, ``part``, ``sub-part``; empty = as it is.
    :param apart: it is an object by itself, whatever it is a part of.
    """

    number: int = 0
    points_px: tuple[tuple[float, float], ...] = ()
    labels: tuple[int, ...] = ()
    choice: str = ''
    apart: bool = False
