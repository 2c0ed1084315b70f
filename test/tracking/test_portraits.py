# SPDX-License-Identifier: Apache-2.0
"""Pictures tell things of the same colours apart, and know one that was turned."""

import logging
from dataclasses import replace

import cv2
import numpy as np
import pytest

pytest.importorskip('onnxruntime', reason='pictures are compared by ONNX Runtime')

from sam3d_ros.core.errors import BackendError
from sam3d_ros.core.pretrained.inference import open_session
from sam3d_ros.core.pretrained.weights import verified_file
from sam3d_ros.core.types import Camera, Frame, Instance
from sam3d_ros.tracking import portraits
from sam3d_ros.tracking.config import PortraitConfig
from sam3d_ros.tracking.portraits import APART_NS, Looks, Portrait, kept

SIDE = 200


def noise(seed, cells=20, side=160):
    values = np.random.default_rng(seed).integers(0, 256, (cells, cells)).astype(np.float32)
    return cv2.resize(values, (side, side), interpolation=cv2.INTER_CUBIC).clip(0, 255)


def test_descriptors_are_those_of_the_published_network():
    # Of XFeat's own network and weights in 32 bits, for the same picture.
    wanted = {
        (3, 4): [0.2741, -0.1034, -0.0993, 0.0014, 0.0160, -0.1884],
        (10, 10): [0.1926, -0.0869, 0.1534, -0.2624, 0.0137, -0.1475],
        (17, 8): [0.2906, 0.0204, 0.1641, -0.2105, 0.0114, -0.1105],
    }
    session = open_session(verified_file('xfeat'), device='cpu')
    (found,) = session.run(None, {'pictures': noise(0)[None, None]})
    assert found.shape == (1, 64, 20, 20)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1.0, atol=1e-3)
    for (row, column), values in wanted.items():
        np.testing.assert_allclose(found[0, :6, row, column], values, atol=2e-3)


def label(seed, degrees=0.0, scale=1.0, light=1.0):
    """A frame of a printed box, turned in the image, and its instance."""
    channels = [noise(seed + 100 * k, 12, SIDE) for k in range(3)]
    print_ = np.sort(np.stack(channels, axis=-1), axis=-1)
    T = cv2.getRotationMatrix2D((SIDE / 2, SIDE / 2), degrees, scale)
    T[:, 2] += (320 - SIDE / 2, 240 - SIDE / 2)
    rgb = cv2.warpAffine(print_, T, (640, 480), borderValue=(90, 90, 90))
    mask = cv2.warpAffine(np.ones((SIDE, SIDE), np.float32), T, (640, 480)) > 0.5
    rows, columns = np.nonzero(mask)
    box = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    camera = Camera(640, 480, np.array([[600.0, 0, 320], [0, 600, 240], [0, 0, 1]]))
    pointmap = np.ones((480, 640, 3), np.float32)
    colors = (rgb * light).clip(0, 255).astype(np.uint8)
    frame = Frame(0, 'camera', camera, colors, pointmap, 'camera', np.eye(4))
    return frame, Instance(mask, 1.0, tuple(map(int, box)), 'test')


def portrait(*arguments, **options):
    return Portrait.of(*label(*arguments, **options))


def test_one_print_is_known_again_and_another_of_the_same_colours_is_not():
    looks = Looks(PortraitConfig(device='cpu'))
    assert looks.are_there
    known = [portrait(1)]
    for seen in (portrait(1, 15), portrait(1, -25, 0.7), portrait(1, 10, 0.5, 0.8)):
        assert looks.likeness(known, seen) > 0.9
    others = [looks.likeness(known, portrait(seed, 15)) for seed in (2, 3, 4, 5)]
    assert max(others) == 0.0


def test_the_largest_and_the_latest_picture_are_kept():
    near, far = label(1), label(1, scale=0.5)
    first = kept([], *far)
    assert [item.pixels for item in first] == [np.count_nonzero(far[1].mask)]
    assert kept(first, *far)[0] is first[0]
    (larger,) = kept(first, *near)
    later = replace(far[0], stamp_ns=APART_NS)
    both = kept([larger], later, far[1])
    assert [item.stamp_ns for item in both] == [0, APART_NS] and both[0] is larger
    assert kept(both, replace(far[0], stamp_ns=2 * APART_NS), far[1])[0] is larger
    assert len(kept(both, replace(far[0], stamp_ns=2 * APART_NS), far[1])) == 2


def test_networks_read_each_portrait_once():
    looks = Looks(PortraitConfig(device='cpu'))
    assert looks.are_there
    counted = looks._matcher = Counted(looks._matcher)
    known, seen = [portrait(1)], portrait(1, 15)
    assert looks.likeness(known, seen) == looks.likeness(known, seen) > 0.9
    assert looks.likeness(known, portrait(1, -25, 0.7)) > 0.9
    assert counted.runs == 3


class Counted:
    """A network that notes its runs."""

    def __init__(self, network):
        self.runs, self._network = 0, network

    def of(self, grey):
        self.runs += 1
        return self._network.of(grey)


@pytest.mark.parametrize('kind', [BackendError, ModuleNotFoundError])
def test_without_the_networks_it_is_said_once_and_colours_decide(monkeypatch, caplog, kind):
    def fails(*_):
        raise kind('no onnxruntime here')

    monkeypatch.setattr(portraits, 'PictureEncoder', fails)
    looks = Looks(PortraitConfig())
    with caplog.at_level(logging.WARNING):
        assert not looks.are_there and not looks.are_there
    assert [record.message.count('no onnxruntime') for record in caplog.records] == [1]
    assert not Looks(PortraitConfig(enabled=False)).are_there
