# SPDX-License-Identifier: Apache-2.0
"""The bench of pointmaps: perfect depth scores perfectly, and worse depth worse."""

import numpy as np
import pytest

pytest.importorskip('open3d', reason='worlds need the extra: bench')

from sam3d_ros.bench.ranges.densification import HEADINGS, row, scores
from sam3d_ros.world.samples import samples
from sam3d_ros.world.suites import make_episode


def test_truth_scores_perfectly_and_a_blurred_one_does_not():
    sample = next(samples(make_episode('lidar', 3, frames=1)))
    truth = sample.rendering.depth_m
    sigma = np.full_like(truth, 0.01)
    perfect = dict(zip(HEADINGS, scores(sample, truth, sigma), strict=False))
    assert perfect['relative_error'] == 0 and perfect['delta'] == perfect['coverage'] == 1
    assert perfect['off_silhouette'] == 0 and perfect['dispersion_deg'] < 0.1
    noise = np.random.default_rng(0).normal(scale=0.01, size=truth.shape).astype(np.float32)
    half = np.where(np.arange(640) % 80 < 40, truth + noise, np.float32(np.nan))
    noisy = dict(zip(HEADINGS, scores(sample, half, sigma), strict=False))
    assert 0.3 < noisy['coverage'] < 0.7 and noisy['relative_error'] > 0.003
    assert noisy['sigma_ratio'] == pytest.approx(1.0, rel=0.1)
    assert row(sample, half).shape == (480, 1920, 3)
