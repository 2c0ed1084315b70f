# SPDX-License-Identifier: Apache-2.0
"""What a range sensor's errors look like: one object for each kind of camera.

Worlds are rendered with it, networks are trained on it, and evidence, tracking, layout and
segmentation ask it how far a return may be off, alone or after averaging over neighbours. Real
sensors do not make white noise: neighbouring pixels share most of their error ("grain"), so that
averaging helps far less than it would on paper.

The error of a range at z seen at an angle of incidence is a sum of Gaussian fields over the image,
one for each scale of ``grain``: independent pixels blurred by a Gaussian of that many pixels, so
that two pixels d apart correlate by exp(-d^2 / (4 scale^2)).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from sam3d_ros.core.errors import ConfigurationError

Float32Array = npt.NDArray[np.float32]
FloatArray = npt.NDArray[np.float64]

STEEPEST_RAD = float(np.deg2rad(80.0))
"""Errors were measured up to about this angle of incidence."""
USUAL_COSINE = 0.7
"""Cosine of incidence of a surface whose normal is not known."""
Grain = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class SensorModel:
    """The errors of one kind of range camera.

    :param name: as it is configured, e.g. ``d435``.
    :param kind: ``structured_light``, ``active_stereo``, ``tof``, ``lidar`` or ``ideal``.
    :param floor_m: one-sigma spread along the ray at ``nearest_m``, metres.
    :param quadratic: growth of that spread with (z - nearest_m)^2, 1/m.
    :param nearest_m: range where the spread is smallest, metres.
    :param grain: (scale in px, share of the variance) of every field that the error is made of;
        shares sum to 1; scale 0 = every pixel for itself.
    :param grazing_m: factor of (angle / (pi/2 - angle))^2 / sqrt(z), which is added to the spread.
    :param lateral_px: one-sigma error of the place in the image that a return belongs to.
    :param fattening_px: how far near surfaces grow over far ones at silhouettes.
    :param rim_px: width of the band along silhouettes in which returns are missing.
    :param mixed_px: width of the band in which returns lie between the near and the far surface.
    :param baseline_m: distance of the projector or second camera, > 0 = to the right of the
        camera: far surfaces return nothing in a shadow on that side of near things.
    :param grazing_rad: angles of incidence at which returns begin to fail, and all have failed.
    :param dark: reflected share of the projected light (at 1 m) below which returns fail.
    :param gloss: mirror-like share of the reflection above which returns fail.
    :param dropout: share of the pixels that return nothing for no reason, in blobs.
    :param warp: slow bending of planes, one sigma at 1 m, as a share of z^2, 1/m.
    :param misregistration_px: one-sigma shift of depth against colour.
    :param step: distance of two neighbouring depth values over z^2, 1/m; 0 = continuous.
    :param range_m: nearest and farthest return, metres.
    :param reach_m: farthest thing that can be told from its support, metres.
    :param source: where the figures are from.
    """

    name: str
    kind: str
    floor_m: float
    quadratic: float
    nearest_m: float = 0.0
    grain: Grain = ((0.0, 1.0),)
    grazing_m: float = 1e-4
    lateral_px: float = 0.5
    fattening_px: float = 0.0
    rim_px: float = 0.0
    mixed_px: float = 0.0
    baseline_m: float = 0.0
    grazing_rad: tuple[float, float] = (1.309, 1.484)
    dark: float = 0.0
    gloss: float = 1.0
    dropout: float = 0.0
    warp: float = 0.0
    misregistration_px: float = 0.0
    step: float = 0.0
    range_m: tuple[float, float] = (0.2, 5.0)
    reach_m: float = 2.0
    source: str = ''

    def axial_sigma(self, depth_m: Float32Array | FloatArray | float) -> Float32Array:
        """Return the one-sigma error along the optical axis, seen straight on.

        :param depth_m: (...) z-depth, metres.
        :return: (...) float32 metres.
        """
        beyond = np.square(np.asarray(depth_m, np.float32) - np.float32(self.nearest_m))
        return np.asarray(
            np.float32(self.floor_m) + np.float32(self.quadratic) * beyond, np.float32
        )

    def slanted_sigma(self, depth_m: Float32Array, angle_rad: Float32Array) -> Float32Array:
        """Return the one-sigma error along the optical axis of slanted surfaces.

        :param depth_m: (...) z-depth, metres.
        :param angle_rad: (...) angle between the normal and the line of sight, radians.
        :return: (...) float32 metres.
        """
        tilt = angle_rad**2 / (np.pi / 2 - angle_rad) ** 2
        grazing = self.grazing_m / np.sqrt(np.maximum(depth_m, 0.4)) * tilt
        return np.asarray(self.axial_sigma(depth_m) + grazing, np.float32)

    def ray_sigma(
        self,
        depth_m: Float32Array,
        cosine: Float32Array,
        focal_px: float,
        straight_m: Float32Array | None = None,
    ) -> Float32Array:
        """Return the one-sigma error along the ray with everything in it.

        Axial and lateral errors after Nguyen, Izadi, Lovell (3DIMPVT 2012), equations 1 to 3, and
        rounding to the next step (Khoshelham, Elberink, Sensors 2012, equation 6).

        :param depth_m: (P,) z-depth, metres.
        :param cosine: (P,) absolute cosine of the angle of incidence, 0 where it is not known.
        :param focal_px: focal length, px.
        :param straight_m: (P,) one-sigma error seen straight on, metres, where the range's source
            says it; None = the model's.
        :return: (P,) float32 metres.
        """
        known = np.where(cosine > 0, np.minimum(cosine, 1.0), USUAL_COSINE)
        angle = np.minimum(np.arccos(known), STEEPEST_RAD)
        lateral_px = self.lateral_px + 0.035 * angle / (0.5 * np.pi - angle)
        lateral = lateral_px * depth_m / focal_px * np.tan(angle)
        step = self.step * np.square(depth_m) / np.sqrt(12.0)
        axial = self.slanted_sigma(np.asarray(depth_m, np.float32), angle)
        if straight_m is not None:
            axial = axial - self.axial_sigma(depth_m) + straight_m
        return np.asarray(np.sqrt(axial**2 + lateral**2 + step**2), np.float32)

    def left_after(self, window_px: float, pitch_px: float = 1.0) -> float:
        """Return which share of the spread is left in the mean of a square window.

        :param window_px: side of the window, px of the range image.
        :param pitch_px: distance of the pixels that are averaged.
        :return: 1 for a single pixel; 1 / window_px for white noise at a pitch of 1.
        """
        count = max(1, round(window_px / pitch_px))
        return float(np.sqrt(sum(share * kept(count, pitch_px, s) for s, share in self.grain)))

    def averaged_sigma(
        self, depth_m: Float32Array | float, window_px: float, pitch_px: float = 1.0
    ) -> Float32Array:
        """Return the one-sigma error of a mean of returns over a square window, metres.

        :param depth_m: (...) z-depth, metres.
        :param window_px: side of the window, px.
        :param pitch_px: distance of the pixels that are averaged.
        """
        return self.axial_sigma(depth_m) * np.float32(self.left_after(window_px, pitch_px))

    def measured(self, factor: float, grain: Grain) -> SensorModel:
        """Return this model with a spread ``factor`` times as large, and another grain."""
        return replace(
            self, floor_m=self.floor_m * factor, quadratic=self.quadratic * factor, grain=grain
        )

    def on_grid(self, step: int) -> SensorModel:
        """Return the model of an image that has every ``step``-th pixel of this one's."""
        return replace(
            self,
            grain=tuple((scale / step, share) for scale, share in self.grain),
            lateral_px=self.lateral_px / step,
            fattening_px=self.fattening_px / step,
            rim_px=self.rim_px / step,
            mixed_px=self.mixed_px / step,
            misregistration_px=self.misregistration_px / step,
        )

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> SensorModel:
        """Return the model with these fields, as JSON has them."""
        grain = tuple((float(scale), float(share)) for scale, share in values['grain'])
        pairs = {name: tuple(values[name]) for name in ('grazing_rad', 'range_m')}
        return cls(**{**values, **pairs, 'grain': grain})


