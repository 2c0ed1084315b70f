# SPDX-License-Identifier: Apache-2.0
"""The recording for Rerun: what it takes to write one, and what is in it."""

import subprocess
import sys

import pytest
from made_up_recordings import frames, messages, write

from sam3d_ros.cli.main import main
from sam3d_ros.core.errors import BackendError
from sam3d_ros.sinks.rerun import RerunSink


def test_without_the_package_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'rerun', None)
    with pytest.raises(BackendError, match=r'wanted the package rerun-sdk\. pip install'):
        RerunSink(tmp_path / 'a.rrd')


def test_rerun_reads_what_was_written(boxes_world, tmp_path):
    pytest.importorskip('rerun', reason='the extra rerun is not installed')
    recorded = frames(boxes_world, 3, size=(320, 240))
    path = write(tmp_path / 'boxes', messages(recorded, '32FC1'))
    file = tmp_path / 'a.rrd'
    assert main(['process', str(path), '--out', str(tmp_path / 'out'), '--rrd', str(file)]) == 0
    for verb in ('verify', 'print'):
        command = [sys.executable, '-m', 'rerun', 'rrd', verb, str(file)]
        shown = subprocess.run(command, capture_output=True, text=True, check=True)
    for entity in ('image/masks', 'pointmap', 'objects/1/mesh', 'objects/2/box'):
        assert entity in shown.stdout, entity
