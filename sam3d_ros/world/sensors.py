# SPDX-License-Identifier: Apache-2.0
"""Depth cameras: what they make of an ideal rendering, each with the source of its error model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from sam3d_ros.core.errors import ConfigurationError
from sam3d_ros.core.types import BoolArray, Camera, Float32Array
from sam3d_ros.geometry.cameras import rays
from sam3d_ros.world.render import Rendering

Rng = np.random.Generator


class DepthSensor(Protocol):
    """An ideal rendering to a measured depth image."""

    def measure(self, rendering: Rendering, camera: Camera, rng: Rng) -> Float32Array:
        """Return (H, W) float32 depth in metres, NaN = no return."""
        ...


@dataclass(frozen=True, slots=True)
class Ideal:
    """Returns the true depth."""

    def measure(self, rendering: Rendering, camera: Camera, rng: Rng) -> Float32Array:
        """Return the rendering's own depth."""
        return rendering.depth_m


@dataclass(frozen=True, slots=True)
class StructuredLight:
    """A structured light camera of the first Kinect's kind.

    Lateral jitter and axial noise are Nguyen, Izadi, Lovell: Modeling Kinect Sensor Noise for
    Improved 3D Reconstruction and Tracking (3DIMPVT 2012), section 2, fitted for incidence angles
    up to about 80 deg; quantisation is Khoshelham, Elberink: Accuracy and Resolution of Kinect
    Depth Data (Sensors 2012), equation 6 with m / (f b) = 2.85e-5 / cm. What the projector does
    not reach (a baseline of 7.5 cm) and what is grazed returns nothing.

    :param baseline_m: the projector sits this far to the right of the camera.
    :param disparity_m: z^2 over the depth step of one disparity unit.
    :param grazing_rad: angles of incidence at which returns begin to fail and all have failed.
    :param range_m: nearest and farthest return.
    """

    baseline_m: float = 0.075
    disparity_m: float = 1 / 2.85e-3
    grazing_rad: tuple[float, float] = (np.radians(75.0), np.radians(85.0))
    range_m: tuple[float, float] = (0.4, 5.0)

    def measure(self, rendering: Rendering, camera: Camera, rng: Rng) -> Float32Array:
        """Return the depth image with all errors applied."""
        theta = incidence(rendering, camera)
        limited = np.minimum(theta, np.radians(80.0))
        lost = self.shadow(rendering.depth_m, camera)
        first, last = self.grazing_rad
        lost |= rng.random(theta.shape, np.float32) < (theta - first) / (last - first)
        depth = self._jittered(rendering.depth_m, limited, rng)
        depth += self.axial_sigma(depth, limited) * rng.standard_normal(depth.shape, np.float32)
        depth = self.quantised(depth)
        near, far = self.range_m
        depth[lost | ~((depth > near) & (depth < far))] = np.nan
        return depth

    def axial_sigma(self, depth_m: Float32Array, theta_rad: Float32Array) -> Float32Array:
        """Return the one-sigma axial noise, metres, at a depth and an angle of incidence."""
        tilt = theta_rad**2 / (np.pi / 2 - theta_rad) ** 2
        grazing = 0.0001 / np.sqrt(np.maximum(depth_m, self.range_m[0])) * tilt
        sigma = 0.0012 + 0.0019 * (depth_m - 0.4) ** 2 + grazing
        return sigma.astype(np.float32)

    def lateral_sigma_px(self, theta_rad: Float32Array) -> Float32Array:
        """Return the one-sigma lateral noise, px, at an angle of incidence."""
        return (0.8 + 0.035 * theta_rad / (np.pi / 2 - theta_rad)).astype(np.float32)

    def quantised(self, depth_m: Float32Array) -> Float32Array:
        """Return the nearest depth that a whole number of disparity units can say."""
        units = np.maximum(np.rint(self.disparity_m / depth_m), 1)
        return (self.disparity_m / units).astype(np.float32)

    def shadow(self, depth_m: Float32Array, camera: Camera) -> BoolArray:
        """Return (H, W) bool: the camera sees it, the projector does not.

        Along a row the projector sees surfaces in the camera's order. A pixel whose column in
        the projector lies right of that of any pixel further right is hidden behind it.
        """
        offset = camera.fx * self.baseline_m / np.where(np.isnan(depth_m), np.inf, depth_m)
        column = np.arange(camera.width, dtype=np.float32) - offset.astype(np.float32)
        nearest = np.minimum.accumulate(column[:, ::-1], axis=1)[:, ::-1]
        hidden: BoolArray = column > nearest + 0.5
        return hidden

    def _jittered(self, depth_m: Float32Array, theta: Float32Array, rng: Rng) -> Float32Array:
        sigma = self.lateral_sigma_px(theta)
        rows, columns = depth_m.shape
        shift = rng.standard_normal((2, rows, columns), np.float32) * sigma
        steps = np.rint(shift).astype(np.int32)
        row = np.clip(np.arange(rows)[:, None] + steps[0], 0, rows - 1)
        column = np.clip(np.arange(columns) + steps[1], 0, columns - 1)
        jittered: Float32Array = np.take(depth_m, row * columns + column)
        return jittered


def incidence(rendering: Rendering, camera: Camera) -> Float32Array:
    """Return (H, W) float32 angle between surface normal and line of sight, radians."""
    sight = rays(camera)
    along = np.einsum('ijk,ijk->ij', rendering.normals, sight)
    cosine = np.abs(along) / np.sqrt(np.einsum('ijk,ijk->ij', sight, sight))
    theta: Float32Array = np.arccos(np.minimum(cosine, 1.0)).astype(np.float32)
    return theta


def depth_sensor(name: str) -> DepthSensor:
    """Return the depth camera of this name: ``ideal`` or ``structured_light``."""
    sensors: dict[str, DepthSensor] = {'ideal': Ideal(), 'structured_light': StructuredLight()}
    if name not in sensors:
        raise ConfigurationError(f'no depth sensor "{name}"', wanted=f'one of {list(sensors)}')
    return sensors[name]
