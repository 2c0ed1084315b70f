# SPDX-License-Identifier: Apache-2.0
import argparse

from sam3d_ros.cli.live import replay


def ros_arguments(*arguments: str) -> list[str]:
    parser = argparse.ArgumentParser()
    replay.add_arguments(parser)
    return replay.ros_arguments(parser.parse_args(arguments))


def test_options_become_parameters_of_the_replay_node() -> None:
    arguments = ros_arguments('a/bag', '--rate', '0.5', '--loop', '3', '--start', '2', '--clock')
    assert arguments[0] == '--ros-args'
    for expected in (
        'replay.recording:=a/bag',
        'replay.rate:=0.5',
        'replay.loop:=3',
        'replay.start_s:=2.0',
        'replay.clock:=true',
    ):
        assert expected in arguments


def test_what_was_not_asked_for_is_left_out() -> None:
    assert not [item for item in ros_arguments('bag') if item.startswith('replay.pace')]


def test_headers_can_be_made_anew() -> None:
    arguments = ros_arguments(
        'bag', '--stamps', 'receive', '--stamp-offset', '/a=0.1', '--stamp-offset', '/b=-2'
    )
    assert 'replay.stamps:=receive' in arguments
    assert 'replay.stamp_offset:=/a=0.1,/b=-2' in arguments