@lru_cache(maxsize=4096)
def kept(count: int, pitch_px: float, scale_px: float) -> float:
    """Return the share of a blurred field's variance that is left in a square mean.

    :param count: pixels along each side of the window.
    :param pitch_px: their distance.
    :param scale_px: standard deviation of the blur; 0 = white.
    """
    if scale_px <= 0:
        return 1.0 / count**2
    at = pitch_px * np.arange(count)
    shared = np.exp(-np.square(at[:, None] - at) / (4 * scale_px**2))
    return float(shared.mean()) ** 2


IDEAL = SensorModel(
    'ideal',
    'ideal',
    0.0,
    0.0,
    grazing_m=0.0,
    lateral_px=0.0,
    grazing_rad=(1.5, 1.57),
    range_m=(0.01, 100.0),
    source='no errors at all, for tests',
)
_NGUYEN = SensorModel(
    'white',
    'structured_light',
    0.0012,
    0.0019,
    nearest_m=0.4,
    lateral_px=0.8,
    baseline_m=0.075,
    step=2.85e-3,
    range_m=(0.4, 5.0),
    source='Nguyen, Izadi, Lovell, 3DIMPVT 2012 (spread, lateral jitter), with independent '
    'pixels; Khoshelham, Elberink, Sensors 2012, eq. 6 (steps)',
)
_KINECT = replace(
    _NGUYEN,
    name='structured_light',
    floor_m=0.0008,
    grain=((1.0, 0.28), (2.0, 0.22), (4.0, 0.08), (16.0, 0.14), (32.0, 0.28)),
    rim_px=1.5,
    dark=0.05,
    gloss=0.75,
    dropout=0.002,
    warp=0.002,
    misregistration_px=0.7,
    source='growth and steps as white; floor and grain are medians of 12 frames of a Kinect v1',
)
_STEREO = SensorModel(
    'active_stereo',
    'active_stereo',
    0.0015,
    0.0025,
    grain=((0.0, 0.14), (1.0, 0.20), (4.0, 0.50), (8.0, 0.16)),
    lateral_px=0.7,
    fattening_px=2.0,
    rim_px=4.0,
    baseline_m=0.05,
    dark=0.015,
    gloss=0.6,
    dropout=0.01,
    warp=0.003,
    misregistration_px=0.8,
    step=6e-4,
    range_m=(0.2, 6.0),
    source='spread and grain are medians of 6 frames of D435 and 3 of D415; form of the growth: '
    'Keselman et al., CVPRW 2017, Ahn et al., 2019; fattening: Handa et al., ICRA 2014',
)
_TOF = SensorModel(
    'tof',
    'tof',
    0.0007,
    0.0007,
    grain=((0.0, 0.09), (1.0, 0.15), (2.0, 0.10), (4.0, 0.20), (8.0, 0.32), (24.0, 0.14)),
    lateral_px=0.4,
    rim_px=1.0,
    mixed_px=2.0,
    baseline_m=0.02,
    dark=0.06,
    gloss=0.8,
    dropout=0.003,
    warp=0.002,
    misregistration_px=1.0,
    step=0.0,
    range_m=(0.25, 5.5),
    source='spread: Kurillo et al., Sensors 2022 (Azure Kinect); grain: one registered frame and '
    'Toelgyessy et al., Sensors 2021; mixed pixels: Foix, Alenya, Torras, IEEE Sensors 2011',
)
_LIDAR = SensorModel(
    'lidar',
    'lidar',
    0.02,
    0.0,
    lateral_px=0.5,
    range_m=(0.3, 30.0),
    reach_m=8.0,
    grain=((0.0, 0.3), (4.0, 0.7)),
    source='data sheets of Velodyne VLP-16 (up to 30 mm) and Ouster OS1 (10 mm); a fit between '
    'returns is shared by the pixels around them',
)

