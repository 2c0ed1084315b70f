# SPDX-License-Identifier: Apache-2.0
"""Names and colours of tracks over time."""

import threading
from types import SimpleNamespace

import numpy as np
import pytest

from sam3d_ros.core.types import Instance, Instances, Reconstructions, Track, Tracks, TrackState
from sam3d_ros.language.config import LanguageConfig
from sam3d_ros.language.kinds import KINDS
from sam3d_ros.language.naming import APPEARANCE, NamingStage

BOX = (10, 10, 40, 40)
FRAME = SimpleNamespace(rgb=np.full((60, 80, 3), 128, np.uint8), up_cam=None)
FRAME.rgb[10:40, 10:40] = (30, 60, 180)


class Namer:
    """Says what it is told to."""

    kind = 'cup'

    def look(self, picture, shape):
        assert picture.shape == (160, 160, 3) and np.isfinite(shape).all()
        odds = np.where(np.array(KINDS) == self.kind, 3.0, 0.0)
        return odds.astype(np.float32), np.full(APPEARANCE, 2.0, np.float32)


def tracks(label='', state=TrackState.CONFIRMED):
    mask = np.zeros((60, 80), bool)
    mask[10:40, 10:40] = True
    items = (Instance(mask, 1.0, BOX, 'test', label),)
    return Tracks(0, Instances(0, items), (Track(7, state, 3, 0, 0, 0, 0),))


def made():
    corners = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32) / 20
    mesh = SimpleNamespace(vertices_m=corners, faces=np.zeros((0, 3), np.int32))
    item = SimpleNamespace(track_id=7, mesh=mesh, T_cam_obj=np.eye(4))
    return Reconstructions(0, (item,))


@pytest.fixture
def stage():
    stage = NamingStage(LanguageConfig(names=False))
    stage._namer = Namer()
    return stage


def test_a_track_has_its_colours(stage):
    named = stage.update(FRAME, tracks(), made())[7]
    assert named.colors[0][0] == 'blue' and named.colors[0][1] > 0.9


def test_one_odd_look_changes_no_name(stage):
    for kind in ('cup', 'cup', 'bowl', 'cup'):
        stage._namer.kind = kind
        named = stage.update(FRAME, tracks(), made())[7]
        assert named.label == 'cup' and named.label_score == pytest.approx(
            dict(named.labels)['cup'], abs=1e-3
        )
    assert len(named.labels) == 5
    assert np.linalg.norm(named.appearance) == pytest.approx(1.0, abs=0.01)


def test_a_label_of_another_model_outlives_a_frame_without_it(stage):
    assert stage.update(FRAME, tracks('red mug'), made())[7].label == 'red mug'
    assert stage.update(FRAME, tracks(), made())[7].label == 'red mug'


def test_looks_end_when_there_is_nothing_new(stage):
    calls = []
    usual = stage._namer.look
    stage._namer.look = lambda *asked: calls.append(1) or usual(*asked)
    for _ in range(12):
        stage.update(FRAME, tracks(), made())
    assert len(calls) == 5


def test_beside_the_poses_no_frame_waits_for_a_look():
    may_look, calls = threading.Event(), []
    stage = NamingStage(LanguageConfig(names=False), wait=False)

    class Slow(Namer):
        def look(self, picture, shape):
            calls.append(1)
            assert may_look.wait(10.0)
            return super().look(picture, shape)

    stage._namer = Slow()
    for _ in range(3):
        assert stage.update(FRAME, tracks(), made())[7].label == ''
    may_look.set()
    stage.close()
    assert stage.update(FRAME, tracks(), Reconstructions(0))[7].label == 'cup'
    assert calls == [1]


def test_a_look_at_what_is_gone_is_forgotten():
    stage = NamingStage(LanguageConfig(names=False), wait=False)
    stage._namer = Namer()
    stage.update(FRAME, tracks(), made())
    stage.close()
    nothing = Tracks(0, Instances(0)), Reconstructions(0)
    assert stage.update(FRAME, *nothing) == stage.update(FRAME, *nothing) == {}


def test_what_was_seen_outlives_the_process(stage):
    before = stage.update(FRAME, tracks(), made())
    other = NamingStage(LanguageConfig(names=False))
    other.restore(stage.state())
    assert other.named([7]) == before
    other.update(FRAME, Tracks(0, Instances(0)), Reconstructions(0))
    assert other.named([7]) == {}
