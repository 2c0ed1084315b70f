# SPDX-License-Identifier: Apache-2.0
"""Configuration as parameters: described, checked, read back; wrong values get the sentence."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import pytest

pytest.importorskip('rclpy', reason='no ROS in this environment')

from rclpy.parameter import Parameter

from sam3d_ros.core.config import group, option
from sam3d_ros.core.errors import ConfigurationError
from sam3d_ros.ros.parameters import Parameters, descriptor

pytestmark = pytest.mark.dds


@dataclass(frozen=True)
class Inner:
    REMOVED: ClassVar[Mapping[str, str]] = {'noise_m': 'sensor says it.'}
    radius_px: int = option(8, 'reach', minimum=0, maximum=64)


@dataclass(frozen=True)
class Config:
    gain: float = option(0.5, 'how much', minimum=0.0, maximum=1.0)
    mode: str = option('auto', 'which way', choices=('auto', 'fixed'))
    frame: str = option('', 'where', read_only=True)
    enabled: bool = option(True, 'whether')
    inner: Inner = group(Inner)


def test_values_come_from_the_defaults_and_the_overrides(graph):
    node = graph.node(parameters={'stage.gain': 1, 'stage.inner.radius_px': 3})
    config = Parameters(node, {'stage': Config}).read('stage', Config)
    assert config == Config(gain=1.0, inner=Inner(radius_px=3))
    assert isinstance(config.gain, float)


def test_descriptions_and_ranges_reach_the_graph(graph):
    node = graph.node()
    Parameters(node, {'stage': Config, '': Inner})
    gain = node.describe_parameter('stage.gain')
    assert gain.description == 'how much' and gain.floating_point_range[0].to_value == 1.0
    assert node.describe_parameter('radius_px').integer_range[0].to_value == 64
    assert 'auto, fixed' in node.describe_parameter('stage.mode').additional_constraints
    assert node.describe_parameter('stage.frame').read_only


def test_changes_are_checked_and_the_reason_is_told(graph):
    node = graph.node()
    parameters = Parameters(node, {'stage': Config})

    def set_to(name, value):
        return node.set_parameters([Parameter(f'stage.{name}', value=value)])[0]

    assert set_to('gain', 0.25).successful
    assert set_to('enabled', False).successful
    assert parameters.read('stage', Config) == Config(gain=0.25, enabled=False)
    wrong = set_to('mode', 'sideways')
    assert not wrong.successful and 'one of auto, fixed' in wrong.reason
    for name, value in [('gain', 2.0), ('frame', 'map'), ('inner.radius_px', 99), ('gain', 'x')]:
        assert not set_to(name, value).successful
    assert parameters.read('stage', Config) == Config(gain=0.25, enabled=False)


def test_a_wrong_value_at_start_is_an_error(graph):
    node = graph.node(parameters={'stage.gain': 7.0})
    with pytest.raises(ConfigurationError, match=r'stage.gain = 7.0; wanted a value in \[0, 1\]'):
        Parameters(node, {'stage': Config})


def test_unknown_names_are_warned_about_once_each(graph, capfd):
    given = {'stage.gian': 0.1, 'other.gain': 1.0, 'typo': 2, 'qos_overrides./a.x': 1}
    node = graph.node(parameters=given)
    Parameters(node, {'stage': Config}, elsewhere=('other',))
    text = capfd.readouterr().err
    assert 'unknown parameter "stage.gian" is ignored; did you mean "stage.gain"?' in text
    assert '"typo"' in text and 'other.gain' not in text and 'qos_overrides' not in text


def test_removed_names_say_what_takes_their_place(graph, capfd):
    node = graph.node(parameters={'stage.inner.noise_m': 0.1})
    Parameters(node, {'stage': Config})
    text = ''.join(capfd.readouterr())
    assert 'stage.inner.noise_m is gone and has no effect: sensor says it.' in text
    assert 'unknown' not in text


def test_a_range_may_be_open_on_one_side():
    @dataclass(frozen=True)
    class Open:
        size: float = option(1.0, 'size', minimum=0.0)
        count: int = option(1, 'count', maximum=5)

    from sam3d_ros.core.config import options

    size, count = (descriptor(item) for item in options(Open))
    assert size.floating_point_range[0].from_value == 0.0
    assert count.integer_range[0].to_value == 5
