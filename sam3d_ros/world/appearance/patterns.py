# SPDX-License-Identifier: Apache-2.0
"""Pictures for floors, tables and walls: plain ones, and such as real rooms are covered with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from sam3d_ros.core.types import ByteArray, Float32Array, FloatArray
from sam3d_ros.world.appearance.noise import pink_noise
from sam3d_ros.world.appearance.palette import furniture_color, random_color, wood_color
from sam3d_ros.world.appearance.prints import printed

Rng = np.random.Generator
Pattern = Callable[[Rng, int], Float32Array]
"""(side, side, 3) float32 colours, 0..255, of a side in pixels; its borders fit each other."""
SURROUNDINGS_VIVID = 0.35
"""Floors and tables are less colourful than things."""


def photographic_pattern(rng: Rng, role: str = 'table', side_px: int = 1024) -> ByteArray:
    """Return a (side, side, 3) uint8 picture of what a real surface of this role looks like.

    :param rng: draws all that is left to chance.
    :param role: ``table``, ``floor`` or ``wall``: one of :data:`ROLES`, how likely is what.
    :param side_px: rows and columns of the picture.
    """
    shares = ROLES[role]
    names = list(shares)
    weights = np.array([shares[name] for name in names])
    name = names[int(rng.choice(len(names), p=weights / weights.sum()))]
    image = PATTERNS[name](rng, side_px)
    if role == 'wall':
        # Most walls are painted in light colours.
        image += rng.uniform(0.0, 0.8) * (np.float32(245) - image)
    return worn(rng, image)


def laminate(rng: Rng, side_px: int) -> Float32Array:
    """Return one colour, even or faintly mottled.

    :param rng: draws all that is left to chance.
    :param side_px: rows and columns of the picture.
    """
    contrast = rng.choice([0.0, 0.01, 0.03])
    return _toned(furniture_color(rng), 1 + contrast * pink_noise(rng, side_px, 1.0))


def mottled(rng: Rng, side_px: int) -> Float32Array:
    """Return two colours mixed by 1/f noise: stone, plaster, linoleum, dyed cloth.

    :param rng: draws all that is left to chance.
    :param side_px: rows and columns of the picture.
    """
    first = furniture_color(rng)
    second = furniture_color(rng) if rng.random() < 0.3 else first * rng.uniform(0.4, 0.9)
    noise = pink_noise(rng, side_px, rng.uniform(0.7, 2.0), lowest=rng.uniform(1, 12))
    return _between(first, second, 0.5 + 0.03 * 12 ** rng.random() * noise)


def wood(rng: Rng, side_px: int) -> Float32Array:
    """Return boards with grain along rows: stretched noise, wavy rings, knots, joints.

    :param rng: draws all that is left to chance.
    :param side_px: rows and columns of the picture.
    """
    color = wood_color(rng)
    long = rng.uniform(8, 30)
    fine = pink_noise(rng, side_px, rng.uniform(0.6, 1.0), (long, 1.0), lowest=4)
    v, u = np.mgrid[0:side_px, 0:side_px].astype(np.float32) / side_px
    warp = pink_noise(rng, side_px, 2.0, (rng.uniform(3, 6), 1.0))
    if rng.random() < 0.4:
        _bend_round_knots(rng, warp, u, v)
    rings = np.sin(2 * np.pi * (rng.integers(3, 12) * v + rng.uniform(0.2, 1.2) * warp))
    contrast = rng.uniform(0.03, 0.14)
    tone = 1 + contrast * (rng.uniform(0.2, 0.8) * rings + rng.uniform(0.2, 0.6) * fine)
    if rng.random() < 0.5:
        tone *= _boards(rng, side_px)
    dark = np.clip((1 - tone) * 3, 0, 1).astype(np.float32)
    return _toned(color, tone) - dark[..., None] * np.array([0, 8, 14], np.float32)


def cloth(rng: Rng, side_px: int) -> Float32Array:
    """Return woven threads, plain or with the stripes of a check.

    :param rng: draws all that is left to chance.
    :param side_px: rows and columns of the picture.
    """
    first, second = furniture_color(rng), furniture_color(rng)
    period = int(2 ** rng.integers(2, 4))
    line = np.arange(side_px) / period * 2 * np.pi
    weave = np.sin(line)[:, None] * np.sin(line)[None].astype(np.float32)
    tone = 1 + rng.uniform(0.03, 0.15) * weave + 0.04 * pink_noise(rng, side_px, 0.8)
    if rng.random() < 0.5:
        return _toned(first, tone)
    bands = np.repeat(rng.random(16) < 0.5, side_px // 16).astype(np.float32)
    across = bands if rng.random() < 0.6 else np.zeros(side_px, np.float32)
    check = (bands[:, None] + across[None]) / 2
    return _between(first, second, check) * tone[..., None].astype(np.float32)


def marble(rng: Rng, side_px: int) -> Float32Array:
    """Return veins: ridges of warped noise (Perlin's turbulence, 1985).

    :param rng: draws all that is left to chance.
    :param side_px: rows and columns of the picture.
    """
    ground = furniture_color(rng)
    vein = ground * rng.uniform(0.3, 0.8) if ground.mean() > 90 else ground + rng.uniform(60, 130)
    ridge = np.exp(-np.abs(pink_noise(rng, side_px, 1.6)) * rng.uniform(6, 20))
    cloud = pink_noise(rng, side_px, 1.4)
    share = 0.8 * ridge * np.clip(0.5 + 0.5 * cloud, 0, 1) + 0.08 * cloud
    return _between(ground, vein, share)


def terrazzo(rng: Rng, side_px: int) -> Float32Array:
    """Return chips or speckles of a few colours in a ground.

    :param rng: draws all that is left to chance.
    :param side_px: rows and columns of the picture.
    """
    image = laminate(rng, side_px)
    for _ in range(int(rng.integers(1, 5))):
        size = rng.uniform(0.8, 6)
        field = cv2.GaussianBlur(rng.standard_normal((side_px, side_px), np.float32), (0, 0), size)
        chips = field > np.quantile(field[::8, ::8], rng.uniform(0.85, 0.985))
        image[chips] = furniture_color(rng)
    return image


def carpet(rng: Rng, side_px: int) -> Float32Array:
    """Return short pile: strong fine noise, often of several yarns.

    :param rng: draws all that is left to chance.
    :param side_px: rows and columns of the picture.
    """
    first = furniture_color(rng)
    pile = pink_noise(rng, side_px, rng.uniform(0.0, 0.5))
    pile = np.asarray(cv2.GaussianBlur(pile, (0, 0), rng.uniform(0.5, 1.5)), np.float32)
    tone = 1 + rng.uniform(0.1, 0.3) * pile + 0.05 * pink_noise(rng, side_px, 1.5)
    if rng.random() < 0.5:
        return _toned(first, tone)
    second = furniture_color(rng)
    yarn = pink_noise(rng, side_px, 0.4, (rng.uniform(0.3, 4), 1.0))
    return _between(first, second, yarn > rng.uniform(-0.5, 1.0)) * tone[..., None]


def tiles(rng: Rng, side_px: int) -> Float32Array:
    """Return tiles or bricks, each of its own tone, between joints.

    :param rng: draws all that is left to chance.
    :param side_px: rows and columns of the picture.
    """
    image = (marble if rng.random() < 0.4 else laminate)(rng, side_px)
    rows = int(np.exp(rng.uniform(np.log(4), np.log(28))))
    columns = rows if rng.random() < 0.6 else max(2, int(rows * rng.uniform(0.3, 1.5)))
    v, u = np.mgrid[0:side_px, 0:side_px].astype(np.float32) / side_px
    row = np.minimum((v * rows).astype(int), rows - 1)
    along = u * columns
    if rng.random() < 0.4:
        along = along + 0.5 * (row % 2)
    column = along.astype(int) % columns
    tone = 1 + rng.uniform(0.0, 0.12) * rng.standard_normal((rows, columns)).astype(np.float32)
    image *= tone[row, column][..., None]
    width = rng.uniform(0.01, 0.06)
    joint = (along % 1.0 < width * columns / rows) | (v * rows % 1.0 < width)
    image[joint] = furniture_color(rng)
    return image


def checks(rng: Rng, side_px: int) -> Float32Array:
    """Return a checkerboard, often in black and white.

    :param rng: draws all that is left to chance.
    :param side_px: rows and columns of the picture.
    """
    first, second = furniture_color(rng), furniture_color(rng)
    if rng.random() < 0.5:
        first, second = np.full(3, rng.uniform(5, 40)), np.full(3, rng.uniform(215, 252))
    count = 2 * int(rng.integers(4, 24))
    line = (np.arange(side_px) * count // side_px) % 2
    return _between(first, second, line[:, None] ^ line[None])


def stripes(rng: Rng, side_px: int) -> Float32Array:
    """Return bands of a few colours: boards, table runners, wallpaper.

    :param rng: draws all that is left to chance.
    :param side_px: rows and columns of the picture.
    """
    count = int(rng.integers(4, 40))
    colors = np.stack([furniture_color(rng) for _ in range(int(rng.integers(2, 5)))])
    edges = np.sort(rng.integers(0, side_px, count))
    band = np.searchsorted(edges, np.arange(side_px)) % count
    line = colors[rng.integers(0, len(colors), count)][band].astype(np.float32)
    image = np.broadcast_to(line[:, None], (side_px, side_px, 3))
    if rng.random() < 0.5:
        image = image.transpose(1, 0, 2)
    return np.array(image) * (1 + 0.03 * pink_noise(rng, side_px))[..., None]


def poster(rng: Rng, side_px: int) -> Float32Array:
    """Return print: one large sheet or the same motif over and over.

    :param rng: draws all that is left to chance.
    :param side_px: rows and columns of the picture.
    """
    count = int(rng.choice([1, 2, 4, 8]))
    motif = printed(rng, side_px // count, side_px // count)
    return np.tile(motif, (count, count, 1)).astype(np.float32)


def worn(rng: Rng, image: Float32Array) -> ByteArray:
    """Return a picture with what use and light leave: shading, stains, scratches, dust.

    :param rng: draws all that is left to chance.
    :param image: (H, W, 3) float32 colours, 0..255.
    """
    side_px = len(image)
    image = image * (1 + rng.uniform(0, 0.06) * pink_noise(rng, side_px, 2.0))[..., None]
    if rng.random() < 0.3:
        stain = np.clip(pink_noise(rng, side_px, 1.8, lowest=3) - rng.uniform(1, 2), 0, 1)
        image += stain[..., None] * (
            rng.uniform(0.1, 0.4) * (image.mean() * rng.uniform(0.4, 1.5) - image)
        ).astype(np.float32)
    picture = np.ascontiguousarray(np.clip(image, 0, 255), np.uint8)
    if rng.random() < 0.3:
        shift = rng.uniform(-50, 50)
        for _ in range(int(rng.integers(1, 25))):
            start = rng.integers(0, side_px, 2)
            end = start + rng.normal(0, 0.08 * side_px, 2).astype(int)
            color = np.clip(picture[start[1], start[0]] + shift, 0, 255)
            tone = tuple(float(part) for part in color)
            cv2.line(picture, start.tolist(), end.tolist(), tone, 1, cv2.LINE_AA)
    return picture


PATTERNS: dict[str, Pattern] = {
    'laminate': laminate, 'mottled': mottled, 'wood': wood, 'cloth': cloth, 'marble': marble,
    'terrazzo': terrazzo, 'carpet': carpet, 'tiles': tiles, 'checks': checks,
    'stripes': stripes, 'poster': poster,
}  # fmt: skip
"""Every pattern by name."""
ROLES: Mapping[str, Mapping[str, float]] = {
    'table': {
        'laminate': 5, 'wood': 7, 'mottled': 3, 'cloth': 3, 'marble': 1, 'terrazzo': 1,
        'checks': 1.5, 'tiles': 0.5, 'stripes': 0.7, 'poster': 1.3,
    },
    'floor': {
        'wood': 4, 'carpet': 5, 'tiles': 3, 'laminate': 2, 'mottled': 3, 'terrazzo': 2,
        'marble': 1, 'checks': 0.7, 'cloth': 0.7, 'stripes': 0.5, 'poster': 0.4,
    },
    'wall': {
        'laminate': 6, 'mottled': 4, 'tiles': 1.5, 'wood': 1, 'poster': 2, 'stripes': 1,
        'cloth': 0.5,
    },
}  # fmt: skip
"""How likely each pattern is by what it covers."""


def _toned(color: FloatArray, tone: Float32Array) -> Float32Array:
    """Return (h, w, 3) tones, (h, w) about 1, of a colour."""
    toned: Float32Array = tone[..., None].astype(np.float32) * color.astype(np.float32)
    return toned


def _between(first: FloatArray, second: FloatArray, share: npt.NDArray[Any]) -> Float32Array:
    """Return (h, w, 3) mixtures of two colours, 0 = first .. 1 = second."""
    clipped = np.clip(share, 0, 1).astype(np.float32)[..., None]
    mixed: Float32Array = first.astype(np.float32) + clipped * (second - first).astype(np.float32)
    return mixed


def _bend_round_knots(rng: Rng, warp: Float32Array, u: Float32Array, v: Float32Array) -> None:
    """Add the bumps that make rings go round a few knots."""
    for _ in range(int(rng.integers(1, 5))):
        at, size = rng.uniform(0.1, 0.9, 2), rng.uniform(0.01, 0.03)
        away = ((u - at[0]) / 2.5) ** 2 + (v - at[1]) ** 2
        warp += np.float32(rng.choice([-4, 4])) * np.exp(-away / np.float32(size**2))


def _boards(rng: Rng, side_px: int) -> Float32Array:
    """Return (side, side) factors: boards along rows, each of its own tone, dark joints."""
    rows, columns = int(rng.integers(3, 14)), int(rng.integers(1, 4))
    v, u = np.mgrid[0:side_px, 0:side_px].astype(np.float32) / side_px
    row = np.minimum((v * rows).astype(int), rows - 1)
    along = u * columns + rng.random(rows).astype(np.float32)[row]
    tone = 1 + rng.uniform(0.02, 0.12) * rng.standard_normal((rows, columns)).astype(np.float32)
    boards = tone[row, along.astype(int) % columns]
    joint = (v * rows % 1.0 < rows * 0.002) | (along % 1.0 < columns * 0.002)
    boards[joint] *= np.float32(rng.uniform(0.4, 0.85))
    return boards


def random_pattern(rng: Rng, side_px: int = 512) -> ByteArray:
    """Return a (side, side, 3) uint8 picture: plain, wood, tiles, checks or mottled.

    :param rng: draws all that is left to chance.
    :param side_px: rows and columns of the picture.
    """
    first = random_color(rng, SURROUNDINGS_VIVID)
    second = 0.7 * first + 0.3 * random_color(rng, SURROUNDINGS_VIVID)
    v, u = np.mgrid[0:side_px, 0:side_px] / side_px
    noise = _noise(rng, side_px, 12)
    kind = int(rng.integers(5))
    if kind == 0:
        share = 0.2 * noise
    elif kind == 1:
        rings = rng.uniform(8, 20) * v + 1.5 * _noise(rng, side_px, 4)
        share = 0.5 + 0.5 * np.sin(2 * np.pi * rings) * (0.6 + 0.4 * noise)
    elif kind == 2:
        count = int(rng.integers(3, 8))
        joint = (np.minimum(u * count % 1.0, v * count % 1.0) < 0.04).astype(float)
        share = np.maximum(joint, 0.15 * noise)
    elif kind == 3:
        count = 2 * int(rng.integers(3, 9))
        share = (np.floor(u * count) + np.floor(v * count)) % 2
    else:
        share = np.clip(0.5 + 0.6 * (noise + 0.5 * _noise(rng, side_px, 60)), 0, 1)
    grain = rng.normal(0.0, 3.0, (side_px, side_px, 1))
    picture = first + share[..., None] * (second - first) + grain
    image: ByteArray = np.clip(picture, 0, 255).astype(np.uint8)
    return image


def _noise(rng: Rng, side_px: int, cells: int) -> FloatArray:
    """Return (side, side) smooth noise about -1..1 with ``cells`` cells across."""
    coarse = rng.uniform(-1, 1, (cells, cells)).astype(np.float32)
    smooth = cv2.resize(coarse, (side_px, side_px), interpolation=cv2.INTER_CUBIC)
    return smooth.astype(np.float64)
