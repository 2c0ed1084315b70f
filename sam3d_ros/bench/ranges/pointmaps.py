# SPDX-License-Identifier: Apache-2.0
"""Bench of pointmaps: how far off ranges are, source by source, on worlds whose truth is known."""

from __future__ import annotations

from sam3d_ros.bench.harness import BenchOptions, Measurement
from sam3d_ros.bench.ranges.densification import densified
from sam3d_ros.bench.ranges.motion import deskewed


def run(options: BenchOptions) -> Measurement:
    """Measure every source of ranges.

    :param options: of the bench.
    """
    dense, values, pictures = densified(options)
    motion, more = deskewed(options.seed)
    return Measurement('pointmaps', {**values, **more}, (dense, motion), tuple(pictures))