MODELS: dict[str, SensorModel] = {
    model.name: model
    for model in (
        IDEAL,
        _NGUYEN,
        _KINECT,
        replace(_KINECT, name='kinect_v1'),
        _STEREO,
        replace(
            _STEREO,
            name='d435',
            grain=((0.0, 0.13), (1.0, 0.15), (4.0, 0.60), (8.0, 0.12)),
        ),
        replace(
            _STEREO,
            name='d415',
            floor_m=0.0013,
            quadratic=0.0028,
            baseline_m=0.055,
            grain=((0.0, 0.17), (1.0, 0.41), (2.0, 0.17), (8.0, 0.25)),
        ),
        replace(
            _STEREO,
            name='d405',
            floor_m=0.0004,
            quadratic=0.004,
            baseline_m=0.018,
            range_m=(0.07, 1.5),
        ),
        _TOF,
        replace(_TOF, name='azure_kinect'),
        replace(
            _KINECT,
            name='sr300',
            floor_m=0.0032,
            quadratic=0.0035,
            nearest_m=0.3,
            baseline_m=0.026,
            step=0.0,
            range_m=(0.2, 1.5),
            grain=((0.0, 0.09), (1.0, 0.12), (2.0, 0.12), (4.0, 0.09), (8.0, 0.48), (24.0, 0.10)),
            source='grain is that of one SR300 and one F200 frame; Carfagni et al., 2017',
        ),
        _LIDAR,
    )
}
"""Every sensor that can be named: four kinds, an ideal one, white noise, and known cameras."""


def sensor_model(name: str) -> SensorModel:
    """Return the model of this name.

    :raises ConfigurationError: when there is none.
    """
    if name not in MODELS:
        raise ConfigurationError(f'no sensor model "{name}"', wanted=f'one of {", ".join(MODELS)}')
    return MODELS[name]


STRUCTURED_LIGHT = MODELS['structured_light']
"""What a depth camera is taken for until something else is known."""
