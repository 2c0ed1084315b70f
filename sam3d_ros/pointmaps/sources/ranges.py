# SPDX-License-Identifier: Apache-2.0
"""How far everything in a colour image is: what backends of the group ``sam3d_ros.range`` say.

Depth images and clouds are the backends that come with this package. One that is learned takes the
colour image alone, or with what was measured, and says which ranges it made up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from sam3d_ros.core.sensors import SensorModel, sensor_model
from sam3d_ros.core.types import BoolArray, Float32Array, FloatArray
from sam3d_ros.geometry.transform_tree import TransformTree
from sam3d_ros.pointmaps.config import PointmapConfig
from sam3d_ros.pointmaps.inputs import ColorImage, DepthImage, PointCloud
from sam3d_ros.pointmaps.sensor_noise.noise import RangeNoise


@dataclass(frozen=True, slots=True, eq=False)
class Several:
    """What several sensors measured around the stamp of one image, by their topics."""

    items: Mapping[str, DepthImage | PointCloud]


Measurement = DepthImage | PointCloud | Several


@dataclass(frozen=True, slots=True, eq=False)
class RangeMap:
    """The range of each pixel of a rectified colour image.

    :param depth_m: (H, W) float32 z-depth, metres, NaN = not known.
    :param sensor: what its errors look like.
    :param measured: (H, W) bool, False where a range was inferred; None = all were measured.
    :param sigma_m: (H, W) float32 one-sigma error of each range, metres; None = that of
        ``sensor``.
    """

    depth_m: Float32Array
    sensor: SensorModel
    measured: BoolArray | None = None
    sigma_m: Float32Array | None = None

    @property
    def errors_m(self) -> Float32Array:
        """(H, W) float32 one-sigma error of each range, metres: as said, else the sensor's."""
        return self.sensor.axial_sigma(self.depth_m) if self.sigma_m is None else self.sigma_m


class RangeSource(Protocol):
    """Says how far things are; made as ``Source(config)`` with a :class:`PointmapConfig`.

    One with options of its own (see :mod:`core.registry`) is made as ``Source(config, options)``.

    ``noise`` is what it has measured of its sensor's errors, None when it measures none; one that
    was kept from an earlier run may be put there.
    """

    noise: RangeNoise | None

    def range_of(
        self, color: ColorImage, measured: Measurement | None, tree: TransformTree
    ) -> RangeMap:
        """Return the ranges within the configured limits, seen from the rectified colour camera.

        :param color: the image.
        :param measured: what came with it; None = colour alone.
        :param tree: all of TF that is known.
        :raises InputError: when the data cannot be used.
        :raises TransformError: when TF does not say where both sensors were; an
            ExtrapolationError whose ``is_future`` is true may still be cured by waiting.
        """
        ...

    def forget(self) -> None:
        """Forget what was learned from earlier images."""
        ...


def start_model(config: PointmapConfig, otherwise: str) -> SensorModel:
    """Return the configured sensor model, or that of a name where it is chosen automatically.

    :param config: of the stage.
    :param otherwise: name of the model for ``auto``.
    """
    return sensor_model(otherwise if config.sensor == 'auto' else config.sensor)


def transform_between(
    color: ColorImage, other: DepthImage | PointCloud, tree: TransformTree
) -> FloatArray:
    """Return T_color_other (4, 4); what moves between both stamps is undone through the root.

    :param color: the image.
    :param other: what was measured.
    :param tree: all of TF that is known.
    """
    if other.frame_id == color.frame_id:
        return np.eye(4)
    here, there = (color.frame_id, color.stamp_ns), (other.frame_id, other.stamp_ns)
    return tree.lookup_between(*here, *there, tree.root(color.frame_id))
