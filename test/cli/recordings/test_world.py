# SPDX-License-Identifier: Apache-2.0
"""``sam3d world`` makes what its options say."""

import argparse

import numpy as np
import pytest

from sam3d_ros.cli.recordings import world
from sam3d_ros.core.errors import ConfigurationError
from sam3d_ros.world.suites import SUITES
from sam3d_ros.world.truth import read_truth


def parsed(*words):
    parser = argparse.ArgumentParser()
    world.add_arguments(parser)
    return parser.parse_args(words)


def test_options_reach_the_recording(tmp_path, capsys):
    out = tmp_path / 'w'
    options = ['--seed', '3', '--frames', '4', '--size', '160x120', '--taken-away', '--moving']
    assert world.run(parsed('spaced', '--out', str(out), *options)) == 0
    truth = read_truth(out)
    assert (truth.suite, truth.seed, len(truth.frames)) == ('spaced', 3, 4)
    assert (truth.camera.width, truth.camera.height) == (160, 120)
    assert not truth.frames[-1].present[-1] and truth.frames[0].present.all()
    shift = truth.frames[-1].T_fixed_obj[:, :3, 3] - truth.frames[0].T_fixed_obj[:, :3, 3]
    assert sorted(np.linalg.norm(shift, axis=1).round(9)) == [0, 0, 0, 0, 0.12]
    said = capsys.readouterr().out
    assert str(out / 'recording') in said and 'procedural' in said


def test_nothing_can_move_in_an_empty_world(tmp_path):
    with pytest.raises(ConfigurationError, match='no objects'):
        world.run(parsed('empty_bin', '--out', str(tmp_path / 'w'), '--moving'))


def test_help_names_every_suite():
    for name in SUITES:
        assert parsed(name, '--out', 'x').suite == name
