# SPDX-License-Identifier: Apache-2.0
"""One click on a recording of two boxes, through the command."""

import cv2
import numpy as np
import pytest
from made_up_recordings import BOXES, frames, messages, write

from sam3d_ros.cli.main import main
from sam3d_ros.geometry.cameras import project
from sam3d_ros.geometry.transforms import apply, inverse

GEOMETRIC = '/**: {ros__parameters: {segmentation: {backend: geometric}}}\n'


@pytest.fixture(scope='module')
def recorded(boxes_world):
    return frames(boxes_world, 3, size=(320, 240))


@pytest.fixture(scope='module')
def command(recorded, tmp_path_factory):
    """Return a function that runs the command on the recording, and the folder it writes to."""
    folder = tmp_path_factory.mktemp('segment3d')
    path = write(folder / 'boxes', messages(recorded, '32FC1'))
    config = folder / 'fast.yaml'
    config.write_text(GEOMETRIC)
    out = folder / 'out'

    def run(*arguments):
        options = ['--out', str(out), '--config', str(config)]
        return main(['segment3d', str(path), *options, *arguments])

    return run, out


def pixel_of(point_fixed, frame):
    return project(apply(inverse(frame.T_fixed_cam), np.asarray(point_fixed, float)), frame.camera)


def test_one_click_gives_masks_points_and_gaussians(command, recorded):
    run, out = command
    (out / 'masks').mkdir(parents=True)
    (out / 'masks' / '99.png').touch()  # of an earlier, longer run
    center, size, _ = BOXES[0]
    top = np.add(center, (0, 0, size[2] / 2))
    u, v = pixel_of(top, recorded[1])
    assert run('--point', f'{u},{v}', '--prompt-frame', '1') == 0
    masks = sorted((out / 'masks').iterdir())
    assert [path.name for path in masks] == ['0.png', '1.png', '2.png']
    for path, frame in zip(masks, recorded, strict=True):
        mask = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        assert mask.dtype == np.uint8
        assert mask.shape == frame.depth_m.shape
        assert set(np.unique(mask)) == {0, 255}
        column, row = np.rint(pixel_of(top, frame)).astype(int)
        assert mask[row, column] == 255
        column, row = np.rint(pixel_of(BOXES[1][0], frame)).astype(int)
        assert mask[row, column] == 0
    for name in ('object.ply', 'object_gaussians.ply'):
        assert b'element vertex' in (out / name).read_bytes()[:200]


@pytest.mark.parametrize(
    ('arguments', 'sentence'),
    [
        ((), '0 objects asked for'),
        (('--point', '1,2', '--point', '3,4'), '2 objects asked for'),
        (('--point', '10,10', '--prompt-frame', '7'), 'number of a view'),
    ],
)
def test_it_says_what_is_wrong_with_a_prompt(command, capsys, arguments, sentence):
    assert command[0](*arguments) == 2
    assert sentence in capsys.readouterr().err
