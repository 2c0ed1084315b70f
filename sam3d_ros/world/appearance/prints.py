# SPDX-License-Identifier: Apache-2.0
"""Printed matter: packages, labels, posters and photos, drawn from random parts."""

from __future__ import annotations

import string
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from sam3d_ros.core.types import ByteArray, Float32Array
from sam3d_ros.world.appearance.noise import pink_noise
from sam3d_ros.world.appearance.palette import print_color

Rng = np.random.Generator
FONTS = (
    cv2.FONT_HERSHEY_SIMPLEX,
    cv2.FONT_HERSHEY_DUPLEX,
    cv2.FONT_HERSHEY_TRIPLEX,
    cv2.FONT_HERSHEY_COMPLEX_SMALL,
    cv2.FONT_HERSHEY_SCRIPT_COMPLEX,
)
Color = tuple[float, ...]


def printed(rng: Rng, width_px: int, height_px: int, paper: npt.ArrayLike = ()) -> ByteArray:
    """Return a (height, width, 3) uint8 print: pictures, a logo, text and codes on a ground.

    :param rng: draws all that is left to chance.
    :param width_px: columns of the print.
    :param height_px: rows of the print.
    :param paper: (3,) colour of the ground, 0..255; drawn when not given.
    """
    ground = np.asarray(paper, np.float64)
    if ground.size == 0:
        ground = print_color(rng)
    image = _ground(rng, width_px, height_px, ground)
    if rng.random() < 0.45:
        _paste_photo(rng, image)
    for _ in range(int(rng.integers(0, 4))):
        _shape(rng, image)
    if rng.random() < 0.75:
        _logo(rng, image)
    for _ in range(int(rng.integers(0, 3))):
        _paragraph(rng, image)
    if rng.random() < 0.25:
        _barcode(rng, image)
    return image


def photo(rng: Rng, width_px: int, height_px: int) -> ByteArray:
    """Return a (height, width, 3) uint8 picture with the statistics of a photo: shapes on 1/f.

    :param rng: draws all that is left to chance.
    :param width_px: columns of the picture.
    :param height_px: rows of the picture.
    """
    side = 128
    image = np.empty((side, side, 3), np.float32)
    shared = pink_noise(rng, side, rng.uniform(1.3, 2.2))
    mean, swing = print_color(rng), print_color(rng) - print_color(rng)
    for channel in range(3):
        own = pink_noise(rng, side, rng.uniform(1.3, 2.2))
        image[..., channel] = mean[channel] + 0.4 * swing[channel] * shared + 22 * own
    picture = np.clip(image, 0, 255).astype(np.uint8)
    picture = np.asarray(cv2.resize(picture, (width_px, height_px)), np.uint8)
    for _ in range(int(rng.integers(1, 6))):
        _shape(rng, picture)
    return picture


def _ground(rng: Rng, width: int, height: int, color: Any) -> ByteArray:
    """Return a flat ground, one with a gradient, or two fields."""
    v, u = np.mgrid[0:height, 0:width].astype(np.float32)
    kind = rng.random()
    other = np.asarray(print_color(rng), np.float32)
    first = np.asarray(color, np.float32)
    if kind < 0.45:
        share: Float32Array = np.zeros((height, width), np.float32)
    elif kind < 0.75:
        angle = rng.uniform(0, 2 * np.pi)
        along = np.cos(angle) * (u / width - 0.5) + np.sin(angle) * (v / height - 0.5)
        share = np.clip(along + 0.5, 0, 1).astype(np.float32)
    else:
        bend = rng.uniform(-0.2, 0.2) * np.sin(np.pi * u / width)
        share = (v / height + bend > rng.uniform(0.25, 0.75)).astype(np.float32)
    image = first + share[..., None] * (other - first)
    return np.asarray(np.clip(image, 0, 255), np.uint8)


def _paste_photo(rng: Rng, image: ByteArray) -> None:
    height, width = image.shape[:2]
    w, h = (int(size * rng.uniform(0.3, 0.95)) for size in (width, height))
    if min(w, h) < 4:
        return
    left, top = int(rng.integers(0, width - w + 1)), int(rng.integers(0, height - h + 1))
    image[top : top + h, left : left + w] = photo(rng, w, h)


