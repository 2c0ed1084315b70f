# SPDX-License-Identifier: Apache-2.0
"""Which families of the world, and which scans, are of which kind; and things of them by kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sam3d_ros.language.kinds import KINDS, UNKNOWN, kind_of_name
from sam3d_ros.world.meshes import LARGEST_M, ScanEntry, load_scan
from sam3d_ros.world.setting.placing import Body
from sam3d_ros.world.shapes import random_solid

FAMILIES = {
    'cup': ('cup', 'mug', 'mug', 'tumbler'),
    'bowl': ('bowl',),
    'plate': ('plate', 'platter'),
    'bottle': ('bottle',),
    'can': ('can',),
    'box': ('box',),
    'ball': ('ball',),
    'banana': ('banana',),
    'fruit': ('fruit', 'apple', 'apple'),
    'spoon': ('spoon',),
    'fork': ('fork',),
    'knife': ('knife',),
    'screwdriver': ('screwdriver',),
    'hammer': ('hammer',),
    'scissors': ('scissors',),
    'marker': ('pen',),
    'block': ('block',),
    'remote': ('remote',),
    'book': ('book',),
    'towel': ('cloth',),
    'bag': ('bag',),
    'sponge': ('sponge',),
    UNKNOWN: (
        'blob', 'bracket', 'burger', 'carved', 'doughnut', 'dumbbell', 'floret', 'jug', 'pan',
        'phone', 'pot', 'prism', 'ring', 'serving_tray', 'spatula', 'superquadric', 'union',
        'vase', 'wrench',
    ),
}  # fmt: skip
"""Families that give things of each kind."""

SCANS = 0.7
"""Chance of a thing to be a scan where its kind has one."""
SCAN_SIZES = (0.85, 1.18)


class KindSource:
    """Things of all kinds alike often, of scans and families; ``kind/own name`` names them.

    :param entries: the scans to draw from.
    :param weights: how often each of :data:`KINDS` is drawn.
    """

    description = 'things by kind'

    def __init__(self, entries: Sequence[ScanEntry], weights: Sequence[float]) -> None:
        self._scans: dict[str, list[ScanEntry]] = {kind: [] for kind in KINDS}
        for entry in entries:
            kind = kind_of_name(entry.name)
            if kind is not None and (entry.longest_m or 0.0) <= LARGEST_M:
                self._scans[kind].append(entry)
        has_any = np.array([bool(self._scans[k] or k in FAMILIES) for k in KINDS])
        self._chance = np.asarray(weights) * has_any / (np.asarray(weights) * has_any).sum()
        self._bodies: dict[str, Body] = {}

    def draw(self, count: int, rng: np.random.Generator) -> list[Body]:
        """Return ``count`` bodies of kinds drawn at random.

        :param count: how many.
        :param rng: draws all that is left to chance.
        """
        return [
            self._one(KINDS[int(k)], number, rng)
            for number, k in enumerate(rng.choice(len(KINDS), count, p=self._chance))
        ]

    def _one(self, kind: str, number: int, rng: np.random.Generator) -> Body:
        scans = self._scans[kind]
        if scans and (kind not in FAMILIES or rng.random() < SCANS):
            entry = scans[int(rng.integers(len(scans)))]
            if entry.name not in self._bodies:
                self._bodies[entry.name] = Body(load_scan(entry))
            solid = self._bodies[entry.name].solid
            factor = np.float32(rng.uniform(*SCAN_SIZES))
            name = f'{kind}/{entry.name}/{number}'
            return Body(replace(solid, vertices_m=factor * solid.vertices_m, name=name))
        solid = random_solid(rng, FAMILIES[kind])
        return Body(solid.renamed(f'{kind}/{solid.family}/{number}'))
