# SPDX-License-Identifier: Apache-2.0
"""What networks say of range, in metres where something says how long a metre is, else not at all.

A network says depth or disparity in a unit of its own, or in metres that are off by a factor and
more in scenes unlike those it was trained on. Either is aligned before anything of it is used: to
what was measured in the same image, the rims of holes among it; to points that a robot's camera
saw from two places; to the support, where its height is known; or to the baselines of the
network's own views. What cannot be aligned is left out, and what is missing is said.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from sam3d_ros.core.errors import BackendError, InputError
from sam3d_ros.core.sensors import STRUCTURED_LIGHT, SensorModel
from sam3d_ros.core.types import Float32Array, FloatArray
from sam3d_ros.geometry.transform_tree import TransformTree
from sam3d_ros.pointmaps.config import PointmapConfig
from sam3d_ros.pointmaps.inputs import ColorImage
from sam3d_ros.pointmaps.monocular.references import (
    MovedReferences,
    References,
    measured_references,
    support_references,
)
from sam3d_ros.pointmaps.sensor_noise.noise import RangeNoise
from sam3d_ros.pointmaps.sources.alignment import Alignment, align
from sam3d_ros.pointmaps.sources.depth import within_range
from sam3d_ros.pointmaps.sources.fused_source import FusedSource
from sam3d_ros.pointmaps.sources.ranges import Measurement, RangeMap

LOG = logging.getLogger(__name__)

MOST_SIGMA = 0.05
"""Inferred ranges that are off by a larger share (one sigma) are left out."""
# Errors of a network are shared by pixels so far apart, and are this share of the range at least.
_GRAIN_PX, _LEAST_LOCAL = 16.0, 0.003


@dataclass(frozen=True, slots=True, eq=False)
class Inferred:
    """What a network says of an image, before it is aligned.

    :param values: (H, W) float32 disparity or depth, in a unit of its own.
    :param is_disparity: which of both.
    :param by_views: its scale by the places of its own views, where TF knows these; else None.
    :param doubt: (H, W) float32 error of each pixel over the usual one; None = all alike.
    """

    values: Float32Array
    is_disparity: bool
    by_views: Alignment | None = None
    doubt: Float32Array | None = None


class DepthNetwork(Protocol):
    """Infers range from colour."""

    def infer(self, color: ColorImage, ranges: RangeMap, tree: TransformTree) -> Inferred:
        """Return what it says of an image.

        :param color: the image.
        :param ranges: what was measured in it, which may be nothing.
        :param tree: all of TF that is known.
        :raises InputError: when it needs what is not there.
        :raises BackendError: when it cannot answer.
        """
        ...

    def forget(self) -> None:
        """Forget earlier images."""
        ...


class InferringSource:
    """Ranges that were measured, and, where none was, those that a network infers.

    :param config: of the stage.
    :param network: which infers.
    """

    def __init__(self, config: PointmapConfig, network: DepthNetwork) -> None:
        self.network = network
        self._config = config
        self._sensors = FusedSource(config)
        self._moved = MovedReferences(config)
        self._complaint = ''

    @property
    def noise(self) -> RangeNoise | None:
        """What the depth camera showed of its errors."""
        return self._sensors.noise

    @noise.setter
    def noise(self, kept: RangeNoise | None) -> None:
        self._sensors.noise = kept

    def forget(self) -> None:
        """Begin anew, as for the first image."""
        self._sensors.forget()
        self._moved.forget()
        self.network.forget()

    def range_of(
        self, color: ColorImage, measured: Measurement | None, tree: TransformTree
    ) -> RangeMap:
        """See :class:`RangeSource`; without an alignment, what was measured alone.

        :param color: the image.
        :param measured: the depth image or cloud that came with it; None = colour alone.
        :param tree: all of TF that is known.
        :raises BackendError: when the network cannot answer and nothing was measured.
        """
        ranges = self._measured(color, measured, tree)
        references: list[Callable[[], References]] = [lambda: measured_references(ranges)]
        if measured is None:
            references.append(lambda: self._moved.of(color, tree))
        references.append(lambda: support_references(color, tree, self._config))
        try:
            inferred = self.network.infer(color, ranges, tree)
            found = _aligned(inferred, references)
        except (InputError, BackendError) as refused:
            if measured is None and isinstance(refused, BackendError):
                raise
            if str(refused) != self._complaint:
                self._complaint = str(refused)
                LOG.warning('nothing is inferred where nothing was measured: %s', refused)
            return ranges
        return self._filled(ranges, inferred, found)

    def _measured(
        self, color: ColorImage, measured: Measurement | None, tree: TransformTree
    ) -> RangeMap:
        if measured is None:
            nothing = np.full(color.rectified.shape[:2], np.nan, np.float32)
            return RangeMap(nothing, STRUCTURED_LIGHT)
        return self._sensors.range_of(color, measured, tree)

    def _filled(self, ranges: RangeMap, inferred: Inferred, found: Alignment) -> RangeMap:
        """Return measured ranges, and aligned ones where there are none."""
        values = inferred.values.astype(np.float64)
        aligned, spread = found(values), found.sigma(values)
        if inferred.doubt is not None:
            spread = spread * inferred.doubt
        local = np.full(values.shape, found.residual)
        with np.errstate(divide='ignore', invalid='ignore'):
            made_m = aligned
            if inferred.is_disparity:
                made_m = 1 / aligned
                spread, local = spread * made_m**2, local * made_m**2
            made_m = np.where((aligned > 0) & (spread < MOST_SIGMA * made_m), made_m, np.nan)
        made = within_range(
            made_m.astype(np.float32), self._config.min_depth_m, self._config.max_depth_m
        )
        depth_m = ranges.depth_m
        is_measured = np.isfinite(depth_m)
        off_m = spread.astype(np.float32)
        sensor = ranges.sensor if is_measured.any() else _errors_of(made, local)
        return RangeMap(
            np.where(is_measured, depth_m, made),
            sensor,
            is_measured | np.isnan(made),
            np.where(
                is_measured, ranges.errors_m, np.where(np.isnan(made), np.float32(np.nan), off_m)
            ),
        )


def _aligned(inferred: Inferred, references: list[Callable[[], References]]) -> Alignment:
    """Return the alignment to the first references that determine one.

    :raises InputError: when none does, naming what each lacks.
    """
    lacking = []
    for ask in references:
        try:
            known = ask()
            z, sigma = known.depth_m, known.sigma_m
            if inferred.is_disparity:
                z, sigma = 1 / z, sigma / z**2
            return align(inferred.values.ravel()[known.at].astype(np.float64), z, sigma)
        except InputError as refused:
            lacking.append(refused)
    if inferred.by_views is not None:
        return inferred.by_views
    raise InputError(
        '; '.join(refused.seen for refused in lacking),
        wanted=' or '.join(dict.fromkeys(refused.wanted for refused in lacking)),
    )


def _errors_of(depth_m: Float32Array, local_m: FloatArray) -> SensorModel:
    """Return a model of the errors of ranges that were all inferred, beside what all share.

    :param depth_m: (H, W) the ranges, metres.
    :param local_m: (H, W) what the alignment leaves, metres; the error of its scale moves all of
        an image and hides no relief.
    """
    known = np.isfinite(depth_m)
    if not known.any():
        return STRUCTURED_LIGHT
    z = depth_m[known]
    ratio = np.maximum(local_m[known], _LEAST_LOCAL * z) / STRUCTURED_LIGHT.axial_sigma(z)
    return STRUCTURED_LIGHT.measured(float(np.median(ratio)), ((_GRAIN_PX, 1.0),))
