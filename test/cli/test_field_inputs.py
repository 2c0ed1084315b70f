# SPDX-License-Identifier: Apache-2.0
"""Recordings as people have them, through the whole command: the objects of the good one."""

import json

import numpy as np
import pytest
from field_recordings import (
    DEPTH,
    DEPTH_INFO,
    changed,
    compressed_beside,
    good_messages,
    headers,
    image_beside,
    stamped,
)
from made_up_recordings import image, write

from sam3d_ros.cli.main import main


@pytest.fixture(scope='module')
def good(tmp_path_factory):
    """The messages of four frames of the demo's world."""
    return good_messages(tmp_path_factory.mktemp('demo') / 'world')


def process(messages, folder, *options):
    """Return the exit code, scene.json and report.json of a run."""
    path = write(folder / 'recording', messages)
    code = main(['process', str(path), '--out', str(folder / 'out'), *options])
    scene = folder / 'out' / 'scene.json'
    report = json.loads((folder / 'out' / 'report.json').read_text())
    return code, json.loads(scene.read_text()) if scene.exists() else None, report


@pytest.fixture(scope='module')
def expected(good, tmp_path_factory):
    code, scene, report = process(good, tmp_path_factory.mktemp('good'))
    assert code == 0 and len(scene['objects']) > 3 and report['notes'] == []
    return scene


def assert_same_objects(scene, expected):
    assert scene['frame'] == expected['frame']
    assert len(scene['objects']) == len(expected['objects'])
    for one, other in zip(scene['objects'], expected['objects'], strict=True):
        assert (one['id'], one['label'], one['state']) == (
            other['id'],
            other['label'],
            other['state'],
        )
        assert np.allclose(one['pose']['position'], other['pose']['position'], atol=1e-6)
        assert np.allclose(one['size'], other['size'], atol=1e-6)


def test_many_faults_at_once(good, expected, tmp_path, capsys):
    """Video, infrared, tf1's slashes, depth from power-on, P only, tenths of a millimetre."""

    def slashes(message):
        for header in headers(message):
            header.frame_id = f'/{header.frame_id}'

    def tenths(message):
        pixels = message.data.view('<u2').reshape(240, 320).astype(np.uint32) * 10
        return image(message.header, np.minimum(pixels, 65535).astype('<u2'), '16UC1')

    def p_only(message):
        message.k = np.zeros(9)

    near = changed(good, DEPTH, lambda m: clipped(m, 6553))
    made = changed(near, DEPTH, tenths)
    made = changed(made, (DEPTH, DEPTH_INFO), stamped(lambda t: t - 1_699_999_990 * 10**9))
    made = changed(made, DEPTH_INFO, p_only)
    made = changed(made, None, slashes)
    made = compressed_beside(made, '/a_cam/image_compressed', 'h264')
    made = image_beside(made, '/ir/image_raw', np.full((240, 320), 300, '<u2'), 'mono16')
    code, scene, report = process(made, tmp_path, '--depth-unit', '0.1mm')
    assert code == 0
    (tmp_path / 'near').mkdir()
    _, wanted, _ = process(near, tmp_path / 'near')
    assert_same_objects(scene, wanted)
    said = capsys.readouterr().err
    for words in ('/a_cam/image_compressed is left out', '/ir/image_raw', 'receive time'):
        assert words in said and any(words in note for note in report['notes'])


def clipped(message, most_mm):
    pixels = message.data.view('<u2').reshape(240, 320).copy()
    pixels[pixels > most_mm] = 0
    return image(message.header, pixels, '16UC1')


def test_all_stamps_zero(good, expected, tmp_path, capsys):
    code, scene, _ = process(changed(good, None, stamped(lambda _: 0)), tmp_path)
    assert code == 0
    assert_same_objects(scene, expected)
    assert 'receive times are used; see --stamps' in capsys.readouterr().err


def test_no_depth_at_all_is_an_empty_result_with_a_reason(good, tmp_path, capsys):
    def blind(message):
        return image(message.header, np.zeros((240, 320), '<u2'), '16UC1')

    code, scene, report = process(changed(good, DEPTH, blind), tmp_path)
    assert code == 0 and scene['objects'] == []
    assert any('an image without a single return' in note for note in report['notes'])
    assert 'without a single return' in capsys.readouterr().err


def test_what_must_be_refused_names_the_option(good, tmp_path, capsys):
    made = changed(good, DEPTH, stamped(lambda t: t - 1_699_999_990 * 10**9))
    path = write(tmp_path / 'r', made)
    out = str(tmp_path / 'out')
    assert main(['process', str(path), '--out', out, '--stamps', 'header']) == 2
    assert f'--stamp-offset {DEPTH}=SECONDS' in capsys.readouterr().err
    assert main(['process', str(path), '--out', out, '--stamp-offset', '/nowhere=1']) == 2
    assert '/nowhere' in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(['process', str(path), '--out', out, '--depth-unit', 'furlong'])


def test_the_doctor_takes_the_same_options(good, tmp_path, capsys):
    path = write(tmp_path / 'r', changed(good, None, stamped(lambda _: 0)))
    assert main(['doctor', str(path)]) == 0
    assert 'receive times are used' in capsys.readouterr().out
    assert main(['doctor', str(path), '--stamps', 'receive', '--depth-unit', '1mm']) == 0
    assert 'receive times are used' not in capsys.readouterr().out
    assert main(['doctor', str(path), '--stamp-offset', '/nowhere=1']) == 1
