# SPDX-License-Identifier: Apache-2.0
"""Phrases about a made-up world, with what each means in truth.

Truth comes from paint, solids and poses, never from what was perceived. What people would argue
about (a third of it is red; 1 cm to the left) counts for nothing: such objects are ignored.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from sam3d_ros.core.types import ByteArray, FloatArray
from sam3d_ros.geometry.transforms import apply
from sam3d_ros.language.colors import TERMS, shares
from sam3d_ros.language.shape import Measures, measure
from sam3d_ros.world.episode import Episode
from sam3d_ros.world.solid import Solid

COLORED, UNCOLORED = 0.6, 0.2
"""Shares of its paint from and up to which a thing is and is not of a colour."""
LARGER, ALIKE = 1.3, 1.1
SIDE_M, NEAR_M, FAR_M = 0.02, 0.04, 0.12
EXTREME = 1.12
SHAPES = {
    'round': ({'ball', 'can', 'plate', 'bowl', 'cup', 'bottle', 'vase', 'ring', 'fruit'},
              {'box', 'flat', 'bracket', 'tray', 'toy', 'hammer', 'wrench', 'spatula'}),
    'spherical': ({'ball'}, {'box', 'flat', 'can', 'bottle', 'bowl', 'plate', 'cup', 'mug', 'pan',
                             'tray', 'bracket', 'hammer', 'screwdriver', 'wrench', 'ring'}),
    'cylindrical': ({'can'}, {'box', 'flat', 'ball', 'plate', 'pan', 'tray', 'bracket', 'hammer',
                              'ring', 'toy', 'bowl', 'wrench'}),
    'boxy': ({'box', 'flat'}, {'ball', 'can', 'bottle', 'bowl', 'plate', 'cup', 'mug', 'pan',
                               'ring', 'fruit', 'hammer', 'screwdriver', 'vase', 'toy'}),
}  # fmt: skip
"""Families to which a shape word applies, and to which it does not."""


@dataclass(frozen=True, slots=True)
class PhraseCase:
    """A phrase, the indices of the objects that it means, and of those that may be either."""

    phrase: str
    sort: str
    meant: frozenset[int]
    ignored: frozenset[int] = frozenset()


@dataclass(frozen=True, eq=False)
class TrueThing:
    """One object of an episode, at its last frame."""

    solid: Solid
    T_fixed_obj: FloatArray

    @cached_property
    def points(self) -> FloatArray:
        """(N, 3) vertices, fixed frame."""
        return apply(self.T_fixed_obj, self.solid.vertices_m.astype(np.float64))

    @cached_property
    def center(self) -> FloatArray:
        """(3,) middle of its upright box."""
        return (self.points.min(axis=0) + self.points.max(axis=0)) / 2

    @cached_property
    def measures(self) -> Measures:
        """Sizes of the true solid."""
        return measure(self.points, self.solid.faces)

    @cached_property
    def colors(self) -> dict[str, float]:
        """How much of its paint goes by each colour name, under white light."""
        return dict(zip(TERMS, shares(paint_of(self.solid)).tolist(), strict=True))


def paint_of(solid: Solid) -> ByteArray:
    """Return (N, 3) uint8 colours of evenly many points of a solid's surface."""
    corners = solid.vertices_m[solid.faces].astype(np.float64)
    sides = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    area = np.linalg.norm(sides, axis=1)
    rng = np.random.default_rng(0)
    faces = rng.choice(len(area), 2000, p=area / area.sum())
    if solid.texture is None:
        colors: ByteArray = solid.colors[solid.faces[faces, 0]]
        return colors
    uv = solid.texture.uv[faces].mean(axis=1)
    h, w = solid.texture.image.shape[:2]
    column = np.floor(uv[:, 0] * w).astype(int) % w
    row = np.floor((1 - uv[:, 1]) * h).astype(int) % h
    texels: ByteArray = solid.texture.image[row, column]
    return texels


def queries(
    episode: Episode, things: list[TrueThing], rng: np.random.Generator
) -> list[PhraseCase]:
    """Return phrases about an episode: of colour, size, shape, place, and of what is not there.

    :param episode: says where the camera was.
    :param things: its objects at the last frame.
    :param rng: draws all that is left to chance.
    """
    found: list[PhraseCase] = []
    said = [
        _split(
            f'the {term} things', 'colour', [thing.colors[term] for thing in things],
            lambda v: v >= COLORED, lambda v: v <= UNCOLORED,
        )
        for term in TERMS
    ]  # fmt: skip
    present = [item for item in said if item.meant]
    absent = [item for item in said if not item.meant and not item.ignored]
    found += _some(present, 3, rng) + _some(absent, 2, rng)
    found += [_size('large', things), _size('small', things)]
    shapes = [_shape(word, things) for word in SHAPES]
    found += _some([item for item in shapes if item.meant], 2, rng)
    found += _some([item for item in shapes if not item.meant and not item.ignored], 1, rng)
    found += _some(_extremes(episode, things), 3, rng)
    references = [case for case in found if len(case.meant) == 1 and not case.ignored]
    for case in _some(references, 4, rng):
        found += _some(_relations(episode, things, case), 1, rng)
    both = [_both(a, b) for a in present for b in shapes if b.meant]
    found += _some([item for item in both if item.meant or not item.ignored], 2, rng)
    return found


