# SPDX-License-Identifier: Apache-2.0
"""Random pictures with the spectra of natural ones: periodic, so that they tile without seams.

The amplitude of natural surfaces and pictures falls with a power of the frequency, about 1/f
(Field 1987); stretched, the same noise is the grain of wood and brushed metal.
"""

from __future__ import annotations

import numpy as np
import scipy.fft

from sam3d_ros.core.types import Float32Array

Rng = np.random.Generator


def pink_noise(
    rng: Rng,
    side_px: int,
    slope: float = 1.0,
    stretch: tuple[float, float] = (1.0, 1.0),
    lowest: float = 1.0,
) -> Float32Array:
    """Return (side, side) float32 periodic noise, mean 0 and standard deviation 1.

    :param rng: draws all that is left to chance.
    :param side_px: rows and columns of the picture.
    :param slope: the amplitude falls with ``frequency ** -slope``: 0 white, 1 pink, 2 smooth.
    :param stretch: how many times longer its features are along columns (u) and rows (v).
    :param lowest: waves across the picture below which the spectrum is flat.
    """
    v = scipy.fft.fftfreq(side_px, 1 / side_px).astype(np.float32)[:, None] * stretch[1]
    u = scipy.fft.rfftfreq(side_px, 1 / side_px).astype(np.float32) * stretch[0]
    frequency = np.maximum(np.sqrt(u**2 + v**2), np.float32(lowest))
    phase = rng.random(frequency.shape, np.float32) * np.float32(2 * np.pi)
    amplitude = frequency ** np.float32(-slope)
    amplitude[0, 0] = 0
    spectrum = amplitude * (np.cos(phase) + 1j * np.sin(phase))
    noise: Float32Array = scipy.fft.irfft2(spectrum, s=(side_px, side_px)).astype(np.float32)
    return noise / np.float32(max(float(noise.std()), 1e-12))
