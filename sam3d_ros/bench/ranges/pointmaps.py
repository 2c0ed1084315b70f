# SPDX-License-Identifier: Apache-2.0
"""Bench of pointmaps: how far off ranges are, source by source, on worlds whose truth is known."""

from __future__ import annotations

from sam3d_ros.bench.harness import BenchOptions, Measurement
from sam3d_ros.bench.ranges.densification import densified
from sam3d_ros.bench.ranges.inferring import aligned, cameras_of_rays
from sam3d_ros.bench.ranges.motion import deskewed
from sam3d_ros.bench.ranges.sources import compared


def run(options: BenchOptions) -> Measurement:
    """Measure every source of ranges.

    :param options: of the bench.
    """
    dense, values, pictures = densified(options)
    beside, more, seen = compared(options)
    tables = [dense, beside]
    values |= more
    pictures += seen
    for table, more in (deskewed(options.seed), aligned(options), cameras_of_rays(options)):
        tables.append(table)
        values |= more
    return Measurement('pointmaps', values, tuple(tables), tuple(pictures))
