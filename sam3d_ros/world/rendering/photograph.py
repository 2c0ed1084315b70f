# SPDX-License-Identifier: Apache-2.0
"""What a small camera makes of an ideal picture: optics, sensor, tone, sharpening, compression.

The order follows the light: lens (blur, lateral colour, vignetting), exposure and white balance,
shot and read noise (Foi et al. 2008) with the grain of an interpolated Bayer mosaic, a tone curve,
sharpening with its halo, JPEG. Ranges are those of webcams and depth cameras indoors.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from sam3d_ros.core.types import ByteArray, Float32Array, FloatArray

Rng = np.random.Generator
LINEAR = (np.arange(256, dtype=np.float32) / 255) ** 2.2
"""Linear light, 0..1, of a byte."""
LEVELS = 4096
"""Steps of linear light that the tone curve is tabulated in."""
LUMA = np.array([0.299, 0.587, 0.114])


@dataclass(frozen=True, slots=True)
class Photography:
    """Settings of a camera and what its automatics made of a scene.

    :param target: mean linear light, 0..1, that auto-exposure aims at in the middle.
    :param white_balance: factors on linear red, green and blue.
    :param saturation: 1 keeps colours, 0 makes grey.
    :param vignetting: share of light lost in the corners.
    :param gamma: exponent of the tone curve, 2.2 = as the picture was.
    :param contrast: 0 none .. 1 strong S shape of the tone curve.
    :param defocus_px: sigma of the lens blur.
    :param motion_px: length and direction (rad) of the motion blur.
    :param lateral_px: shift of red against blue in the corners.
    :param read_sigma: noise in the dark, of full linear light.
    :param shot_gain: variance of shot noise over light, both of full linear light.
    :param sharpening: strength of the unsharp mask.
    :param quality: of JPEG, 1..100; 0 = not compressed.
    """

    target: float = 0.22
    white_balance: tuple[float, float, float] = (1.0, 1.0, 1.0)
    saturation: float = 1.0
    vignetting: float = 0.1
    gamma: float = 2.2
    contrast: float = 0.0
    defocus_px: float = 0.5
    motion_px: tuple[float, float] = (0.0, 0.0)
    lateral_px: float = 0.0
    read_sigma: float = 0.001
    shot_gain: float = 2e-4
    sharpening: float = 0.3
    quality: int = 90


def random_photography(rng: Rng) -> Photography:
    """Return settings within the ranges of real cameras."""
    blue = rng.normal(0.0, 0.09)
    return Photography(
        target=0.24 * 2 ** float(np.clip(rng.normal(0.0, 0.6), -1.6, 1.2)),
        white_balance=(1 - blue + rng.normal(0, 0.03), 1.0, 1 + blue + rng.normal(0, 0.03)),
        saturation=rng.uniform(0.75, 1.35),
        vignetting=rng.choice([0.0, rng.uniform(0.0, 0.45)], p=[0.3, 0.7]),
        gamma=rng.uniform(1.9, 2.6),
        contrast=rng.uniform(0.0, 0.6),
        defocus_px=rng.uniform(0.45, 0.9) if rng.random() < 0.88 else rng.uniform(0.9, 1.8),
        motion_px=(
            rng.choice([0.0, rng.uniform(1.0, 4.0)], p=[0.75, 0.25]),
            rng.uniform(0, np.pi),
        ),
        lateral_px=rng.choice([0.0, rng.uniform(-1.0, 1.0)]),
        read_sigma=float(np.exp(rng.uniform(np.log(3e-4), np.log(3e-3)))),
        shot_gain=float(np.exp(rng.uniform(np.log(3e-5), np.log(7e-4)))),
        sharpening=rng.choice([0.0, rng.uniform(0.2, 1.3)], p=[0.3, 0.7]),
        quality=int(rng.integers(40, 96)) if rng.random() < 0.6 else 0,
    )


def photograph(rgb: ByteArray, rng: Rng, settings: Photography | None = None) -> ByteArray:
    """Return the photo of an ideal picture; the same generator gives the same photo.

    :param rgb: (H, W, 3) uint8.
    :param rng: draws all that is left to chance.
    :param settings: of the camera; drawn when not given.
    :return: (H, W, 3) uint8.
    """
    camera = settings or random_photography(rng)
    seen = _through_lens(rgb, camera)
    light = np.asarray(cv2.LUT(seen, LINEAR), np.float32)
    exposed = _exposed(light, camera)
    # Noise: every green pixel has its own, red and blue are interpolated from a quarter.
    height, width = exposed.shape[:2]
    green = rng.standard_normal((height, width), np.float32)
    few = rng.standard_normal((2, (height + 1) // 2, (width + 1) // 2), np.float32)
    red, blue = (cv2.resize(plane, (width, height)) * np.float32(1.3) for plane in few)
    grain = cv2.merge([red, green * np.float32(0.8), blue])
    sigma = cv2.sqrt(exposed * np.float32(camera.shot_gain) + np.float32(camera.read_sigma**2))
    noisy = exposed + grain * sigma
    steps = np.clip(noisy * np.float32(LEVELS - 1) + np.float32(0.5), 0, LEVELS - 1)
    photo: ByteArray = np.take(_tone_curve(camera), steps.astype(np.uint16))
    if camera.sharpening > 0:
        soft = cv2.GaussianBlur(photo, (0, 0), 1.0)
        strength = camera.sharpening
        photo = np.asarray(cv2.addWeighted(photo, 1 + strength, soft, -strength, 0), np.uint8)
    if camera.quality == 0:
        return photo
    # The codec expects blue first, for its luma.
    bgr = cv2.cvtColor(photo, cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode('.jpg', bgr, [cv2.IMWRITE_JPEG_QUALITY, camera.quality])
    decoded = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
    return np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), np.uint8)


def _through_lens(rgb: ByteArray, camera: Photography) -> ByteArray:
    """Return the picture blurred by the lens and by motion, its red and blue drifted apart."""
    seen = cv2.GaussianBlur(rgb, (0, 0), camera.defocus_px)
    length_px, angle_rad = camera.motion_px
    if length_px > 0:
        side = 2 * int(np.ceil(length_px / 2)) + 1
        kernel = np.zeros((side, side), np.float32)
        reach = length_px / 2 * np.array([np.cos(angle_rad), np.sin(angle_rad)])
        middle = np.array([side // 2, side // 2])
        ends = [np.rint((middle + sign * reach) * 16).astype(int).tolist() for sign in (-1, 1)]
        cv2.line(kernel, ends[0], ends[1], 1.0, 1, cv2.LINE_AA, 4)
        seen = cv2.filter2D(seen, -1, kernel / kernel.sum())
    if camera.lateral_px:
        height, width = rgb.shape[:2]
        planes = list(cv2.split(seen))
        for plane, sign in ((0, 1), (2, -1)):
            scale = 1 + sign * camera.lateral_px / width
            shift = [(1 - scale) * width / 2, (1 - scale) * height / 2]
            T = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
            planes[plane] = cv2.warpAffine(
                planes[plane], T, (width, height), borderMode=cv2.BORDER_REPLICATE
            )
        seen = cv2.merge(planes)
    return np.asarray(seen, np.uint8)


def _exposed(light: Float32Array, camera: Photography) -> Float32Array:
    """Return linear light as the sensor collects it."""
    rows, columns = (slice(size // 6, size - size // 6, 4) for size in light.shape[:2])
    mean = float(LUMA @ cv2.mean(light[rows, columns])[:3])
    gain = float(np.clip(camera.target / max(mean, 1e-4), 0.4, 5.0))
    grey = np.tile(LUMA, (3, 1))
    mix = grey + camera.saturation * (np.eye(3) - grey)
    matrix = gain * mix @ np.diag(camera.white_balance)
    exposed = np.asarray(cv2.transform(light, matrix), np.float32)
    if camera.vignetting > 0:
        fall = 1 - np.float32(camera.vignetting) * _corner_share(*light.shape[:2])
        exposed *= fall[..., None]
    return np.maximum(exposed, 0, out=exposed)


@lru_cache(maxsize=8)
def _corner_share(height: int, width: int) -> Float32Array:
    """Return (H, W) float32, 0 in the middle .. 1 in the corners."""
    v, u = np.linspace(-1, 1, height)[:, None], np.linspace(-1, 1, width)
    return (0.5 * (u**2 + v**2)).astype(np.float32)


def _tone_curve(camera: Photography) -> ByteArray:
    """Return (LEVELS,) bytes of linear light."""
    x: FloatArray = np.linspace(0, 1, LEVELS) ** (1 / camera.gamma)
    s_shape = x * x * (3 - 2 * x)
    curve = x + camera.contrast * (s_shape - x)
    return np.rint(255 * curve).astype(np.uint8)
