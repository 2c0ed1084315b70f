# SPDX-License-Identifier: Apache-2.0
"""A recording goes in; objects, meshes, a recording and a report come out, the same each time."""

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_up_recordings import BOXES, frames, messages, write, write_ros1

from sam3d_ros.bags.recording import Recording
from sam3d_ros.cli.main import main
from sam3d_ros.core.types import ObjectState
from sam3d_ros.export.scene_files import read_scene
from sam3d_ros.geometry.shapes.gaussians import decode_gaussians
from sam3d_ros.messages.results.scene import scene_from
from sam3d_ros.reconstruction.appearance.splat_refinement import can_refine

SIZE = (320, 240)


@pytest.fixture(scope='module')
def recorded(boxes_world):
    """Four frames of two boxes on a floor, seen by a moving camera."""
    return frames(boxes_world, 4, size=SIZE)


@pytest.fixture(scope='module')
def path(recorded, tmp_path_factory):
    return write(tmp_path_factory.mktemp('recording') / 'boxes', messages(recorded, '32FC1'))


@pytest.fixture(scope='module')
def out(path, tmp_path_factory):
    """The results of one run."""
    folder = tmp_path_factory.mktemp('out')
    assert main(['process', str(path), '--out', str(folder), '--snapshot', '--gaussians']) == 0
    return folder


def test_the_boxes_are_found_where_they_are(out):
    scene = read_scene(out)
    assert scene.fixed_frame == 'world'
    assert [item.state.name for item in scene.objects] == ['VISIBLE', 'VISIBLE']
    for center, size, _ in BOXES:
        nearest = min(scene.objects, key=lambda item: np.linalg.norm(middle(item) - center))
        assert np.linalg.norm(middle(nearest) - center) < 0.01
        assert np.allclose(np.sort(nearest.size_m), np.sort(size), atol=0.025)  # backs are guessed


def middle(item):
    return item.T_fixed_obj[:3, :3] @ item.box_center_m + item.T_fixed_obj[:3, 3]


def test_everything_is_there(out):
    names = {item.name for item in out.iterdir()}
    assert names == {
        'scene.json',
        'meshes',
        'scene.glb',
        'result',
        'report.json',
        'snapshot.png',
        'gaussians',
        'scene_gaussians.ply',
    }
    tree = json.loads((out / 'scene.json').read_text())
    for entry in tree['objects']:
        assert (out / entry['mesh']).is_file()
        glb = (out / entry['mesh']).with_suffix('.glb').read_bytes()
        assert b'"baseColorTexture"' in glb
        shown = decode_gaussians((out / 'gaussians' / Path(entry['mesh']).name).read_bytes())
        assert np.all(np.ptp(shown.means_m, axis=0) <= np.array(entry['size']) + 1e-4)
        assert entry['symmetry']['kind'] in ('none', 'mirror', 'rotation', 'revolution')
    assert (out / 'scene.glb').read_bytes().count(b'"baseColorTexture"') == len(tree['objects'])


def test_the_result_recording_agrees_with_scene_json(out):
    scene = read_scene(out)
    with Recording(out / 'result') as recording:
        *_, last = recording.messages(['/sam3d/scene/objects'])
        recorded_scene = scene_from(recording.decode(last))
        counts = {topic.name: topic.count for topic in recording.topics}
    assert counts['/sam3d/scene/detections'] == 4
    assert counts['/tf'] == 8, 'four of the inputs, four of the objects'
    for one, other in zip(scene.objects, recorded_scene.objects, strict=True):
        assert one.id == other.id
        assert np.allclose(one.T_fixed_obj, other.T_fixed_obj, atol=1e-9)


def test_the_report(out):
    report = json.loads((out / 'report.json').read_text())
    assert (report['frames'], report['dropped'], report['bad_frames']) == (4, 0, [])
    assert set(report['latency_ms']) == {
        'pointmaps',
        'segmentation',
        'people',
        'tracking',
        'reconstruction',
        'scene',
        'total',
        'write',
    }
    assert report['backends']['segmentation'] == 'mini'
    assert report['topics']['depth'] == '/camera/depth/image'


@pytest.mark.skipif(can_refine(), reason='gsplat and a GPU are here: Gaussians are trained')
def test_gaussians_that_are_not_trained_are_said_to_be_so(out):
    notes = json.loads((out / 'report.json').read_text())['notes']
    assert any('Gaussians' in note and 'not trained' in note for note in notes)