def _shape(rng: Rng, image: ByteArray) -> None:
    """Draw a filled ellipse, bar, polygon or ring."""
    height, width = image.shape[:2]
    center = int(rng.uniform(0, width)), int(rng.uniform(0, height))
    size = int(width * rng.uniform(0.05, 0.3)) + 1, int(height * rng.uniform(0.05, 0.3)) + 1
    color, kind = _rgb(print_color(rng)), rng.random()
    angle = float(rng.uniform(0, 180)) if rng.random() < 0.5 else 0.0
    if kind < 0.35:
        cv2.ellipse(image, center, size, angle, 0, 360, color, -1, cv2.LINE_AA)
    elif kind < 0.6:
        corners = cv2.boxPoints((center, (2 * size[0], 2 * size[1]), angle))
        cv2.fillPoly(image, [corners.astype(np.int32)], color, cv2.LINE_AA)
    elif kind < 0.85:
        count = int(rng.integers(3, 9))
        turn = np.linspace(0, 2 * np.pi, count, endpoint=False)
        radius = rng.uniform(0.4, 1.0, count)
        spots = np.column_stack([np.cos(turn), np.sin(turn)]) * radius[:, None] * size + center
        cv2.fillPoly(image, [spots.astype(np.int32)], color, cv2.LINE_AA)
    else:
        thick = max(1, int(min(size) * rng.uniform(0.05, 0.4)))
        cv2.ellipse(image, center, size, angle, 0, 360, color, thick, cv2.LINE_AA)


def _logo(rng: Rng, image: ByteArray) -> None:
    """Write one large word, sometimes on a bar or with an outline."""
    height, width = image.shape[:2]
    word = _word(rng)
    cap = min(height * rng.uniform(0.12, 0.35), width * rng.uniform(0.6, 0.9) / len(word) * 1.3)
    left = int(max(0.0, (width - len(word) * cap * 0.75) * rng.uniform(0.2, 0.8)))
    base = int(height * rng.uniform(0.25, 0.9))
    if rng.random() < 0.4:
        top = max(0, int(base - 1.4 * cap))
        image[top : int(base + 0.4 * cap)] = print_color(rng).astype(np.uint8)
    ink = _rgb(print_color(rng))
    if rng.random() < 0.4:
        _write(rng, image, word, (left, base), cap, _rgb(print_color(rng)), cap / 4)
    _write(rng, image, word, (left, base), cap, ink, cap * rng.uniform(0.08, 0.2))


def _paragraph(rng: Rng, image: ByteArray) -> None:
    height, width = image.shape[:2]
    cap = max(5.0, height * rng.uniform(0.015, 0.05))
    left, base = int(width * rng.uniform(0.02, 0.5)), int(height * rng.uniform(0.1, 0.8))
    ink, lines = _rgb(print_color(rng)), int(rng.integers(2, 9))
    for line in range(lines):
        text = ' '.join(_word(rng) for _ in range(int(rng.integers(2, 7))))
        text = text[: max(1, int((width - left) / (0.8 * cap)))]
        _write(rng, image, text, (left, int(base + 1.7 * cap * line)), cap, ink)


def _barcode(rng: Rng, image: ByteArray) -> None:
    height, width = image.shape[:2]
    h, w = int(height * rng.uniform(0.08, 0.2)), int(width * rng.uniform(0.15, 0.4))
    if min(h, w) < 6:
        return
    top, left = int(rng.integers(0, height - h)), int(rng.integers(0, width - w))
    bars = np.repeat(rng.random(w // 2 + 1) < 0.5, 2)[:w]
    image[top : top + h, left : left + w] = 245
    inner = image[top + h // 10 : top + h - h // 10, left + 2 : left + w - 2]
    inner[:, bars[2 : w - 2]] = 15


def _write(
    rng: Rng,
    image: ByteArray,
    text: str,
    at_px: tuple[int, int],
    cap_px: float,
    color: Color,
    thick_px: float = 1.0,
) -> None:
    font = FONTS[int(rng.integers(len(FONTS)))]
    cv2.putText(image, text, at_px, font, cap_px / 22, color, max(1, int(thick_px)), cv2.LINE_AA)


def _word(rng: Rng) -> str:
    letters = string.ascii_uppercase if rng.random() < 0.5 else string.ascii_lowercase
    pool = letters + string.digits if rng.random() < 0.2 else letters
    return ''.join(rng.choice(list(pool), int(rng.integers(2, 10))))


def _rgb(color: npt.NDArray[np.float64]) -> Color:
    return tuple(float(part) for part in color)
