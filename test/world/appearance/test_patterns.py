# SPDX-License-Identifier: Apache-2.0
"""Patterns: seeded, without seams, varied as real surfaces, with natural spectra."""

import numpy as np
import pytest

from sam3d_ros.world.appearance.noise import pink_noise
from sam3d_ros.world.appearance.patterns import (
    PATTERNS,
    ROLES,
    photographic_pattern,
    random_pattern,
)
from sam3d_ros.world.appearance.prints import photo, printed

RNG = np.random.default_rng


def spectral_slope(image):
    """Return the exponent of the fall of the amplitude with frequency."""
    side = len(image)
    amplitude = np.abs(np.fft.fft2(image - image.mean()))
    frequency = np.hypot(*np.meshgrid(*2 * [np.fft.fftfreq(side, 1 / side)]))
    band = (frequency > 4) & (frequency < side / 3) & (amplitude > 0)
    return -np.polyfit(np.log(frequency[band]), np.log(amplitude[band]), 1)[0]


def test_plain_patterns_differ_by_seed_only():
    patterns = [random_pattern(RNG(k), 64) for k in range(12)]
    assert np.array_equal(patterns[3], random_pattern(RNG(3), 64))
    assert len({pattern.tobytes() for pattern in patterns}) == 12
    assert all(pattern.shape == (64, 64, 3) for pattern in patterns)


@pytest.mark.parametrize('slope', [0.0, 0.5, 1.0, 2.0])
def test_noise_has_the_slope_asked_for(slope):
    assert spectral_slope(pink_noise(RNG(1), 256, slope)) == pytest.approx(slope, abs=0.05)


def test_noise_is_normalised_periodic_and_stretched():
    noise = pink_noise(RNG(2), 256, 1.5, (8.0, 1.0))
    assert noise.dtype == np.float32
    assert abs(noise.mean()) < 1e-4 and noise.std() == pytest.approx(1, abs=1e-3)
    along, across = (np.abs(np.diff(noise, axis=axis)).mean() for axis in (1, 0))
    assert along < 0.5 * across
    seam = np.abs(noise[:, 0] - noise[:, -1]).mean()
    assert seam < 2 * along


@pytest.mark.parametrize('name', PATTERNS)
def test_every_pattern_is_a_seeded_picture(name):
    first, again, other = (PATTERNS[name](RNG(k), 128) for k in (3, 3, 4))
    assert first.shape == (128, 128, 3) and first.dtype == np.float32
    assert np.isfinite(first).all()
    assert np.array_equal(first, again) and not np.array_equal(first, other)


@pytest.mark.parametrize('role', ROLES)
def test_real_surfaces_are_bright_dark_coloured_plain_and_busy(role):
    pictures = np.stack([photographic_pattern(RNG(k), role, 64) for k in range(120)])
    assert pictures.dtype == np.uint8
    means = pictures.reshape(120, -1, 3).mean(axis=1)
    brightness, chroma = means.mean(axis=1), np.ptp(means, axis=1)
    contrast = pictures.reshape(120, -1).std(axis=1)
    assert (brightness > 190).any() and (brightness < 60).any()
    assert (chroma > 80).any() and (chroma < 12).any()
    assert (contrast > 50).any() and (contrast < 12).any()


def test_wood_runs_along_rows():
    image = PATTERNS['wood'](RNG(0), 256).mean(axis=2)
    along, across = (np.abs(np.diff(image, axis=axis)).mean() for axis in (1, 0))
    assert along < 0.7 * across


def test_photos_have_the_spectrum_of_photos():
    slopes = [spectral_slope(photo(RNG(k), 128, 128).mean(axis=2)) for k in range(12)]
    assert 0.9 < np.median(slopes) < 2.2


def test_prints_fit_any_size_and_differ():
    for width, height in ((256, 40), (12, 200), (64, 64)):
        assert printed(RNG(1), width, height).shape == (height, width, 3)
    assert len({printed(RNG(k), 64, 64).tobytes() for k in range(20)}) == 20
