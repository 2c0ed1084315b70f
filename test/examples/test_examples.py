# SPDX-License-Identifier: Apache-2.0
"""Every example runs, and is as short as it says."""

import importlib.util
import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from made_up_recordings import BOXES, frames, messages, write

import sam3d_ros
from sam3d_ros.core.config import build
from sam3d_ros.core.errors import BackendError, ConfigurationError
from sam3d_ros.core.registry import with_options
from sam3d_ros.export.ply import read_ply
from sam3d_ros.geometry.cameras import project
from sam3d_ros.geometry.transforms import apply, inverse
from sam3d_ros.segmentation.config import SegmentationConfig
from sam3d_ros.session.config import config_kind
from sam3d_ros.session.session import Session

EXAMPLES = Path(__file__).parents[2] / 'examples'
SIZE = (320, 240)
PLUG_INS = {
    'segmentation': 'colored = own_segmenter:ColoredSegmenter',
    'reconstruction': 'boxes = own_completion:BoxCompletion',
}


def example(name):
    """Return an example as a module."""
    spec = importlib.util.spec_from_file_location(f'example_{name}', EXAMPLES / f'{name}.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_examples_are_short():
    lines = {file.stem: file.read_text().count('\n') for file in EXAMPLES.glob('*.py')}
    assert len(lines) == 6
    assert max(lines.values()) <= 80
    assert max(lines['own_segmenter'], lines['own_completion']) <= 40


def test_the_front_door_has_about_twenty_names_and_all_of_them_are_there():
    assert 20 <= len(sam3d_ros.__all__) <= 27
    for name in sam3d_ros.__all__:
        assert getattr(sam3d_ros, name) is not None
    assert set(sam3d_ros.__all__) <= set(dir(sam3d_ros))
    with pytest.raises(AttributeError, match='no_such'):
        _ = sam3d_ros.no_such


@pytest.fixture(scope='module')
def recorded(boxes_world):
    return frames(boxes_world, 3, size=SIZE)


@pytest.fixture(scope='module')
def images(recorded, tmp_path_factory):
    """Frames as a folder of images."""
    folder = tmp_path_factory.mktemp('images')
    for name in ('rgb', 'depth'):
        (folder / name).mkdir()
    for number, frame in enumerate(recorded):
        depth_mm = np.rint(1000 * np.nan_to_num(frame.depth_m)).astype(np.uint16)
        cv2.imwrite(str(folder / 'rgb' / f'{number}.png'), frame.rgb[..., ::-1])
        cv2.imwrite(str(folder / 'depth' / f'{number}.png'), depth_mm)
    np.savetxt(folder / 'K.txt', recorded[0].camera.K)
    return folder


def test_images_of_a_folder_become_objects(images, tmp_path, capsys):
    example('png_folder').main(str(images), str(tmp_path))
    assert len(json.loads((tmp_path / 'scene.json').read_text())['objects']) == 2
    assert '2 objects' in capsys.readouterr().out


def test_a_recording_becomes_objects(recorded, tmp_path, capsys):
    path = write(tmp_path / 'boxes', messages(recorded, '32FC1'))
    example('bag').main(str(path))
    assert capsys.readouterr().out.count(' visible, ') == 2


def test_a_click_becomes_a_mesh(recorded, images, tmp_path, capsys):
    center, size, _ = BOXES[0]
    top = (*center[:2], center[2] + size[2] / 2)
    u, v = project(apply(inverse(recorded[0].T_fixed_cam), top), recorded[0].camera)
    files = [str(images / name) for name in ('rgb/0.png', 'depth/0.png', 'K.txt')]
    example('click').main(*files, str(u), str(v), str(tmp_path / 'box.ply'))
    mesh = read_ply(tmp_path / 'box.ply')
    extent = np.sort(np.ptp(mesh.vertices_m, axis=0))
    assert len(mesh.faces) > 100
    assert extent[-1] < 2 * max(size)
    assert '% of the surface was seen' in capsys.readouterr().out


@pytest.fixture
def plug_ins(tmp_path, monkeypatch):
    """Install the two example backends as another package would: by entry points."""
    info = tmp_path / 'own_backends-1.0.dist-info'
    info.mkdir()
    (info / 'METADATA').write_text('Metadata-Version: 2.1\nName: own-backends\nVersion: 1.0\n')
    (info / 'entry_points.txt').write_text(
        ''.join(f'[sam3d_ros.{stage}]\n{line}\n' for stage, line in PLUG_INS.items())
    )
    monkeypatch.syspath_prepend(str(EXAMPLES))
    monkeypatch.syspath_prepend(str(tmp_path))
    for cached in (with_options, config_kind):
        cached.cache_clear()
    yield info
    for cached in (with_options, config_kind):
        cached.cache_clear()
    for name in ('own_segmenter', 'own_completion'):
        sys.modules.pop(name, None)


def configured(**values):
    return build(config_kind(), values)


def test_backends_of_another_package_work_with_their_options(plug_ins, recorded):
    red, green, blue = BOXES[1][2]
    color = {'red': red, 'green': green, 'blue': blue}
    config = configured(
        segmentation={'backend': 'colored', 'colored': color},
        reconstruction={'backend': 'boxes', 'boxes': {'margin_m': 0.001}},
    )
    session = Session.from_config(config)
    for frame in recorded:
        scene = session.step(frame).scene
    (item,) = scene.objects
    assert item.provenance.backend == 'boxes'
    center, size, _ = BOXES[1]
    place = apply(item.T_fixed_obj, item.box_center_m)
    assert np.linalg.norm((place - center)[:2]) < 0.02
    assert abs(item.size_m[2] - size[2]) < 0.02, 'upright; the other axes are the grid'


def test_their_options_are_printed_and_checked_like_ours(plug_ins, capsys):
    from sam3d_ros.cli.main import main

    assert main(['config']) == 0
    printed = capsys.readouterr().out
    assert '      colored:\n' in printed and 'red of the things (0 .. 255)' in printed
    assert 'margin_m: 0.002' in printed
    with pytest.raises(ConfigurationError, match=r'segmentation\.colored\.red = 999'):
        configured(segmentation={'colored': {'red': 999}})


def test_a_backend_that_cannot_be_imported_costs_a_sentence_unless_it_is_chosen(
    plug_ins, recorded, caplog
):
    (plug_ins / 'entry_points.txt').write_text('[sam3d_ros.segmentation]\nlost = no_such:Thing\n')
    config = configured()
    assert 'backend "lost" cannot be imported' in caplog.text
    assert len(Session.from_config(config).step(recorded[0]).scene.objects) == 2
    with pytest.raises(BackendError, match='lost'):
        Session.from_config(configured(segmentation={'backend': 'lost'}))


def test_a_backend_may_not_take_the_name_of_an_option(plug_ins):
    (plug_ins / 'entry_points.txt').write_text(
        '[sam3d_ros.segmentation]\nreach_m = own_segmenter:ColoredSegmenter\n'
    )
    with pytest.raises(ConfigurationError, match='another name'):
        with_options('segmentation', SegmentationConfig)


def test_whatever_a_backend_raises_costs_its_own_job(plug_ins, recorded, monkeypatch, caplog):
    config = configured(reconstruction={'backend': 'boxes'})
    session = Session.from_config(config)

    def fails(*arguments):
        raise MemoryError('too large')

    import own_completion

    monkeypatch.setattr(own_completion.BoxCompletion, 'complete', fails)
    result = session.step(recorded[0])
    assert len(result.scene.objects) == 2, 'they have places, without shapes'
    assert 'BoxCompletion failed: MemoryError: too large' in caplog.text
    monkeypatch.undo()
    monkeypatch.setattr(session.segmenter, 'segment', fails, raising=False)
    with pytest.raises(BackendError, match='MemoryError'):
        session.step(recorded[1])


@pytest.mark.dds
def test_the_watcher_hears_of_objects():
    pytest.importorskip('sam3d_msgs', reason='no ROS interfaces in this environment')
    import rclpy
    from rclpy.signals import SignalHandlerOptions
    from sam3d_msgs.msg import SceneObject, SceneObjectArray

    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    try:
        watcher = example('live_node').Watcher('/watched')
        cup = SceneObject(id='7', state=SceneObject.VISIBLE)
        watcher.on_objects(SceneObjectArray(objects=[cup, SceneObject(id='8')]))
        assert list(watcher.known) == ['7'], 'tentative ones are not told'
        watcher.on_objects(SceneObjectArray())
        assert watcher.known == {}
        names = [name for name, _ in watcher.get_topic_names_and_types()]
        assert '/watched/scene/objects' in names
        watcher.destroy_node()
    finally:
        rclpy.try_shutdown()
