# SPDX-License-Identifier: Apache-2.0
"""Upstream's module is taken where it works, and ours where it is missing or broken."""

import sys

import pytest

pytest.importorskip('tf2_msgs', reason='no ROS interfaces in this environment')

from sam3d_ros.ros import upstream

NAMES = ['message_filters', 'tf2_ros', 'cv_bridge']


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Install a module by its source; forget every choice before and after."""
    monkeypatch.syspath_prepend(str(tmp_path))
    upstream.choose.cache_clear()

    def install(name, source):
        monkeypatch.delitem(sys.modules, name, raising=False)
        (tmp_path / f'{name}.py').write_text(source)

    yield install
    upstream.choose.cache_clear()
    for name in NAMES:
        sys.modules.pop(name, None)


WORKING = {
    'message_filters': 'ApproximateTimeSynchronizer = object',
    'tf2_ros': 'Buffer = TransformListener = object',
    'cv_bridge': 'class CvBridge:\n    def cv2_to_imgmsg(self, image, name):\n        return 1',
}


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


def test_a_bridge_that_fails_when_used_is_not_taken(installed):
    installed('cv_bridge', WORKING['cv_bridge'].replace('return 1', 'raise TypeError("ABI")'))
    assert upstream.cv_bridge.__name__ == 'sam3d_ros.ros.compat.cv_bridge'


def test_other_names_are_no_attributes():
    with pytest.raises(AttributeError):
        _ = upstream.rospy
