# SPDX-License-Identifier: Apache-2.0
"""``sam3d bench`` end to end on one scene: figures as JSON, a page, tables on the screen."""

import json
import re

import numpy as np
import pytest

pytest.importorskip('open3d', reason='benches need the extra: bench')
pytest.importorskip('matplotlib', reason='benches need the extra: bench')

from sam3d_ros.bench.masks import segmentation
from sam3d_ros.cli import bench as command
from sam3d_ros.cli.main import main


@pytest.fixture
def tiny(monkeypatch):
    """One procedural scene, and a peer that finds nothing, quickly."""
    monkeypatch.setattr(segmentation, 'WORLD_FRAMES', {'clutter': (1, 1)})
    monkeypatch.setattr(
        segmentation, 'open3d_tutorial', lambda frame: np.zeros(frame.depth_m.shape, np.int32)
    )
    monkeypatch.setattr(command, '_existing', lambda folder: None)


def test_tiny_bench_writes_figures_and_a_page(tiny, tmp_path, capsys):
    figures, page = tmp_path / 'figures.json', tmp_path / 'report.html'
    arguments = ['bench', 'segmentation', '--quick', '--seed', '2']
    assert main([*arguments, '--json', str(figures), '--html', str(page)]) == 0

    values = json.loads(figures.read_text(), parse_constant=pytest.fail)
    assert {'machine', 'commit', 'config', 'clutter_overlap_f', 'clutter_time_s'} <= values.keys()
    assert (values['bench'], values['seed'], values['quick']) == ('segmentation', 2, True)
    assert values['clutter_overlap_f'] > 0.3 > values['clutter_peer_overlap_f'] == 0.0
    flat = {key: value for key, value in values.items() if key != 'config'}
    assert all(value is None or isinstance(value, int | float | str) for value in flat.values())

    html = page.read_text()
    assert 'procedural' in html
    assert all(s.startswith(('data:', '#')) for s in re.findall(r'(?:src|href)="([^"]*)"', html))
    printed = capsys.readouterr().out
    assert 'procedural' in printed
    assert 'overlap f' in printed


def test_unknown_bench_is_refused_with_the_known_ones(capsys):
    with pytest.raises(SystemExit):
        main(['bench', 'speed'])
    assert 'reconstruction' in capsys.readouterr().err
