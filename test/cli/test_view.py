# SPDX-License-Identifier: Apache-2.0
"""What ``sam3d view`` says when there is nothing to show, or nothing to show it with."""

import numpy as np
import pytest
from made_up_scenes import scene, scene_object

from sam3d_ros.cli.main import main
from sam3d_ros.export.scene_files import write_scene
from sam3d_ros.geometry.shapes.gaussians import encode_gaussians, flat_gaussians
from sam3d_ros.viewer import results, screenshot
from sam3d_ros.viewer.layers import overview


@pytest.mark.parametrize(
    ('made', 'reason'), [(False, 'does not exist'), (True, 'is empty')], ids=['missing', 'empty']
)
def test_nothing_to_show_is_a_sentence(tmp_path, capsys, made, reason):
    folder = tmp_path / 'results'
    if made:
        folder.mkdir()
    assert main(['view', str(folder)]) == 2
    said = capsys.readouterr().err
    assert reason in said and 'a recording or a folder of results' in said


def test_a_picture_without_a_browser_is_a_sentence(tmp_path, capsys, monkeypatch):
    write_scene(scene(scene_object(1)), tmp_path)
    monkeypatch.setattr(screenshot, 'BROWSERS', ())
    picture = tmp_path / 'page.png'
    assert main(['view', str(tmp_path), '--screenshot', str(picture)]) == 2
    assert 'apt-get install chromium' in capsys.readouterr().err
    assert not picture.exists()


def test_a_folder_of_gaussians_alone_begins_with_a_look_at_them(tmp_path):
    rng = np.random.default_rng(0)
    points, colors = rng.normal(size=(50, 3)), rng.uniform(0.1, 0.9, (50, 3))
    made = flat_gaussians(points, np.tile([0.0, 0.0, 1.0], (50, 1)), colors, 0.004)
    (tmp_path / results.GAUSSIANS).write_bytes(encode_gaussians(made, 'fixed frame'))
    source = results.ResultFolder(tmp_path)
    source._thread.join(5.0)
    assert source.status() == 'Gaussians of one object' and len(source.timeline) == 1
    _, middle, _ = overview(source.timeline.at(0), source.splats.means_m)
    low, high = np.quantile(points, (0.02, 0.98), axis=0)
    assert np.allclose(middle, (low + high) / 2, atol=1e-5)
    source.close()


def test_a_result_of_another_version_shows_its_scene(tmp_path, monkeypatch):
    def told_by(path):
        raise AttributeError("no attribute 'contact'")

    monkeypatch.setattr(results, 'told_by', told_by)
    write_scene(scene(scene_object(1)), tmp_path)
    (tmp_path / 'result').mkdir()
    source = results.ResultFolder(tmp_path)
    source._thread.join(5.0)
    assert [item.id for item in source.timeline.at(-1).scene.objects] == [1]
    assert 'cannot be read' in source.status() and 'contact' in source.status()
    source.close()
