# SPDX-License-Identifier: Apache-2.0
"""Bench of pointmaps: how far off ranges are, source by source, on worlds whose truth is known."""

from __future__ import annotations

from sam3d_ros.bench.harness import BenchOptions, Measurement
from sam3d_ros.bench.ranges.densification import densified


def run(options: BenchOptions) -> Measurement:
    """Measure every source of ranges.

    :param options: of the bench.
    """
    table, values, pictures = densified(options)
    return Measurement('pointmaps', values, (table,), tuple(pictures))
