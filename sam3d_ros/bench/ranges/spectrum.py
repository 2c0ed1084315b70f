# SPDX-License-Identifier: Apache-2.0
"""Bench of simulated range cameras: do their errors average out as those of real ones do?

The spread of the distance to the largest plane after averaging over k x k pixels, of real frames
and of worlds. Where three or more real frames of a camera show a plane, they are drawn anew: the
same image size, intrinsics and pose over the plane, an object on it, seen by that camera's
model. The median of these worlds should lie within what the real frames show, give or take 20 %.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sam3d_ros.bench.harness import BenchOptions, Measurement, Picture, Table, Value
from sam3d_ros.bench.masks.real_frames import read_depth, sensor_key
from sam3d_ros.bench.masks.scenes_segmentation import frame_files
from sam3d_ros.bench.report import line_plot
from sam3d_ros.bench.worlds import bare
from sam3d_ros.core.sensors import MODELS
from sam3d_ros.core.types import Camera, FloatArray
from sam3d_ros.geometry.noise_spectrum import WINDOWS_PX, NoiseSpectrum, noise_spectrum
from sam3d_ros.geometry.transforms import transform
from sam3d_ros.world.rendering.render import Renderer, Rendering
from sam3d_ros.world.rendering.sensors import depth_sensor
from sam3d_ros.world.sources import ProceduralSource
from sam3d_ros.world.suites import make_episode

MODEL_OF: Mapping[str, str] = {
    'RealSense D435': 'd435',
    'RealSense D415': 'd415',
    'Kinect v1': 'kinect_v1',
}
"""Real cameras, as frames name them, and the models that are compared with them."""

WHITE = 'white'
"""Independent errors: the other model that is compared."""
LEAST_FRAMES = 3
WIDENED = 0.2
REDRAWN, QUICK_REDRAWN = 9, 3
"""Most frames of a camera that are drawn anew."""
FAMILIES = ('can', 'bottle', 'mug', 'ball')
"""Things that stand out of their plane: flat ones would pass for errors of it."""
SCENES = 3
"""Scenes that all models are shown for their table."""


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """How a camera looks at a plane.

    :param normal: (3,) float64 unit, optical axes, towards the camera.
    :param offset_m: distance of the camera from the plane: normal @ p + offset = 0 on it.
    :param center_px: u, v around which the plane is seen.
    """

    camera: Camera
    normal: FloatArray
    offset_m: float
    center_px: tuple[float, float]

    @property
    def T_plane_cam(self) -> FloatArray:
        """(4, 4) pose of the camera; the plane's z is up, its origin is seen at the centre."""
        ray = np.linalg.solve(self.camera.K, [*self.center_px, 1.0])
        origin = ray * (-self.offset_m / (self.normal @ ray))
        least = np.eye(3)[np.abs(self.normal).argmin()]
        across = np.cross(self.normal, least)
        across /= np.linalg.norm(across)
        R = np.stack([across, np.cross(self.normal, across), self.normal])
        return transform(R, -R @ origin)


TABLE_VIEW = View(
    Camera(640, 480, np.array([[615.0, 0, 320], [0, 615.0, 240], [0, 0, 1]])),
    np.array([0.0, -0.6, -0.8]),
    0.8 * 0.8,
    (320.0, 240.0),
)
"""How all models look at a table: it is 0.8 m ahead."""


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """A real frame's spectrum, and how it looks at its plane."""

    view: View
    spectrum: NoiseSpectrum


def run(options: BenchOptions) -> Measurement:
    """Measure real frames and every model, and compare those that are of the same camera."""
    real = _real_shots(path for folder in options.data for path in frame_files(folder))
    notes = () if real else ('No real frames were given: models are shown alone.',)
    values: dict[str, Value] = {}
    rows: list[tuple[str, ...]] = []
    pictures: list[Picture] = []
    for sensor, shots in real.items():
        values |= _values(f'real_{sensor_key(sensor)}', _spreads(shots))
        if len(shots) >= LEAST_FRAMES and sensor in MODEL_OF:
            compared = _compare(sensor, shots, options)
            values |= compared.inside
            rows += compared.rows
            pictures.append(compared.plot)
    scenes = [_draw(TABLE_VIEW, options.seed + k) for k in range(SCENES)]
    models = {name: _seen_by(name, scenes) for name in MODELS if MODELS[name].kind != 'lidar'}
    for name, spreads in models.items():
        values |= _values(f'world_{name}', spreads)
    title = f'Spread (mm) by window; bounds of real frames are widened by {WIDENED:.0%}'
    compared_table = Table(title, (*_HEAD, 'inside'), tuple(rows))
    rows = []
    for sensor, shots in real.items():
        range_m = float(np.median([shot.spectrum.range_m for shot in shots]))
        label = f'{sensor} ({len(shots)}), {range_m:.2f} m'
        rows.append((label, *_cells(typical(_spreads(shots)))))
    real_table = Table('Spread (mm) by window, medians of real frames', _HEAD, tuple(rows))
    rows = [(name, *_cells(typical(spreads))) for name, spreads in models.items()]
    distance_m = TABLE_VIEW.offset_m / -TABLE_VIEW.normal[2]
    title = f'Spread (mm) by window, models, a table {distance_m:.1f} m ahead'
    tables = (compared_table, real_table, Table(title, _HEAD, tuple(rows)))
    return Measurement('sensors', values, tables, tuple(pictures), notes)


