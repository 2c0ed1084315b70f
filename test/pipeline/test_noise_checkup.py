# SPDX-License-Identifier: Apache-2.0
"""What the doctor says of a depth camera's errors."""

import numpy as np
import pytest

from sam3d_ros.core.sensors import MODELS
from sam3d_ros.core.types import Camera, Frame
from sam3d_ros.geometry.cameras import pointmap_from_depth
from sam3d_ros.pipeline.noise_checkup import noise_report
from sam3d_ros.pointmaps.config import PointmapConfig
from sam3d_ros.world.rendering.sensors import field

CAMERA = Camera(320, 240, np.array([[285.0, 0, 159.5], [0, 285, 119.5], [0, 0, 1]]))


def walls(name, count=3):
    """Yield frames of a wall as a sensor sees it straight on, and something that is none."""
    model = MODELS[name]
    yield 'a frame that could not be made'
    for seed in range(count):
        depth = np.full((240, 320), 0.9, np.float32)
        noise = field(model.grain, depth.shape, np.random.default_rng(seed))
        depth += model.axial_sigma(depth) * noise
        rgb = np.zeros((240, 320, 3), np.uint8)
        points = pointmap_from_depth(depth, CAMERA)
        yield Frame(seed, 'cam', CAMERA, rgb, points, 'cam', np.eye(4))


@pytest.mark.parametrize('sensor', ['auto', 'active_stereo'])
def test_an_expected_camera_is_described(sensor):
    text, remedy = noise_report(walls('active_stereo'), PointmapConfig(sensor=sensor))
    assert 'averaged over 1, 3, 5, 9, 15, 25, 41 px' in text and not remedy
    spread_mm = float(text.split('spread ')[1].split()[0])
    assert spread_mm == pytest.approx(3.5, rel=0.2)


def test_another_camera_than_configured_is_named():
    text, remedy = noise_report(walls('active_stereo'), PointmapConfig(sensor='tof'))
    assert '"tof" has' in text and 'pointmaps.sensor' in remedy
    assert any(name in remedy for name in ('active_stereo', 'd435', 'd405'))


def test_without_a_smooth_surface_nothing_is_claimed():
    text, remedy = noise_report([], PointmapConfig(sensor='tof'))
    assert 'no smooth surface' in text and '"tof"' in text and not remedy
