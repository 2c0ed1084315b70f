# SPDX-License-Identifier: Apache-2.0
"""From messages to objects with networks of depth: tiny random checkpoints, and one that is right.

A recording of a camera that moves past two boxes, read and stepped through a whole session.
"""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip('torch', reason='needs the extra: sam')

from made_up_recordings import frames as boxes_frames
from made_up_recordings import messages, write

from sam3d_ros.bags.recording import Recording
from sam3d_ros.bags.selection import select
from sam3d_ros.core.types import Frame
from sam3d_ros.pipeline.frames import FrameReader, overrides_of
from sam3d_ros.pointmaps.monocular.inferring import Inferred
from sam3d_ros.session.config import Config
from sam3d_ros.session.session import Session


@pytest.fixture(scope='module')
def shown(boxes_world):
    return boxes_frames(boxes_world, 3)


@pytest.fixture(scope='module')
def with_depth(shown, tmp_path_factory):
    """The recording, a hole in each depth image."""
    holed = []
    for frame in shown:
        pointmap = frame.pointmap.copy()
        pointmap[10:30, 20:60] = np.nan
        holed.append(replace(frame, pointmap=pointmap))
    return write(tmp_path_factory.mktemp('depth') / 'r', messages(holed))


@pytest.fixture(scope='module')
def color_alone(shown, tmp_path_factory):
    made = [item for item in messages(shown) if '/depth/' not in item.topic]
    return write(tmp_path_factory.mktemp('color') / 'r', made)


def stepped(path, config, network=None):
    """Return frames, the last result, and what was noted."""
    default = Config()
    session = Session.from_config(
        replace(
            default,
            pointmaps=config,
            reconstruction=replace(default.reconstruction, backend='geometric'),
            segmentation=replace(default.segmentation, backend='geometric'),
        )
    )
    with Recording(path) as recording:
        reader = FrameReader(recording, select(recording, overrides_of(recording, config)), config)
        if network is not None:
            reader._intake.source('color').network = network
        made = list(reader)
    assert all(isinstance(frame, Frame) for frame in made), made
    results = [session.step(frame) for frame in made]
    session.close()
    return made, results[-1], reader


@pytest.mark.parametrize('kind', ['metric', 'prompt', 'pro'])
def test_a_random_network_spoils_nothing(kind, checkpoints, networked, with_depth, shown):
    made, result, _ = stepped(with_depth, networked(kind, checkpoints(kind)))
    assert len(made) == 3 and len(result.scene.objects) == 2
    for frame, truth in zip(made, shown, strict=True):
        known = np.ones(truth.depth_m.shape, bool) if frame.measured is None else frame.measured
        hole = np.zeros(known.shape, bool)
        hole[10:30, 20:60] = True
        measured = np.isfinite(frame.depth_m) & known
        # What was measured is as it was, and what was not is not called so.
        assert not (measured & hole).any()
        assert np.allclose(frame.depth_m[measured], truth.depth_m[measured], atol=1e-3)


def test_colour_alone_and_a_random_network_give_no_metres(
    checkpoints, networked, color_alone, caplog
):
    config = networked('relative', checkpoints('relative'))
    made, result, reader = stepped(color_alone, config)
    assert len(made) == 3 and not result.scene.objects
    assert all(np.isnan(frame.depth_m).all() for frame in made)
    assert 'nothing is inferred' in caplog.text and 'support_height is empty' in caplog.text
    assert any('without any depth' in note for note in reader.notes.sentences)


class Truth:
    """A network that is right, in a unit of its own."""

    def __init__(self, shown):
        self.by_stamp = {frame.stamp_ns: frame.depth_m for frame in shown}

    def infer(self, color, ranges, tree):
        return Inferred((0.4 / self.by_stamp[color.stamp_ns] + 0.3).astype(np.float32), True)

    def forget(self):
        pass


def test_a_plain_camera_over_a_floor_finds_the_boxes(
    checkpoints, networked, color_alone, with_depth, shown
):
    config = networked('relative', checkpoints('relative'), support_height='0.0')
    made, result, _ = stepped(color_alone, config, Truth(shown))
    _, measured, _ = stepped(with_depth, networked('metric', checkpoints('metric')))
    assert len(result.scene.objects) == len(measured.scene.objects) == 2
    for frame in made:
        assert not frame.measured[np.isfinite(frame.depth_m)].any()
        assert np.nanmax(frame.sigma_m / frame.depth_m) < 0.05
    places = [
        sorted(
            (item.T_fixed_obj[:3, 3] + item.T_fixed_obj[:3, :3] @ item.box_center_m).tolist()
            for item in each.scene.objects
        )
        for each in (result, measured)
    ]
    assert np.allclose(places[0], places[1], atol=0.03)
