# SPDX-License-Identifier: Apache-2.0
"""Ranges of several LiDARs and depth cameras as one: by their errors, hidden returns removed.

Every sensor's ranges are brought to the colour camera by its own source. Where several say the
same of a pixel, the mean with inverse variances is taken; where they do not, the nearer surface
shows and hides the other, unless the sensor that sees farther is much surer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sam3d_ros.core.types import Float32Array
from sam3d_ros.geometry.transform_tree import TransformTree
from sam3d_ros.pointmaps.config import PointmapConfig
from sam3d_ros.pointmaps.inputs import ColorImage, DepthImage, PointCloud
from sam3d_ros.pointmaps.sensor_noise.noise import RangeNoise
from sam3d_ros.pointmaps.sources.cloud_source import CloudSource
from sam3d_ros.pointmaps.sources.depth_source import DepthSource
from sam3d_ros.pointmaps.sources.ranges import Measurement, RangeMap, Several

# Ranges of one surface differ by less than so many sigmas, and this share of the range: how well
# TF and calibrations put sensors beside each other.
_SAME_SIGMAS, _SAME_SHARE = 3.0, 0.005
# So many times surer, a sensor is believed that sees through what another one saw.
_SURER = 3.0


class FusedSource:
    """Backend ``fused``; what each sensor shows of its errors is kept by its topic.

    :param config: of the stage.
    """

    def __init__(self, config: PointmapConfig) -> None:
        # A sensor model that was named is that of one kind only.
        other = replace(config, sensor='auto')
        is_lidar = config.sensor == 'lidar'
        self._config = other if is_lidar else config
        self._depths: dict[str, DepthSource] = {'': DepthSource(self._config)}
        self._clouds = CloudSource(config if is_lidar else other)

    @property
    def noise(self) -> RangeNoise | None:
        """What the first depth camera showed of its errors."""
        return next(iter(self._depths.values())).noise

    @noise.setter
    def noise(self, kept: RangeNoise | None) -> None:
        if kept is not None:
            next(iter(self._depths.values())).noise = kept

    def forget(self) -> None:
        """Measure the errors of all cameras anew."""
        for source in self._depths.values():
            source.forget()

    def range_of(
        self, color: ColorImage, measured: Measurement | None, tree: TransformTree
    ) -> RangeMap:
        """See :class:`RangeSource`.

        :param color: the image.
        :param measured: what one or several sensors measured.
        :param tree: all of TF that is known.
        """
        assert measured is not None
        if not isinstance(measured, Several):
            return self._single(color, '', measured, tree)
        return fuse(
            [self._single(color, topic, item, tree) for topic, item in measured.items.items()]
        )

    def _single(
        self, color: ColorImage, topic: str, item: DepthImage | PointCloud, tree: TransformTree
    ) -> RangeMap:
        if isinstance(item, PointCloud):
            return self._clouds.range_of(color, item, tree)
        if topic not in self._depths:
            # The first one to come takes what was kept from an earlier run.
            first = self._depths.pop('', None)
            self._depths[topic] = first or DepthSource(self._config)
        return self._depths[topic].range_of(color, item, tree)


def fuse(ranges: Sequence[RangeMap]) -> RangeMap:
    """Return several range maps of one camera as one.

    :param ranges: at least one, all of the same size.
    :return: its errors are those of the map that gives most pixels; ``sigma_m`` is of each pixel.
    """
    if len(ranges) == 1:
        return ranges[0]
    z = np.stack([each.depth_m for each in ranges])
    sigma = np.stack([each.errors_m for each in ranges])
    is_known = np.isfinite(z) & (sigma > 0)
    z, sigma = np.where(is_known, z, np.inf), np.where(is_known, sigma, np.inf)
    surest = sigma.min(axis=0)
    # Only who is not much less sure than the surest may hide what it sees.
    may_hide = is_known & ((sigma <= _SURER * surest) | ~_is_apart(z, sigma, surest))
    front = np.where(may_hide, z, np.inf).argmin(axis=0)[None]
    front_z, front_sigma = (np.take_along_axis(each, front, 0) for each in (z, sigma))
    with np.errstate(invalid='ignore'):
        reach = _SAME_SIGMAS * np.hypot(sigma, front_sigma) + _SAME_SHARE * front_z
        agrees = is_known & (np.abs(z - front_z) <= reach)
    weight = np.where(agrees, 1.0 / np.square(sigma), 0.0)
    total = weight.sum(axis=0)
    with np.errstate(divide='ignore', invalid='ignore'):
        mean = (weight * np.where(agrees, z, 0.0)).sum(axis=0) / total
        spread = np.sqrt(1.0 / total)
    is_there = total > 0
    main = int(np.argmax([agrees[k].sum() for k in range(len(ranges))]))
    measured = None
    if any(each.measured is not None for each in ranges):
        was = np.stack(
            [np.ones(z.shape[1:], bool) if r.measured is None else r.measured for r in ranges]
        )
        measured = (agrees & was).any(axis=0) | ~is_there
    nothing = np.float32(np.nan)
    return replace(
        ranges[main],
        depth_m=np.where(is_there, mean, nothing).astype(np.float32),
        sigma_m=np.where(is_there, spread, nothing).astype(np.float32),
        measured=measured,
    )


def _is_apart(z: Float32Array, sigma: Float32Array, surest: Float32Array) -> np.ndarray:
    """Return (K, H, W) where a range is not that of the surest sensor's surface."""
    best = np.take_along_axis(z, sigma.argmin(axis=0)[None], 0)
    with np.errstate(invalid='ignore'):
        return np.abs(z - best) > _SAME_SIGMAS * np.hypot(sigma, surest) + _SAME_SHARE * best
