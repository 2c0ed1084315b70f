# SPDX-License-Identifier: Apache-2.0
"""What a camera measured of itself outlives the process; a useless file costs itself only."""

import json

import numpy as np
import pytest

from sam3d_ros.core.sensors import MODELS, STRUCTURED_LIGHT
from sam3d_ros.pointmaps.sensor_noise.noise import RangeNoise
from sam3d_ros.pointmaps.sensor_noise.noise_file import keep, restored
from sam3d_ros.world.rendering.sensors import field

K = np.array([[260.0, 0, 159.5], [0, 260.0, 119.5], [0, 0, 1]])


@pytest.fixture(scope='module')
def measured():
    noise, model = RangeNoise(STRUCTURED_LIGHT), MODELS['d435']
    for seed in range(3):
        depth = np.full((240, 320), 0.9, np.float32)
        depth += model.axial_sigma(depth) * field(
            model.grain, depth.shape, np.random.default_rng(seed)
        )
        noise.update(depth, K)
    return noise


def test_the_next_start_goes_on_from_what_was_kept(measured, tmp_path):
    said = []
    file = tmp_path / 'camera.json'
    keep(file, measured, said.append)
    again = restored(file, STRUCTURED_LIGHT, said.append)
    assert said == [] and again.model == measured.model != STRUCTURED_LIGHT
    assert [path.name for path in tmp_path.iterdir()] == ['camera.json']


def test_without_a_file_the_camera_begins_to_measure(tmp_path):
    assert (
        restored(tmp_path / 'none.json', STRUCTURED_LIGHT, pytest.fail).model == STRUCTURED_LIGHT
    )


@pytest.mark.parametrize('text', ['', '{"format": 99}', '[1]', '{"format": 1}'])
def test_a_file_that_is_no_use_is_named_and_left_out(tmp_path, text):
    said = []
    file = tmp_path / 'camera.json'
    file.write_text(text)
    assert restored(file, STRUCTURED_LIGHT, said.append).model == STRUCTURED_LIGHT
    assert len(said) == 1 and 'camera.json' in said[0]


def test_of_another_start_model_it_is_left_out(measured, tmp_path):
    said = []
    file = tmp_path / 'camera.json'
    file.write_text(json.dumps(measured.state()))
    assert restored(file, MODELS['tof'], said.append).model == MODELS['tof']
    assert len(said) == 1


def test_a_folder_that_is_not_there_is_made(measured, tmp_path):
    keep(tmp_path / 'none' / 'camera.json', measured, pytest.fail)
    assert (tmp_path / 'none' / 'camera.json').is_file()


def test_a_folder_that_cannot_be_is_said(measured, tmp_path):
    said = []
    (tmp_path / 'none').write_text('in the way')
    keep(tmp_path / 'none' / 'camera.json', measured, said.append)
    assert len(said) == 1 and 'camera.json' in said[0]
