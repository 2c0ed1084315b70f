# SPDX-License-Identifier: Apache-2.0
"""Views over planes, what counts as inside, and the bench of sensors on frames made up."""

import numpy as np
import pytest

pytest.importorskip('open3d', reason='worlds need the extra: bench')
pytest.importorskip('matplotlib', reason='plots need the extra: bench')

from sam3d_ros.bench.harness import BenchOptions
from sam3d_ros.bench.masks.real_frames import read_depth, sensor_key
from sam3d_ros.bench.ranges import spectrum
from sam3d_ros.bench.ranges.spectrum import TABLE_VIEW, View, bounds, typical
from sam3d_ros.core.sensors import MODELS
from sam3d_ros.core.types import Camera
from sam3d_ros.geometry.noise_spectrum import WINDOWS_PX
from sam3d_ros.geometry.transforms import apply
from sam3d_ros.world.rendering.sensors import depth_sensor

K = np.array([[615.0, 0, 320], [0, 615.0, 240], [0, 0, 1]])


@pytest.mark.parametrize(
    'normal', [(0.0, -0.6, -0.8), (0.0, 0.0, -1.0), (0.99, -0.01, -np.sqrt(0.0198))]
)
def test_pose_of_a_view_puts_the_plane_at_zero_and_the_camera_above_it(normal):
    view = View(Camera(640, 480, K), np.array(normal), 0.5, (400.0, 300.0))
    T = view.T_plane_cam
    np.testing.assert_allclose(T[:3, :3] @ T[:3, :3].T, np.eye(3), atol=1e-9)
    assert np.linalg.det(T[:3, :3]) == pytest.approx(1.0)
    assert T[2, 3] == pytest.approx(0.5)
    ray = np.linalg.solve(K, [400.0, 300.0, 1.0])
    seen = ray * (-0.5 / (view.normal @ ray))
    np.testing.assert_allclose(apply(T, seen[None]), [[0, 0, 0]], atol=1e-9)


def test_bounds_are_widened_and_frames_without_a_value_are_skipped():
    spreads = np.full((3, len(WINDOWS_PX)), 2.0)
    spreads[1] = 1.0
    spreads[2, -1] = np.nan
    spreads[:, 0] = np.nan
    low, high = bounds(spreads)
    assert np.isnan([low[0], high[0], typical(spreads)[0]]).all()
    np.testing.assert_allclose(low[1:], 0.8)
    np.testing.assert_allclose(high[1:], 2.4)
    assert typical(spreads)[[1, -1]] == pytest.approx([2.0, 1.5])


def write_frame(folder, name, scene, model, sensor):
    camera = scene.view.camera
    depth_m = depth_sensor(model).measure(scene.rendering, camera, np.random.default_rng(1))
    depth_mm = np.rint(np.nan_to_num(depth_m) * 1e3).astype(np.uint16)
    named = {} if sensor is None else {'sensor': sensor}
    np.savez(folder / f'{name}.npz', depth_mm=depth_mm, K=camera.K, **named)


def test_model_is_inside_frames_of_its_own_making_and_white_noise_is_not(tmp_path, monkeypatch):
    scenes = [spectrum._draw(TABLE_VIEW, seed) for seed in range(3)]
    for number, scene in enumerate(scenes):
        write_frame(tmp_path, f'a_{number}', scene, 'd435', 'RealSense D435')
        write_frame(tmp_path, f'b_{number}', scene, 'white', None)
    write_frame(tmp_path, 'c', scenes[0], 'tof', 'Azure Kinect')
    name, depth_m, camera = read_depth(tmp_path / 'b_0.npz')
    assert (name, depth_m.dtype, camera.width) == ('Kinect v1', np.float32, 640)
    measured = spectrum.run(BenchOptions(data=(tmp_path,), quick=True))
    values = measured.values
    assert values['d435_windows_inside'] == len(WINDOWS_PX)
    assert values['kinect_v1_windows_inside'] < len(WINDOWS_PX) - 2
    assert values[f'real_{sensor_key("Azure Kinect")}_frames'] == 1
    assert 'azure_kinect_windows_inside' not in values
    assert values['world_ideal_spread_1px_mm'] < 0.5 < values['world_d435_spread_1px_mm']
    assert values['world_white_spread_9px_mm'] < 0.2 * values['world_white_spread_1px_mm']
    compared, real, models = measured.tables
    assert values['d435_windows_inside_white'] < len(WINDOWS_PX) - 2
    assert values['kinect_v1_windows_inside_white'] == len(WINDOWS_PX)
    assert len(compared.rows) == 2 * 4
    assert len(real.rows) == 3
    assert len(models.rows) == sum(model.kind != 'lidar' for model in MODELS.values())
    assert len(measured.pictures) == 2


def test_without_real_frames_models_are_shown_alone(monkeypatch):
    monkeypatch.setattr(spectrum, 'SCENES', 1)
    measured = spectrum.run(BenchOptions())
    assert measured.notes
    assert 'world_tof_spread_9px_mm' in measured.values
