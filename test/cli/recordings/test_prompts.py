# SPDX-License-Identifier: Apache-2.0
"""Prompts of the command line, and what becomes of them."""

import argparse
import json

import cv2
import numpy as np
import pytest
from made_up_recordings import BOXES, frames, messages, write

from sam3d_ros.cli.main import main
from sam3d_ros.cli.recordings.prompts import add_prompt_arguments, asked_of, prompt_config
from sam3d_ros.core.corrections import Correction
from sam3d_ros.core.errors import PromptError
from sam3d_ros.core.types import BoxPrompt, ExemplarPrompt, PointPrompt
from sam3d_ros.export.scene_files import read_scene
from sam3d_ros.geometry.cameras import project
from sam3d_ros.geometry.transforms import apply, inverse
from sam3d_ros.session.config import PromptConfig

FAST = """
/**:
  ros__parameters:
    segmentation: {backend: geometric}
    reconstruction: {backend: geometric}
    people: {use: none}
    language: {names: false}
"""


def parse(*arguments):
    parser = argparse.ArgumentParser()
    add_prompt_arguments(parser)
    return parser.parse_args(arguments)


def test_points_with_label_0_belong_to_the_one_before():
    args = parse('--point', '1,2', '--point', '3,4,0', '--point', '5.5,6,1', '--box', '1,2,3,4')
    assert asked_of(args).prompts == (
        PointPrompt(((1.0, 2.0), (3.0, 4.0)), (1, 0)),
        PointPrompt(((5.5, 6.0),), (1,)),
        BoxPrompt((1.0, 2.0, 3.0, 4.0)),
    )


def test_what_is_said_about_an_answer_comes_after_the_prompt():
    args = parse(
        '--point', '1,2', '--choose', 'part', '--apart', '--also', '5,6', '--also', '7,8,0'
    )  # fmt: skip
    assert asked_of(args).prompts == (
        PointPrompt(((1.0, 2.0),), (1,)),
        Correction(choice='part', apart=True),
        Correction(points_px=((5.0, 6.0),), labels=(1,)),
        Correction(points_px=((7.0, 8.0),), labels=(0,)),
    )
    for alone in (('--also', '1,2'), ('--apart',), ('--choose', 'part'), ('--correct', '1')):
        with pytest.raises(PromptError, match='wanted'):
            asked_of(parse(*alone))


def test_without_prompts_the_configuration_stays():
    config = PromptConfig(text='mug')
    assert prompt_config(parse(), config) == config
    assert prompt_config(parse('--text', 'cup,bowl'), config).text == 'cup,bowl'
    assert prompt_config(parse('--point', '1,2'), PromptConfig()).only


@pytest.mark.parametrize(
    'wrong',
    [
        ('--point', '1'),
        ('--point', '1,2,3'),
        ('--point', 'a,b'),
        ('--box', '1,2,3'),
        ('--mask', 'x.png'),
    ],
)
def test_what_is_no_prompt_is_refused(wrong, capsys):
    with pytest.raises(SystemExit):
        parse(*wrong)
    assert 'is no ' in capsys.readouterr().err


@pytest.fixture(scope='module')
def recorded(boxes_world):
    return frames(boxes_world, 3, size=(320, 240))


@pytest.fixture(scope='module')
def process(recorded, tmp_path_factory):
    """Return a function that processes a recording of two boxes with more arguments."""
    folder = tmp_path_factory.mktemp('prompted')
    path = write(folder / 'boxes', messages(recorded, '32FC1'))
    config = folder / 'fast.yaml'
    config.write_text(FAST)

    def run(name, *arguments):
        out = folder / name
        command = ['process', str(path), '--out', str(out), '--config', str(config)]
        return main([*command, *arguments]), out

    return run


def pixel_of(frame, number):
    center, size, _ = BOXES[number]
    top = (*center[:2], center[2] + size[2] / 2)
    return project(apply(inverse(frame.T_fixed_cam), top), frame.camera)


@pytest.mark.parametrize('number', [0, 1])
def test_only_what_was_pointed_at_is_listed(process, recorded, number):
    u, v = pixel_of(recorded[1], number)
    code, out = process(f'point{number}', '--point', f'{u},{v}', '--prompt-frame', '1')
    assert code == 0
    (item,) = read_scene(out).objects
    center = apply(item.T_fixed_obj, item.box_center_m)
    assert abs(center - BOXES[number][0]).max() < 0.03
    assert json.loads((out / 'report.json').read_text())['frames'] == 3


