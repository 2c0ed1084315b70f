# SPDX-License-Identifier: Apache-2.0
"""Made-up people: closed parts, joints inside them, limits of joints, episodes with truth."""

import numpy as np
import pytest

from sam3d_ros.core.errors import ConfigurationError
from sam3d_ros.core.people import BONES, INDEX
from sam3d_ros.geometry.transforms import inverse
from sam3d_ros.world.people.episodes import ACTIVITIES, people_episode
from sam3d_ros.world.people.figure import Pose, random_figure, upright
from sam3d_ros.world.rendering.surface import Surface
from sam3d_ros.world.samples import samples
from sam3d_ros.world.setting.placing import is_closed


def test_a_figure_is_of_closed_parts_and_as_high_as_it_says() -> None:
    figure = random_figure(np.random.default_rng(0), 1.7)
    assert all(is_closed(part) for part in figure.parts)
    poses, joints = figure.placed(Pose(), upright(0.3, [1.0, 2.0, figure.standing_height(Pose())]))
    tops = [
        (part.vertices_m @ T[:3, :3].T + T[:3, 3])[:, 2]
        for part, T in zip(figure.parts, poses, strict=True)
    ]
    assert min(z.min() for z in tops) == pytest.approx(0.0, abs=0.03)
    assert max(z.max() for z in tops) == pytest.approx(1.7, abs=0.08)
    assert joints[INDEX['left_shoulder'], 2] > joints[INDEX['left_hip'], 2]


def test_joints_lie_in_the_body() -> None:
    figure = random_figure(np.random.default_rng(1), 1.8)
    pose = Pose(lean=0.3, arm_left=(1.2, 0.3, 0.9), leg_right=(0.6, 0.1, 0.8))
    T_fixed_part, joints = figure.placed(pose, upright(0.0, [0.0, 0.0, 1.0]))
    inside = np.zeros(len(joints), bool)
    for part, T in zip(figure.parts, T_fixed_part, strict=True):
        T_part = inverse(T)
        local = (joints @ T_part[:3, :3].T + T_part[:3, 3]).astype(np.float32)
        inside |= Surface([part]).contains(local)
    limbs = [INDEX[f'{s}_{j}'] for s in ('left', 'right') for j in ('elbow', 'knee', 'hip')]
    assert inside[limbs].all()


def test_bones_keep_their_lengths_in_every_pose() -> None:
    figure = random_figure(np.random.default_rng(2))
    lengths = []
    for swing in (0.0, 0.8):
        joints = figure.joints(Pose(arm_left=(swing, 0.2, swing), leg_left=(swing, 0.1, swing)))
        lengths.append([np.linalg.norm(joints[a] - joints[b]) for a, b in BONES[:6]])
    assert np.allclose(lengths[0], lengths[1])


def test_knees_do_not_bend_the_other_way() -> None:
    assert Pose(leg_left=(0.0, 0.0, -1.0)).limited().leg_left == (0.0, 0.0, 0.0)


@pytest.mark.parametrize('activity', ACTIVITIES)
def test_episodes_know_where_joints_are(activity: str) -> None:
    episode = people_episode(activity, 1, 3, distance_m=2.5, size_px=(160, 120))
    assert episode.joints_m.shape[2:] == (33, 3)
    assert len(episode.owner) == len(episode.episode.objects)
    for k, sample in enumerate(samples(episode.episode)):
        here = np.isfinite(episode.joints_m[k]).all(axis=(1, 2))
        assert (episode.masks(sample).any(axis=(1, 2)) <= here).all()
        visible = episode.visible(k, sample)
        assert not visible[~here].any()


def test_visible_joints_are_seen_in_the_mask() -> None:
    episode = people_episode('standing', 3, 1, distance_m=2.5)
    (sample,) = samples(episode.episode)
    visible = episode.visible(0, sample)[0]
    assert 8 < visible.sum() < 33


def test_an_unknown_activity_is_named() -> None:
    with pytest.raises(ConfigurationError, match='juggling'):
        people_episode('juggling', 0)
