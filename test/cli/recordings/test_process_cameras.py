# SPDX-License-Identifier: Apache-2.0
"""A recording of two cameras goes in; one set of objects comes out."""

import json
from dataclasses import replace

import numpy as np
import pytest
from made_up_recordings import BOXES, START_NS, STEP_NS, frames, messages, of_camera, write

from sam3d_ros.bags.recording import Recording
from sam3d_ros.cli.main import main
from sam3d_ros.export.scene_files import read_scene
from sam3d_ros.geometry.transforms import apply
from sam3d_ros.messages.transforms import transforms_from

SIDE_EYES = [(0.7, 0.5 - 0.02 * at, 0.6) for at in range(4)]
CAMERAS = ('--camera', 'left', '--camera', 'right')
FAST = """
/**:
  ros__parameters:
    segmentation: {backend: geometric}
    reconstruction: {backend: geometric}
"""


@pytest.fixture(scope='module')
def made(boxes_world):
    """The messages of two cameras, four frames each; those of the right one are 40 ms later."""
    left = messages(frames(boxes_world, 4, (320, 240)), '32FC1')
    right = messages(frames(boxes_world, 4, (320, 240), SIDE_EYES), '32FC1')
    both = [*left[:1], *of_camera(left, 'left'), *of_camera(right, 'right', later_ns=40_000_000)]
    return sorted(both, key=lambda item: item.stamp_ns)


@pytest.fixture
def process(tmp_path):
    """Return a function that processes messages and returns the exit code and the folder."""
    (tmp_path / 'fast.yaml').write_text(FAST)

    def run(made, *arguments):
        path, out = write(tmp_path / 'rig', made), tmp_path / 'out'
        config = ('--config', str(tmp_path / 'fast.yaml'))
        return main(['process', str(path), '--out', str(out), *config, *arguments]), out

    return run


def test_both_cameras_make_one_set_of_objects(made, process):
    code, out = process(made, *CAMERAS, '--pointmaps')
    assert code == 0
    scene = read_scene(out)
    assert [item.id for item in scene.objects] == [1, 2] and scene.fixed_frame == 'world'
    middles = [apply(item.T_fixed_obj, item.box_center_m) for item in scene.objects]
    for center, size, _ in BOXES:
        nearest = min(range(2), key=lambda at: np.linalg.norm(middles[at] - center))
        assert np.linalg.norm(middles[nearest] - center) < 0.01
        got = np.sort(scene.objects[nearest].size_m)
        assert np.allclose(got, np.sort(size), atol=0.025)

    report = json.loads((out / 'report.json').read_text())
    assert report['frames'] == 8
    for camera in ('left', 'right'):
        read = report['cameras'][camera]
        assert read['frames'] == 4 and read['unmatched'] == {'rgb': 0, 'depth': 0}
        assert read['topics']['rgb'] == f'/robot/{camera}/color/image'

    with Recording(out / 'result') as recording:
        counts = {topic.name: topic.count for topic in recording.topics}
        masks = [
            (raw.log_ns - START_NS, recording.decode(raw).header.frame_id)
            for raw in recording.messages(['/sam3d/segmentation/instances'])
        ]
        edges = [
            (raw.log_ns, edge.child)
            for raw in recording.messages(['/tf'])
            for edge in transforms_from(recording.decode(raw))[0]
        ]
    later = {'left_optical': 0, 'right_optical': 40_000_000}
    assert masks == [
        (at * STEP_NS + later_ns, frame) for at in range(4) for frame, later_ns in later.items()
    ]
    inputs = [edge for edge in edges if edge[1] in later]
    assert len(inputs) == len(set(inputs)) == 8, 'TF that both cameras read is written once'
    assert counts['/tf_static'] == 1
    assert counts['/sam3d/left/pointmap/points'] == counts['/sam3d/right/pointmap/points'] == 4


def test_one_camera_of_two(made, process):
    code, out = process(made, '--camera', 'right')
    report = json.loads((out / 'report.json').read_text())
    assert code == 0 and report['frames'] == 4
    assert report['topics']['depth'] == '/robot/right/depth/image'


def test_a_frame_that_is_left_out_says_whose_it_was(made, process, capsys):
    at = [n for n, item in enumerate(made) if item.topic == '/robot/right/depth/image'][1]
    cut = replace(made[at], content=replace(made[at].content, data=np.zeros(10, np.uint8)))
    code, out = process([*made[:at], cut, *made[at + 1 :]], *CAMERAS)
    report = json.loads((out / 'report.json').read_text())
    assert code == 0 and report['frames'] == 7 and report['cameras']['right']['frames'] == 3
    (bad,) = report['bad_frames']
    assert bad['camera'] == 'right' and bad['stamp_ns'] == made[at].stamp_ns
    assert 'frame 4 of right at' in capsys.readouterr().err


def test_pixels_of_prompts_are_those_of_the_first_camera(made, process, boxes_world):
    center = BOXES[0][0]
    _, index = boxes_world(SIDE_EYES[1], BOXES, size=(320, 240))
    v, u = np.argwhere(index == 0).mean(axis=0)
    pixel = ('--point', f'{u:.0f},{v:.0f}', '--prompt-frame', '1')
    code, out = process(made, '--camera', 'right', '--camera', 'left', *pixel)
    (only,) = read_scene(out).objects
    assert code == 0
    assert np.linalg.norm(apply(only.T_fixed_obj, only.box_center_m) - center) < 0.02


@pytest.mark.parametrize(
    ('arguments', 'reason'),
    [
        ((*CAMERAS, '--camera', 'rear'), 'no images or points on topics of a camera "rear"'),
        ((*CAMERAS, '--rgb', '/robot/left/color/image'), '--rgb /robot/left/color/image: no such'),
    ],
)
def test_what_a_camera_lacks_is_said(made, process, capsys, arguments, reason):
    code, out = process(made, *arguments)
    assert code == 2 and reason in capsys.readouterr().err
    assert not out.exists()