def test_a_click_is_corrected_by_another(process, recorded, capsys):
    (u, v), (also, off) = pixel_of(recorded[1], 0), pixel_of(recorded[1], 1)
    click = ('--point', f'{u},{v}', '--prompt-frame', '1')
    code, out = process('corrected_click', *click, '--also', f'{also},{off},0')
    assert code == 0
    (item,) = read_scene(out).objects
    assert abs(apply(item.T_fixed_obj, item.box_center_m) - BOXES[0][0]).max() < 0.03
    code, _ = process('no_part', *click, '--choose', 'sub-part')
    assert code != 0
    assert 'no alternative "sub-part"' in capsys.readouterr().err


def test_a_box_lists_what_is_in_it(process, recorded):
    u, v = pixel_of(recorded[0], 1)
    code, out = process('box', '--box', f'{u - 40},{v - 25},{u + 40},{v + 55}')
    assert code == 0
    assert len(read_scene(out).objects) == 1


def test_a_mask_lists_what_it_covers(process, recorded, tmp_path):
    u, v = pixel_of(recorded[0], 1).astype(int)
    mask = np.zeros((240, 320), np.uint8)
    mask[v - 10 : v + 45, u - 30 : u + 30] = 255
    cv2.imwrite(str(tmp_path / 'mask.png'), mask)
    code, out = process('mask', '--mask', str(tmp_path / 'mask.png'))
    assert code == 0
    assert len(read_scene(out).objects) == 1


def test_a_corrected_object_is_what_was_pointed_at(process, recorded):
    u, v = pixel_of(recorded[0], 1)
    code, out = process('corrected', '--correct', '1', '--point', f'{u},{v}')
    assert code == 0
    objects = {item.id: item for item in read_scene(out).objects}
    center = apply(objects[1].T_fixed_obj, objects[1].box_center_m)
    assert abs(center - BOXES[1][0]).max() < 0.03


@pytest.mark.parametrize(
    ('arguments', 'reason'),
    [
        (('--correct', '1'), '--correct 1 with 0 prompts; wanted one: --point'),
        (('--correct', '1', '--point', '1,2', '--box', '1,2,3,4'), 'with 2 prompts'),
        (('--correct', '9', '--point', '160,120'), 'no object 9; wanted one of: 1, 2'),
        (('--correct', '1', '--point', '9,5'), 'points at nothing'),
        (('--correct', '1', '--point', '9,5', '--prompt-frame', '2'), '0 to 1, a frame of'),
        (('--point', '999,5'), 'wanted a point in the image of 320 x 240 pixels'),
        (('--box', '500,500,600,600'), 'points at nothing'),
        (('--text', 'the red elephant'), '"elephant"'),
        (('--point', '9,5', '--prompt-frame', '3'), 'wanted 0 to 2, a frame of the recording'),
    ],
)
def test_what_cannot_be_served_ends_with_the_reason(process, capsys, arguments, reason):
    code, _ = process('wrong', *arguments)
    assert code == 2
    assert reason in capsys.readouterr().err


def test_what_an_exemplar_shows_is_asked_in_one_prompt():
    args = parse(
        '--like', '1,2', '--like', '1,2,3,4', '--unlike', '5,6', '--text', 'the red thing'
    )  # fmt: skip
    (prompt,) = asked_of(args).prompts
    assert isinstance(prompt, ExemplarPrompt) and prompt.text == 'the red thing'
    assert (prompt.box_px, prompt.more_px) == ((1.0, 2.0, 1.0, 2.0), ((1.0, 2.0, 3.0, 4.0),))
    assert prompt.not_px == ((5.0, 6.0, 5.0, 6.0),)
    config = prompt_config(args, PromptConfig(text='mug'))
    assert config.alike and not config.only and not config.text
    for wrong in (('--point', '1,2'), ('--text', 'cup,bowl'), ('--apart',), ('--correct', '1')):
        with pytest.raises(PromptError, match='exemplar'):
            asked_of(parse('--like', '1,2', *wrong))
    with pytest.raises(PromptError, match='not meant alone'):
        asked_of(parse('--unlike', '1,2'))
    with pytest.raises(SystemExit):
        parse('--like', '1,2,3')


def test_an_exemplar_lists_only_what_is_like_it(process, recorded, capsys):
    u, v = pixel_of(recorded[1], 1)
    shown = ['--prompt-frame', '1', '--like', f'{u:.0f},{v:.0f}']
    code, out = process('like', *shown)
    assert code == 0
    (item,) = read_scene(out).objects
    assert item.T_fixed_obj[:3, 3] == pytest.approx(BOXES[1][0], abs=0.02)
    code, _ = process('nothing', *shown[:3], '2,2')
    assert code != 0 and 'no object at (2, 2)' in capsys.readouterr().err
