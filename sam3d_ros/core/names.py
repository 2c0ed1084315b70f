# SPDX-License-Identifier: Apache-2.0
"""What objects are called, on the way from the stage that says it to the scene."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Named:
    """What an object is called: the fields of :class:`SceneObject` of the same names."""

    label: str = ''
    label_score: float = 0.0
    labels: tuple[tuple[str, float], ...] = ()
    colors: tuple[tuple[str, float], ...] = ()
    appearance: tuple[float, ...] = ()
