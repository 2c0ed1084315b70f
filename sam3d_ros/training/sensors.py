# SPDX-License-Identifier: Apache-2.0
"""Range cameras for training: the known kinds, spread and grain drawn around the measured."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sam3d_ros.core.sensors import MODELS, SensorModel
from sam3d_ros.world.rendering.sensors import RangeCamera

SHARES = {
    'active_stereo': 0.22,
    'd435': 0.18,
    'd415': 0.12,
    'structured_light': 0.2,
    'sr300': 0.1,
    'tof': 0.1,
    'white': 0.06,
    'ideal': 0.02,
}
"""How often each model is the one that is varied."""
SPREAD_SIGMA = 0.35
"""Standard deviation of the logarithm of the factor on the spread."""
SHARE_SIGMA, SCALE_RANGE = 0.5, (0.6, 1.4)
"""Of the logarithm of each share of the grain; factor on all its scales."""


def draw_sensor(rng: np.random.Generator) -> RangeCamera:
    """Return a random range camera."""
    model = MODELS[str(rng.choice(list(SHARES), p=list(SHARES.values())))]
    if model.kind == 'ideal':
        return RangeCamera(model)
    return RangeCamera(varied(model, rng))


def varied(model: SensorModel, rng: np.random.Generator) -> SensorModel:
    """Return a model like this one: another spread, grain, silhouettes and losses."""
    shares = np.array([share for _, share in model.grain])
    shares = shares * np.exp(SHARE_SIGMA * rng.standard_normal(len(shares)))
    stretch = rng.uniform(*SCALE_RANGE)
    grain = tuple(
        (scale * stretch, float(share))
        for (scale, _), share in zip(model.grain, shares / shares.sum(), strict=True)
    )
    spread = float(np.exp(SPREAD_SIGMA * rng.standard_normal()))
    return replace(
        model.measured(spread, grain),
        fattening_px=model.fattening_px * rng.uniform(0.3, 1.4),
        rim_px=model.rim_px * rng.uniform(0.0, 1.6),
        mixed_px=model.mixed_px * rng.uniform(0.3, 1.5),
        baseline_m=model.baseline_m * rng.uniform(0.6, 1.3) * float(rng.choice([-1.0, 1.0])),
        dark=model.dark * rng.uniform(0.0, 2.5),
        gloss=1 - (1 - model.gloss) * rng.uniform(0.0, 1.3),
        dropout=model.dropout * rng.uniform(0.0, 4.0),
        warp=model.warp * rng.uniform(0.3, 1.5),
        misregistration_px=model.misregistration_px * rng.uniform(0.3, 1.5),
    )