def digests(folder):
    """Return the sha256 of every file but the report."""
    return {
        str(item.relative_to(folder)): hashlib.sha256(item.read_bytes()).hexdigest()
        for item in sorted(folder.rglob('*'))
        if item.is_file() and item.name != 'report.json'
    }


def test_the_same_bytes_in_another_process(path, out, tmp_path):
    environment = {**os.environ, 'PYTHONHASHSEED': '7', 'OMP_NUM_THREADS': '2'}
    command = [sys.executable, '-m', 'sam3d_ros.cli.main', 'process', str(path)]
    subprocess.run(
        [*command, '--out', str(tmp_path / 'again'), '--snapshot', '--gaussians'],
        check=True,
        env=environment,
        timeout=110,
        capture_output=True,
    )
    assert digests(tmp_path / 'again') == digests(out)


def test_a_second_run_replaces_the_first(recorded, tmp_path):
    path = write_ros1(tmp_path / 'r.bag', messages(recorded[:1], '32FC1'))
    folder = tmp_path / 'out'
    (folder / 'meshes').mkdir(parents=True)
    (folder / 'meshes' / 'old.ply').write_text('old')
    (folder / 'meshes' / 'kept.txt').write_text('not ours')
    (folder / 'kept.txt').write_text('not ours')
    for _ in range(2):
        assert main(['process', str(path), '--out', str(folder)]) == 0
    assert not (folder / 'meshes' / 'old.ply').exists()
    assert (folder / 'kept.txt').read_text() == 'not ours'
    states = [item.state.name for item in read_scene(folder).objects]
    assert states == ['TENTATIVE', 'TENTATIVE'], 'a recording of one frame lists all'


def test_other_peoples_files_stay(path, tmp_path, capsys):
    (tmp_path / 'result').mkdir()
    (tmp_path / 'result' / 'thesis.txt').write_text('years of work')
    assert main(['process', str(path), '--out', str(tmp_path)]) == 2
    assert 'Choose another --out' in capsys.readouterr().err
    assert (tmp_path / 'result' / 'thesis.txt').exists()


def test_a_bad_frame_is_reported_and_what_is_known_stays(recorded, tmp_path, capsys):
    made = messages(recorded, '32FC1')
    at = [number for number, item in enumerate(made) if item.topic == '/camera/depth/image'][1]
    cut = replace(made[at].content, data=np.zeros(10, np.uint8))
    made[at] = replace(made[at], content=cut)
    path = write(tmp_path / 'r', made)
    assert main(['process', str(path), '--out', str(tmp_path / 'out')]) == 0
    report = json.loads((tmp_path / 'out' / 'report.json').read_text())
    (bad,) = report['bad_frames']
    assert report['frames'] == 3 and report['dropped'] == 0
    assert bad['stamp_ns'] == recorded[1].stamp_ns and '10 bytes' in bad['reason']
    assert '/camera/depth/image' in capsys.readouterr().err
    known = read_scene(tmp_path / 'out').objects
    assert [item.id for item in known if item.state == ObjectState.VISIBLE] == [1, 2]


@pytest.mark.parametrize(
    ('yaml', 'reason'),
    [
        ('segmentation: {nonsense: 1}', 'unknown option segmentation.nonsense'),
        ('outputs: {marker_mode: sculpture}', 'outputs.marker_mode'),
        ('pointmaps: {min_depth_m: far}', 'pointmaps.min_depth_m'),
    ],
)
def test_a_bad_configuration(path, tmp_path, capsys, yaml, reason):
    file = tmp_path / 'c.yaml'
    file.write_text(f'/**:\n  ros__parameters:\n    {yaml}\n')
    arguments = ['process', str(path), '--out', str(tmp_path / 'out'), '--config', str(file)]
    assert main(arguments) == 2
    assert reason in capsys.readouterr().err
    assert not (tmp_path / 'out').exists()


def test_no_usable_frame(recorded, tmp_path, capsys):
    made = [item for item in messages(recorded) if item.stamp_ns != 0]
    blind = [
        replace(item, content=replace(item.content, k=np.zeros(9), p=np.zeros(12)))
        if item.topic.endswith('camera_info')
        else item
        for item in made
    ]
    path = write(tmp_path / 'r', blind)
    assert main(['process', str(path), '--out', str(tmp_path / 'out')]) == 2
    assert 'none of 4 frames' in capsys.readouterr().err
    assert json.loads((tmp_path / 'out' / 'report.json').read_text())['frames'] == 0


def test_no_recording(tmp_path, capsys):
    assert main(['process', str(tmp_path / 'nothing'), '--out', str(tmp_path)]) == 2
    assert 'nothing at' in capsys.readouterr().err
