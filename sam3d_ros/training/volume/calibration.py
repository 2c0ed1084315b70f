# SPDX-License-Identifier: Apache-2.0
"""Temperature scaling and the expected calibration error (Guo et al., ICML 2017)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

BINS = 15


def fit_temperature(logits: Tensor, truth: Tensor) -> float:
    """Return the temperature that minimises the cross entropy of flat logits.

    :param logits: (M,) float32.
    :param truth: (M,) bool.
    """
    log_temperature = torch.zeros((), requires_grad=True)
    optimizer = torch.optim.LBFGS([log_temperature], max_iter=30, line_search_fn='strong_wolfe')
    target = truth.float()

    def closure() -> float:
        optimizer.zero_grad()
        scaled = logits / log_temperature.exp()
        loss = functional.binary_cross_entropy_with_logits(scaled, target)
        loss.backward()  # type: ignore[no-untyped-call]
        return float(loss)

    optimizer.step(closure)
    return float(log_temperature.detach().exp())


def calibration_error(probability: Tensor, truth: Tensor) -> float:
    """Return the mean gap of probability and frequency over bins, weighted by their voxels."""
    bins = (probability * BINS).long().clamp(0, BINS - 1)
    count = torch.bincount(bins, minlength=BINS).double()
    believed = torch.bincount(bins, probability.double(), minlength=BINS)
    found = torch.bincount(bins, truth.double(), minlength=BINS)
    return float(torch.abs(believed - found).sum() / count.sum())