def _some(cases: list[PhraseCase], count: int, rng: np.random.Generator) -> list[PhraseCase]:
    return [cases[int(k)] for k in rng.permutation(len(cases))[:count]]


def _split(
    phrase: str, sort: str, values: list[float], yes: Callable[[float], bool],
    no: Callable[[float], bool],
) -> PhraseCase:  # fmt: skip
    meant = frozenset(k for k, value in enumerate(values) if yes(value))
    unsure = frozenset(k for k, v in enumerate(values) if not yes(v) and not no(v))
    return PhraseCase(phrase, sort, meant, unsure)


def _size(word: str, things: list[TrueThing]) -> PhraseCase:
    sizes = np.log([thing.measures.size_m for thing in things])
    sign = 1 if word == 'large' else -1
    values = (sign * (sizes - np.median(sizes))).tolist()
    return _split(
        f'the {word} things', 'size', values,
        lambda v: v >= np.log(LARGER), lambda v: v <= np.log(ALIKE),
    )  # fmt: skip


def _shape(word: str, things: list[TrueThing]) -> PhraseCase:
    yes, no = SHAPES[word]
    families = [thing.solid.family for thing in things]
    meant = frozenset(k for k, family in enumerate(families) if family in yes)
    unsure = frozenset(k for k, f in enumerate(families) if f not in yes and f not in no)
    return PhraseCase(f'the {word} things', 'shape', meant, unsure)


def _axes(episode: Episode) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the camera's place, and level unit vectors to its right and ahead of it."""
    T = episode.T_fixed_cam[-1]
    right = T[:3, 0] * [1, 1, 0]
    right = right / np.linalg.norm(right)
    return T[:3, 3], right, np.array([-right[1], right[0], 0.0])


def _extremes(episode: Episode, things: list[TrueThing]) -> list[PhraseCase]:
    origin, right, _ = _axes(episode)
    aside = np.array([thing.center @ right for thing in things])
    away = np.array([np.linalg.norm(thing.center - origin) for thing in things])
    sizes = np.log([thing.measures.size_m for thing in things])
    heights = np.log([thing.measures.height_m for thing in things])
    longest = np.log([thing.measures.extents_m[0] for thing in things])
    m, ratio = SIDE_M, float(np.log(EXTREME))
    kinds = {
        'leftmost': (-aside, m), 'rightmost': (aside, m), 'nearest': (-away, m),
        'farthest': (away, m), 'largest': (sizes, ratio), 'smallest': (-sizes, ratio),
        'tallest': (heights, ratio), 'longest': (longest, ratio),
    }  # fmt: skip
    found = []
    for word, (values, margin) in kinds.items():
        order = np.argsort(-values)
        if values[order[0]] - values[order[1]] >= margin:
            found.append(
                PhraseCase(f'the {word} thing', 'superlative', frozenset({int(order[0])}))
            )
    return found


def _relations(
    episode: Episode, things: list[TrueThing], reference: PhraseCase
) -> list[PhraseCase]:
    """Return phrases of what stands so to the one thing that another phrase means."""
    (b,) = reference.meant
    _, right, ahead = _axes(episode)
    offsets = np.array([thing.center - things[b].center for thing in things])
    gaps = [_gap(thing, things[b]) for thing in things]
    called = reference.phrase.replace('things', 'thing')
    found = []
    ways = {'left of': -right, 'right of': right, 'behind': ahead, 'in front of': -ahead}
    for word, way in ways.items():
        values = (offsets @ way).tolist()
        case = _split(
            f'the things {word} {called}', 'relation', values,
            lambda v: v > SIDE_M, lambda v: v < -SIDE_M,
        )  # fmt: skip
        found.append(PhraseCase(case.phrase, case.sort, case.meant - {b}, case.ignored - {b}))
    near = _split(
        f'the things next to {called}', 'relation', [-gap for gap in gaps],
        lambda v: v > -NEAR_M, lambda v: v < -FAR_M,
    )  # fmt: skip
    found.append(PhraseCase(near.phrase, near.sort, near.meant - {b}, near.ignored - {b}))
    return found


def _gap(a: TrueThing, b: TrueThing) -> float:
    few = a.points[:: max(1, len(a.points) // 300)]
    other = b.points[:: max(1, len(b.points) // 300)]
    return float(np.linalg.norm(few[:, None] - other[None], axis=2).min())


def _both(a: PhraseCase, b: PhraseCase) -> PhraseCase:
    """Return the phrase of what two phrases mean together."""
    meant = a.meant & b.meant
    maybe = (a.meant | a.ignored) & (b.meant | b.ignored)
    word, rest = a.phrase.split()[1], b.phrase.split()[1]
    return PhraseCase(f'the {word} {rest} things', 'together', meant, maybe - meant)
