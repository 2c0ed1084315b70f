# SPDX-License-Identifier: Apache-2.0
"""What goes into a frame: decoded sensor data with its stamp, frame and lens."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from sam3d_ros.core.types import ByteArray, Float32Array, FloatArray
from sam3d_ros.geometry.lenses import Lens
from sam3d_ros.pointmaps.rectification import rectify_color


@dataclass(frozen=True, eq=False)
class ColorImage:
    """A colour image as delivered: ``rgb`` is (H, W, 3) uint8 of the lens's size."""

    stamp_ns: int
    frame_id: str
    rgb: ByteArray
    lens: Lens

    @cached_property
    def rectified(self) -> ByteArray:
        """(H, W, 3) uint8 as ``lens.rectified`` sees it, made once."""
        return rectify_color(self.rgb, self.lens)


@dataclass(frozen=True, slots=True, eq=False)
class DepthImage:
    """A depth image as delivered: ``depth_m`` is (H, W) float32 z-depth, metres, NaN = none.

    :param lens: None when there is no CameraInfo: the image must then share the colour
        image's frame and size.
    """

    stamp_ns: int
    frame_id: str
    depth_m: Float32Array
    lens: Lens | None


@dataclass(frozen=True, slots=True, eq=False)
class PointCloud:
    """A cloud as delivered: ``points_m`` is (..., 3) float32 metres in ``frame_id``.

    :param times_s: (N,) seconds from the stamp to when each point was measured; None = not said.
    """

    stamp_ns: int
    frame_id: str
    points_m: Float32Array
    times_s: FloatArray | None = None
