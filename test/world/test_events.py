# SPDX-License-Identifier: Apache-2.0
"""What happens in the suite ``events`` happens when it should, and nothing collides."""

from itertools import combinations

import numpy as np
import pytest

from sam3d_ros.world.events import AWAY, BACK, FRAMES, PUSHED_FROM, PUSHED_TO, VANISHED
from sam3d_ros.world.setting.placing import Body, shared_volume
from sam3d_ros.world.suites import make_episode


@pytest.fixture(scope='module', params=range(2))
def episode(request):
    return make_episode('events', request.param)


def test_two_objects_go_each_in_its_own_frame(episode):
    assert episode.present.shape == (FRAMES, 8)
    gone = [int(np.argmin(seen)) for seen in episode.present.T if not seen.all()]
    assert sorted(gone) == [AWAY, VANISHED]
    assert episode.present[-1].sum() == 6


def test_one_object_is_put_elsewhere_and_one_pushed_by_a_centimetre_a_frame(episode):
    place = episode.T_fixed_obj[:, :, :3, 3]
    steps = np.linalg.norm(np.diff(place, axis=0), axis=2)
    (moved,) = np.flatnonzero(steps[AWAY - 1] > 0)
    assert steps[AWAY - 1, moved] > 0.1
    (pushed,) = np.flatnonzero(steps[PUSHED_FROM - 1] > 0)
    pushing = np.arange(1, FRAMES)
    pushing = (pushing >= PUSHED_FROM) & (pushing <= PUSHED_TO)
    assert steps[pushing, pushed] == pytest.approx(0.01, abs=1e-6)
    assert not steps[~pushing][:, pushed].any()
    assert episode.present[:, [moved, pushed]].all()


def test_the_camera_looks_elsewhere_meanwhile(episode):
    sight, middle = episode.T_fixed_cam[:, :3, 2], episode.T_fixed_obj[0, :, :3, 3].mean(axis=0)
    to_objects = middle - episode.T_fixed_cam[:, :3, 3]
    cosine = np.einsum('fi,fi->f', sight, to_objects) / np.linalg.norm(to_objects, axis=1)
    away = np.zeros(FRAMES, bool)
    away[AWAY:BACK] = True
    assert (cosine[away] < 0.6).all() and (cosine[~away] > 0.99).all()


def test_nothing_is_put_into_something_else(episode):
    bodies = [Body(solid) for solid in episode.objects]
    here, poses = episode.present[-1], episode.T_fixed_obj[-1]
    for i, j in combinations(np.flatnonzero(here).tolist(), 2):
        assert shared_volume(bodies[i], poses[i], bodies[j], poses[j]) <= 0.01
