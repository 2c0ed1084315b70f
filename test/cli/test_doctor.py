# SPDX-License-Identifier: Apache-2.0
"""``sam3d doctor``: findings in words, exit code by whether something stops the pipeline."""

import argparse
import os

import pytest

from sam3d_ros.cli import doctor


def run(*arguments):
    parser = argparse.ArgumentParser()
    doctor.add_arguments(parser)
    return doctor.run(parser.parse_args([str(argument) for argument in arguments]))


def test_a_real_recording_is_healthy(shared_data, capsys):
    assert run(shared_data / 'recordings' / 'shelf') == 0
    text = capsys.readouterr().out
    assert 'camera_color_optical_frame' in text and 'nothing stops the pipeline' in text
    assert 'backend "mini"' in text


def test_what_is_missing_is_said_and_the_exit_code_tells(tmp_path, capsys):
    assert run(tmp_path / 'nowhere') == 1
    text = capsys.readouterr().out
    assert 'error recording: nothing at' in text and '1 finding(s) stop' in text


@pytest.mark.parametrize(
    ('yaml', 'words'),
    [('nonsense', 'backend "nonsense"'), ('geometric', 'backend "geometric"')],
)
def test_the_chosen_backends_are_looked_at(tmp_path, capsys, yaml, words):
    config = tmp_path / 'sam3d.yaml'
    config.write_text(f'/**: {{ros__parameters: {{segmentation: {{backend: {yaml}}}}}}}')
    run(tmp_path / 'nowhere', '--config', config)
    assert words in capsys.readouterr().out


@pytest.mark.dds
def test_live_topics_that_nobody_publishes_stop_the_pipeline(monkeypatch, capsys):
    pytest.importorskip('tf2_msgs', reason='no ROS interfaces in this environment')
    monkeypatch.setenv('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
    monkeypatch.setenv('ROS_DOMAIN_ID', str(1 + os.getpid() % 100))
    assert run('--seconds', '0.2') == 1
    text = capsys.readouterr().out
    assert 'error topics: no topic with a colour encoding; images: none' in text
