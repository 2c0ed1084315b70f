# SPDX-License-Identifier: Apache-2.0
"""Bench of mounts refined: how much of a wrong one is left, for a second camera and a LiDAR.

Things at several heights are seen by a depth camera, another one beside it, and a LiDAR above it,
of which TF says that they are 20 mm and 1.5 degrees from where they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from time import process_time

import numpy as np
from scipy.spatial.transform import Rotation

from sam3d_ros.bench.harness import BenchOptions, Measurement, Table, Value
from sam3d_ros.bench.worlds import object_source
from sam3d_ros.core.errors import InputError
from sam3d_ros.core.types import FloatArray, Frame
from sam3d_ros.geometry.cameras import pointmap_from_depth
from sam3d_ros.geometry.registration import Offset
from sam3d_ros.geometry.transforms import apply, inverse, rotation_angle, transform
from sam3d_ros.pipeline.calibration.refining import SweepView, refine_camera, refine_lidar
from sam3d_ros.world.episode import FIXED_FRAME, Episode
from sam3d_ros.world.rendering.lidar import Lidar
from sam3d_ros.world.rendering.render import Renderer
from sam3d_ros.world.rendering.sensors import depth_sensor
from sam3d_ros.world.samples import OPTICAL_FRAME, T_LINK_LIDAR, T_LINK_OPTICAL, noisy
from sam3d_ros.world.suites import make_episode

WORLDS = {False: 4, True: 1}
"""Of each measurement: full, quick."""
FRAMES = 6
SUITE = 'levels'
DIRECTIONS = 6
FIGURES = (('left', 'mm'), ('left', 'deg'), ('things_left', 'mm'), ('left_over', 'sigma'))
NOTE = 'Worlds whose views do not tell all six directions are left out of what is left.'
FIRST_SEED = 700
LIDAR = Lidar(64, 1024)
SHIFT_M, TURN_RAD = 0.02, np.radians(1.5)
T_CAM_OTHER = transform(
    Rotation.from_euler('y', -12.0, degrees=True).as_matrix(), np.array([0.25, 0.0, 0.02])
)
SENSORS = ('second camera', 'LiDAR, camera with depth', 'LiDAR, colour alone')
KEYS = ('camera', 'lidar_depth', 'lidar_color')


def run(options: BenchOptions) -> Measurement:
    """Measure what is left of wrong mounts on worlds.

    :param options: of the bench; quick has one world.
    """
    left: dict[str, list[tuple[float, ...]]] = {key: [] for key in KEYS}
    times_s: dict[str, list[float]] = {key: [] for key in KEYS}
    for seed in range(FIRST_SEED, FIRST_SEED + WORLDS[options.quick]):
        error = _wrong(seed)
        pairs, with_depth = _seen(options, seed, error)
        color = [replace(sweep, frame=None) for sweep in with_depth]
        for key, refine in (
            ('camera', partial(refine_camera, pairs)),
            ('lidar_depth', partial(refine_lidar, with_depth)),
            ('lidar_color', partial(refine_lidar, color)),
        ):
            begin = process_time()
            with suppress(InputError):
                found: Offset = refine()
                if found.told == DIRECTIONS:
                    left[key].append(_left(error, found))
            times_s[key].append(process_time() - begin)
    values: dict[str, Value] = {}
    rows = []
    for name, key in zip(SENSORS, KEYS, strict=True):
        whole = np.array(left[key]).reshape(-1, 3)
        values |= {
            f'{key}_refined_share': len(whole) / WORLDS[options.quick],
            f'{key}_time_s': float(np.median(times_s[key])),
        }
        row = [name, f'{len(whole)} of {WORLDS[options.quick]}']
        if len(whole):
            for column, (figure, unit) in zip(whole.T, FIGURES, strict=True):
                middle, worst = float(np.median(column)), float(column.max())
                values |= {
                    f'{key}_{figure}_{unit}': middle,
                    f'{key}_{figure}_worst_{unit}': worst,
                }
                row.append(f'{middle:.2f} / {worst:.2f}')
        row += ['-'] * (2 + len(FIGURES) - len(row))
        rows.append(tuple(row))
    title = (
        f'Mounts wrong by {1e3 * SHIFT_M:.0f} mm and {np.degrees(TURN_RAD):.1f} deg, refined: '
        f'what is left, median / worst, {FRAMES} views'
    )
    columns = ('sensor', 'worlds', 'mm', 'deg', 'mm where things are', 'over what is said')
    return Measurement('rigs', values, (Table(title, columns, tuple(rows)),), (), (NOTE,))


def _wrong(seed: int) -> FloatArray:
    axis, way = (v / np.linalg.norm(v) for v in np.random.default_rng(seed).normal(size=(2, 3)))
    return transform(Rotation.from_rotvec(TURN_RAD * axis).as_matrix(), SHIFT_M * way)


def _left(error: FloatArray, found: Offset) -> tuple[float, float, float, float]:
    """Return what is left of an error: mm at the sensor, degrees, mm at what both see, and that
    in sigmas of what is said to be left.
    """
    rest = error @ found.T
    aside = apply(rest, found.middle) - found.middle
    back = inverse(rest)
    shift = apply(back, found.middle) - found.middle
    twist = np.concatenate([shift, Rotation.from_matrix(back[:3, :3]).as_rotvec()])
    squared = float(twist @ np.linalg.solve(found.covariance, twist))
    return (
        1e3 * float(np.linalg.norm(rest[:3, 3])),
        float(np.degrees(rotation_angle(rest))),
        1e3 * float(np.linalg.norm(aside)),
        float(np.sqrt(squared / DIRECTIONS)),
    )


def _seen(
    options: BenchOptions, seed: int, error: FloatArray
) -> tuple[Sequence[tuple[Frame, Frame]], Sequence[SweepView]]:
    """Return what both cameras see, and the LiDAR, when TF has the second sensor wrongly."""
    episode = make_episode(SUITE, seed, object_source(options), frames=FRAMES)
    renderer = Renderer(episode.objects, episode.surroundings, episode.light)
    T_cam_lidar = inverse(T_LINK_OPTICAL) @ T_LINK_LIDAR @ error
    pairs, sweeps = [], []
    for index, T_fixed_cam in enumerate(episode.T_fixed_cam):
        rng = np.random.default_rng([seed, index])
        one = _frame(options, episode, renderer, index, T_fixed_cam, rng)
        T_other = T_fixed_cam @ T_CAM_OTHER
        other = _frame(options, episode, renderer, index, T_other, rng)
        pairs.append((one, replace(other, T_fixed_cam=T_other @ error)))
        sweep = LIDAR.sweep(
            renderer,
            np.zeros(1),
            (T_fixed_cam @ inverse(T_LINK_OPTICAL))[None],
            T_LINK_LIDAR,
            0.0,
            episode.T_fixed_obj[index],
            episode.present[index],
            rng,
        )
        points_cam = apply(T_cam_lidar, sweep.points_m)
        sweeps.append(SweepView(one.rgb, one.camera, points_cam, T_cam_lidar, one))
    return pairs, sweeps


def _frame(
    options: BenchOptions,
    episode: Episode,
    renderer: Renderer,
    index: int,
    T_fixed_cam: FloatArray,
    rng: np.random.Generator,
) -> Frame:
    sensor, camera = depth_sensor(options.sensor), episode.camera
    drawn = renderer.render(
        camera, T_fixed_cam, episode.T_fixed_obj[index], episode.present[index]
    )
    return Frame(
        stamp_ns=int(episode.stamps_ns[index]),
        frame_id=OPTICAL_FRAME,
        camera=camera,
        rgb=noisy(drawn.rgb, rng),
        pointmap=pointmap_from_depth(sensor.measure(drawn, camera, rng), camera),
        fixed_frame=FIXED_FRAME,
        T_fixed_cam=T_fixed_cam,
        sensor=sensor.model,
    )
