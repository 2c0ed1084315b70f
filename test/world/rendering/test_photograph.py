# SPDX-License-Identifier: Apache-2.0
"""The camera: seeded, within bytes, each effect as set."""

from dataclasses import replace

import numpy as np
import pytest

from sam3d_ros.world.rendering.photograph import Photography, photograph, random_photography

RNG = np.random.default_rng
CLEAN = Photography(
    vignetting=0.0, defocus_px=0.3, read_sigma=0.0, shot_gain=0.0, sharpening=0.0, quality=0
)


def flat(value=120, shape=(96, 128)):
    return np.full((*shape, 3), value, np.uint8)


def edge():
    image = flat(60)
    image[:, 64:] = 180
    return image


def test_same_generator_same_photo():
    first, again, other = (photograph(edge(), RNG(k)) for k in (1, 1, 2))
    assert first.dtype == np.uint8 and first.shape == edge().shape
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_settings_stay_in_range_and_vary():
    drawn = [random_photography(RNG(k)) for k in range(300)]
    assert all(0.05 < s.target < 0.6 and 0.45 <= s.defocus_px <= 1.8 for s in drawn)
    assert all(abs(s.lateral_px) <= 1 and 0 <= s.vignetting <= 0.45 for s in drawn)
    assert all(s.quality == 0 or 40 <= s.quality <= 95 for s in drawn)
    assert all(0.6 < part < 1.5 for s in drawn for part in s.white_balance)
    assert np.std([s.gamma for s in drawn]) > 0.1


def test_photos_are_dark_and_bright_and_some_clip():
    ramp = np.tile(np.linspace(0, 255, 128).astype(np.uint8)[None, :, None], (96, 1, 3))
    photos = [photograph(ramp, RNG(k)) for k in range(60)]
    means = [photo.mean() for photo in photos]
    assert min(means) < 90 and max(means) > 140
    assert any((photo == 255).mean() > 0.1 for photo in photos)


def test_exposure_meets_its_target():
    light = (photograph(flat(90), RNG(0), CLEAN) / 255.0) ** 2.2
    assert light.mean() == pytest.approx(CLEAN.target, rel=0.03)


def test_noise_grows_with_light_and_is_correlated_in_red_and_blue():
    noisy = replace(CLEAN, shot_gain=1e-3, target=0.2)
    photo = photograph(flat(shape=(240, 320)), RNG(3), noisy).astype(float)
    deviation = photo - photo.mean(axis=(0, 1))
    assert 2 < deviation.std() < 15
    neighbours = [
        np.corrcoef(deviation[:, :-1, c].ravel(), deviation[:, 1:, c].ravel())[0, 1]
        for c in range(3)
    ]
    assert neighbours[0] > 0.3 and neighbours[2] > 0.3 and abs(neighbours[1]) < 0.1
    linear = (photo / 255) ** 2.2
    darker = photograph(flat(shape=(240, 320)), RNG(3), replace(noisy, target=0.05))
    assert ((darker / 255.0) ** 2.2)[..., 1].std() < 0.7 * linear[..., 1].std()


def test_corners_lose_light_and_white_balance_tints():
    photo = photograph(flat(), RNG(0), replace(CLEAN, vignetting=0.4)).astype(int)
    assert photo[0, 0, 1] < photo[48, 64, 1] - 20
    warm = photograph(flat(), RNG(0), replace(CLEAN, white_balance=(1.2, 1.0, 0.8)))
    assert warm[48, 64, 0] > warm[48, 64, 1] > warm[48, 64, 2]


def test_edges_blur_drift_apart_and_get_halos():
    def row(**changes):
        return photograph(edge(), RNG(0), replace(CLEAN, **changes))[48].astype(int)

    def width(line):
        low, high = line.min(), line.max()
        return int(((line > low + 0.1 * (high - low)) & (line < high - 0.1 * (high - low))).sum())

    assert width(row(defocus_px=1.8)[:, 1]) > width(row()[:, 1])
    assert width(row(motion_px=(4.0, 0.0))[:, 1]) > width(row()[:, 1])
    sharp = row(sharpening=1.0)[:, 1]
    assert sharp.max() > sharp[-1] + 5 and sharp.min() < sharp[0] - 5
    left = edge()[:, ::-1].copy()
    left[:, :120] = 180
    left[:, 120:] = 60
    drifted = photograph(left, RNG(0), replace(CLEAN, lateral_px=1.0))[48].astype(int)
    assert abs(drifted[118:122, 0] - drifted[118:122, 2]).max() > 10


def test_compression_leaves_its_blocks():
    texture = RNG(0).integers(0, 255, (96, 128, 3)).astype(np.uint8)
    plain, packed = (photograph(texture, RNG(1), replace(CLEAN, quality=q)) for q in (0, 40))
    assert np.abs(plain.astype(int) - packed).mean() > 3
