# SPDX-License-Identifier: Apache-2.0
"""Upstream's module is taken where it works, and ours where it is missing or broken."""

import sys
from types import SimpleNamespace

import pytest

pytest.importorskip('tf2_msgs', reason='no ROS interfaces in this environment')

from sam3d_ros.core.errors import InputError
from sam3d_ros.ros import upstream

NAMES = ['message_filters', 'tf2_ros']


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Install a module by its source; forget every choice before and after."""
    monkeypatch.syspath_prepend(str(tmp_path))
    forget()

    def install(name, source):
        monkeypatch.delitem(sys.modules, name, raising=False)
        (tmp_path / f'{name}.py').write_text(source)

    yield install
    forget()
    for name in (*NAMES, 'cv_bridge'):
        sys.modules.pop(name, None)


def forget():
    upstream.choose.cache_clear()
    upstream.bridge.cache_clear()


WORKING = {
    'message_filters': 'SimpleFilter = Subscriber = object',
    'tf2_ros': 'Buffer = TransformListener = object',
}
BRIDGE = """
import numpy as np

class CvBridge:
    def cv2_to_imgmsg(self, image, name):
        return 1

    def imgmsg_to_cv2(self, message, name):
        if message.encoding != 'nv21':
            raise ValueError('no such encoding')
        assert name == 'rgb8'
        return np.full((2, 4, 3), 7, np.uint8)
"""


@pytest.mark.parametrize('name', NAMES)
def test_a_working_module_is_taken(installed, name):
    installed(name, WORKING[name])
    assert getattr(upstream, name).__name__ == name


@pytest.mark.parametrize('name', NAMES)
@pytest.mark.parametrize(
    'source',
    ['raise ImportError("numpy.core.multiarray failed to import")', 'raise SystemError(1)', ''],
    ids=['another numpy', 'another Python', 'another package'],
)
def test_a_broken_one_is_not(installed, name, source):
    installed(name, source)
    assert getattr(upstream, name).__name__ == f'sam3d_ros.ros.compat.{name}'


def test_what_only_cv_bridge_knows_goes_to_it(installed):
    installed('cv_bridge', BRIDGE)
    message = SimpleNamespace(encoding='nv21')
    assert upstream.decode_by_cv_bridge(message).shape == (2, 4, 3)
    with pytest.raises(InputError, match=r'"p010".*cv_bridge says: no such encoding'):
        upstream.decode_by_cv_bridge(SimpleNamespace(encoding='p010'))


@pytest.mark.parametrize(
    'source', [BRIDGE.replace('return 1', 'raise TypeError("ABI")'), 'raise ImportError(1)']
)
def test_a_bridge_that_fails_when_used_is_none(installed, source):
    installed('cv_bridge', source)
    assert upstream.bridge() is None
    with pytest.raises(InputError, match='"nv21"; wanted an encoding of REP 118, or cv_bridge'):
        upstream.decode_by_cv_bridge(SimpleNamespace(encoding='nv21'))


def test_other_names_are_no_attributes():
    with pytest.raises(AttributeError):
        _ = upstream.rospy
