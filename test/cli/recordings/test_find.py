# SPDX-License-Identifier: Apache-2.0
"""``sam3d find`` in a saved scene and in a recording."""

import json

import cv2
import numpy as np
import pytest
from made_up_recordings import frames, messages, write

from sam3d_ros.cli.main import main


@pytest.fixture(scope='module')
def path(boxes_world, tmp_path_factory):
    recorded = frames(boxes_world, 3, size=(320, 240))
    return write(tmp_path_factory.mktemp('recording') / 'boxes', messages(recorded, '32FC1'))


@pytest.fixture(scope='module')
def out(path, tmp_path_factory):
    folder = tmp_path_factory.mktemp('out')
    assert main(['process', str(path), '--out', str(folder)]) == 0
    return folder


def found(capsys, *arguments):
    assert main(['find', *map(str, arguments), '--json']) == 0
    return json.loads(capsys.readouterr().out)


def test_a_folder_and_a_recording_give_the_same_answer(path, out, capsys):
    answer = found(capsys, out, 'the leftmost thing')
    assert answer['phrase'] == 'the leftmost thing' and answer['frame'] == 'camera'
    assert len(answer['objects']) == 1 and answer['presence'] > 0.9
    assert answer['objects'][0]['why'].startswith('leftmost')
    assert found(capsys, path, 'the leftmost thing') == answer


def test_what_is_not_there_and_what_is_not_known(out, capsys):
    assert found(capsys, out, 'the turquoise ball')['objects'] == []
    answer = found(capsys, out, 'the elephant')
    assert (answer['objects'], answer['unknown_words']) == ([], ['elephant'])
    assert main(['find', str(out), 'the elephant']) == 2
    assert '"elephant"' in capsys.readouterr().err
    assert main(['find', str(out), '', '--like', '1', '--unlike', '9']) == 2
    assert 'no object 9' in capsys.readouterr().err
    assert main(['find', str(out), 'the thing on the left']) == 0


def test_process_lists_only_what_a_phrase_means(path, tmp_path, capsys):
    assert (
        main(['process', str(path), '--out', str(tmp_path), '--text', 'the leftmost thing']) == 0
    )
    assert len(json.loads((tmp_path / 'scene.json').read_text())['objects']) == 1


def test_the_picture_has_colours_where_the_answer_is(out, tmp_path, capsys):
    picture = tmp_path / 'a.png'
    answer = found(capsys, out, 'the leftmost thing', '--picture', picture)
    image = cv2.imread(str(picture)).astype(int)
    is_colored = np.ptp(image, axis=-1) > 40
    assert is_colored.any() and len(answer['objects']) == 1
    left = np.nonzero(is_colored.any(axis=0))[0]
    assert left.max() < np.nonzero((image < 200).any(axis=(0, 2)))[0].max() - 50
