# SPDX-License-Identifier: Apache-2.0
"""Options that are gone: they still load, and what takes their place is said once."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import pytest

from sam3d_ros.core.config import build, group, option, removed
from sam3d_ros.core.errors import ConfigurationError
from sam3d_ros.session.config import Config

OLD = (
    'pointmaps.lidar.noise_m',
    'tracking.tolerance_m',
    'tracking.tolerance_per_z2',
    'reconstruction.evidence.sigma_floor_m',
    'reconstruction.evidence.sigma_quadratic',
    'reconstruction.evidence.sigma_lateral_px',
    'reconstruction.evidence.depth_step',
    'scene.tolerance_m',
    'scene.tolerance_per_z2',
)


@dataclass(frozen=True)
class Inner:
    REMOVED: ClassVar[Mapping[str, str]] = {'noise': 'inner.sensor says it.'}
    sensor: str = option('auto', 'which one')


@dataclass(frozen=True)
class Outer:
    inner: Inner = group(Inner)


def test_a_removed_option_loads_with_one_warning(caplog):
    for values in ({'inner.noise': 0.1}, {'inner': {'noise': 0.2, 'sensor': 'd435'}}):
        built = build(Outer, values)
    assert built.inner.sensor == 'd435'
    assert [record.getMessage() for record in caplog.records] == [
        'inner.noise is gone and has no effect: inner.sensor says it.'
    ]


def test_an_unknown_option_is_still_an_error():
    with pytest.raises(ConfigurationError, match=r'unknown option inner\.nois'):
        build(Outer, {'inner.nois': 0.1})


@pytest.mark.parametrize('name', OLD)
def test_what_described_noise_names_the_sensor_model(name):
    assert 'pointmaps.sensor' in dict(removed(Config))[name]
    assert build(Config, {name: 0.01}) == Config()


def test_a_sensor_is_chosen_by_name():
    assert build(Config, {'pointmaps.sensor': 'd435'}).pointmaps.sensor == 'd435'
    with pytest.raises(ConfigurationError, match='one of auto, ideal, white'):
        build(Config, {'pointmaps.sensor': 'sonar'})