@dataclass(frozen=True, slots=True, eq=False)
class _Compared:
    """A camera's frames beside its model: windows that are inside, rows of the table, a plot."""

    inside: Mapping[str, int]
    rows: Sequence[tuple[str, ...]]
    plot: Picture


def _compare(sensor: str, shots: Sequence[Shot], options: BenchOptions) -> _Compared:
    """Draw views of a camera anew and see them by its model, and by one of white noise."""
    model = MODEL_OF[sensor]
    most = QUICK_REDRAWN if options.quick else REDRAWN
    views = [shot.view for shot in shots[:: -(-len(shots) // most)]]
    scenes = [_draw(view, options.seed + k) for k, view in enumerate(views)]
    low, high = bounds(_spreads(shots))
    shown = {'real, from': low, 'real, to': high}
    rows = [(f'{sensor}: {label}', *_cells(row), '') for label, row in shown.items()]
    inside = {}
    for name, key in ((model, 'inside'), (WHITE, 'inside_white')):
        world = typical(_seen_by(name, scenes))
        count = inside[f'{model}_windows_{key}'] = int(((world >= low) & (world <= high)).sum())
        rows.append((f'{sensor}: {name}', *_cells(world), f'{count} of {len(world)}'))
        shown[name] = world
    series = [(label, (1e3 * spreads_m).tolist()) for label, spreads_m in shown.items()]
    plot = line_plot(f'{sensor}: spread by window', ('px', WINDOWS_PX), 'mm', series)
    return _Compared(inside, rows, plot)


def spreads_of(spectra: Iterable[NoiseSpectrum]) -> FloatArray:
    """Return (frames, windows) float64 spreads, metres, NaN where a frame has none."""
    rows = [[np.nan if s is None else s for s in item.spreads_m] for item in spectra]
    return np.array(rows, np.float64).reshape(-1, len(WINDOWS_PX))


def _spreads(shots: Iterable[Shot]) -> FloatArray:
    return spreads_of(shot.spectrum for shot in shots)


def typical(spreads_m: FloatArray) -> FloatArray:
    """Return (windows,) medians of (frames, windows) spreads; NaN where no frame has one."""
    ordered = np.ma.masked_invalid(spreads_m)
    return np.asarray(np.ma.median(ordered, axis=0).filled(np.nan), np.float64)


def bounds(spreads_m: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return (windows,) lowest and highest of (frames, windows) spreads, widened."""
    known = np.ma.masked_invalid(spreads_m)
    low, high = known.min(axis=0).filled(np.nan), known.max(axis=0).filled(np.nan)
    return (1 - WIDENED) * low, (1 + WIDENED) * high


def _real_shots(paths: Iterable[Path]) -> dict[str, list[Shot]]:
    """Return the frames that show a plane, by camera."""
    shots: dict[str, list[Shot]] = defaultdict(list)
    for path in paths:
        sensor, depth_m, camera = read_depth(path)
        spectrum = noise_spectrum(depth_m, camera.K)
        if spectrum is not None:
            plane = spectrum.normal, spectrum.offset_m, spectrum.center_px
            shots[sensor].append(Shot(View(camera, *plane), spectrum))
    return dict(sorted(shots.items()))


@dataclass(frozen=True, slots=True, eq=False)
class _Scene:
    """What an ideal camera sees from a view, and the seed of the errors."""

    view: View
    rendering: Rendering
    seed: int


def _draw(view: View, seed: int) -> _Scene:
    """Return an object on a table or floor, as if that were the plane of a view."""
    episode = bare(make_episode('single', seed, ProceduralSource(FAMILIES), frames=1))
    T_fixed_cam = transform(np.eye(3), np.array([0, 0, episode.support_z_m])) @ view.T_plane_cam
    renderer = Renderer(episode.objects, episode.surroundings, episode.light)
    return _Scene(view, renderer.render(view.camera, T_fixed_cam, episode.T_fixed_obj[0]), seed)


def _seen_by(name: str, scenes: Sequence[_Scene]) -> FloatArray:
    """Return (scenes that show a plane, windows) spreads by a model, depth in whole mm."""
    spectra = []
    for scene in scenes:
        camera, rng = scene.view.camera, np.random.default_rng([scene.seed, 11])
        depth_m = depth_sensor(name).measure(scene.rendering, camera, rng)
        rounded_m = np.rint(depth_m * np.float32(1e3)) * np.float32(1e-3)
        spectra.append(noise_spectrum(rounded_m, camera.K))
    return spreads_of(item for item in spectra if item is not None)


def _values(prefix: str, spreads_m: FloatArray) -> dict[str, Value]:
    values: dict[str, Value] = {f'{prefix}_frames': len(spreads_m)}
    for side, spread_m in zip(WINDOWS_PX, typical(spreads_m).tolist(), strict=True):
        values[f'{prefix}_spread_{side}px_mm'] = 1e3 * spread_m
    return values


_HEAD = ('', *(f'{side} px' for side in WINDOWS_PX))


def _cells(spreads_m: FloatArray) -> list[str]:
    return ['-' if np.isnan(spread) else f'{1e3 * spread:.2f}' for spread in spreads_m]
