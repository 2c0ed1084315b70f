# SPDX-License-Identifier: Apache-2.0
"""How well a simulated camera measures its own errors, against the model it was simulated with."""

from __future__ import annotations

from sam3d_ros.bench.harness import Table
from sam3d_ros.core.sensors import STRUCTURED_LIGHT, SensorModel, sensor_model
from sam3d_ros.pointmaps.sensor_noise.noise import RangeNoise, recognised
from sam3d_ros.world.rendering.sensors import depth_sensor
from sam3d_ros.world.samples import samples
from sam3d_ros.world.suites import make_episode

SENSORS = ('structured_light', 'active_stereo', 'tof', 'white')
SUITES = ('spaced', 'clutter')
FRAMES = 10
WINDOWS_PX = (9, 25)


def run_table(seed: int) -> tuple[Table, dict[str, float]]:
    """Return errors of spread and grain after FRAMES frames, for people and as figures.

    Every sensor is measured from its own model on and, as with ``sensor: auto``, from structured
    light on. Figures are relative errors; grain's are those of what averaging leaves.

    :param seed: of the worlds.
    """
    rows: list[tuple[str, ...]] = []
    values: dict[str, float] = {}
    for suite in SUITES:
        for name in SENSORS:
            episode = make_episode(suite, seed, frames=FRAMES, sensor=depth_sensor(name))
            truth = sensor_model(name)
            starts = {'own': RangeNoise(truth), 'auto': RangeNoise(STRUCTURED_LIGHT)}
            for sample in samples(episode):
                assert sample.depth_m is not None
                for noise in starts.values():
                    noise.update(sample.depth_m, sample.camera.K)
            for start, noise in starts.items():
                errors = errors_of(noise, truth)
                for what, error in errors.items():
                    values[f'{suite}_{name}_{start}_{what}_error'] = error
                alike = recognised(noise.model, noise.range_m)[0] if noise.tiles else '-'
                cells = (f'{error:+.0%}' for error in errors.values())
                rows.append((f'{suite}, {name}', start, *cells, f'{noise.tiles:.0f}', alike))
    columns = ('world, sensor', 'start', 'spread', *(f'left after {k} px' for k in WINDOWS_PX))
    title = f'A camera measures itself in {FRAMES} frames: relative errors'
    return Table(title, (*columns, 'tiles', 'looks like'), tuple(rows)), values


def errors_of(noise: RangeNoise, truth: SensorModel) -> dict[str, float]:
    """Return relative errors of the spread at the middle range and of the grain; NaN = unseen.

    :param noise: what was measured.
    :param truth: the sensor model that the world was seen by.
    """
    model, range_m = noise.model, noise.range_m
    spread = float(model.axial_sigma(range_m) / truth.axial_sigma(range_m)) - 1
    grain = {f'left{k}': model.left_after(k) / truth.left_after(k) - 1 for k in WINDOWS_PX}
    return {'spread': spread, **grain}
