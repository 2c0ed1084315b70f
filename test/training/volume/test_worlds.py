# SPDX-License-Identifier: Apache-2.0
"""Worlds of the volume network: no test scan is trained on, planes are where things stand."""

from pathlib import Path

import numpy as np
import pytest

from sam3d_ros.core.errors import InputError
from sam3d_ros.training.sources import Scans, part_of
from sam3d_ros.training.volume.worlds import HELD_BACK_SCANS, scans, support_heights
from sam3d_ros.world.sources import ProceduralSource, Resized
from sam3d_ros.world.suites import make_episode


def test_test_split_is_never_among_the_training_scans(shared_data: Path) -> None:
    training = scans(shared_data / 'objects', 'train')
    scored = {entry.name for entry in scans(shared_data / 'objects', 'test')}
    assert training and scored and not {entry.name for entry in training} & scored
    kept, held_back = (part_of(training, HELD_BACK_SCANS, held) for held in (False, True))
    assert held_back[0] is training[0] and len(kept) + len(held_back) == len(training)
    assert not {entry.name for entry in kept} & {entry.name for entry in held_back}
    drawn = Scans(held_back[:1]).draw(3, np.random.default_rng(0))
    assert [body.solid.name for body in drawn] == [held_back[0].name]


def test_folder_without_index_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r'index\.json'):
        scans(tmp_path, 'train')


def test_things_come_in_other_sizes_of_the_same_shape() -> None:
    source = ProceduralSource(('box',))
    for seed in range(5):
        plain, other = (
            drawn.draw(1, np.random.default_rng(seed))[0].solid.extents_m
            for drawn in (source, Resized(source, (0.5, 0.9), (0.05, 0.08)))
        )
        assert 0.049 < other.max() < 0.081
        np.testing.assert_allclose(other / other.max(), plain / plain.max(), rtol=1e-4)


def test_things_on_a_table_and_on_each_other_stand_over_the_table() -> None:
    episode = make_episode('stacked', 0, frames=1, looks='plain')
    np.testing.assert_allclose(support_heights(episode), episode.support_z_m, atol=1e-4)


def test_things_at_several_heights_have_their_own_supports() -> None:
    episode = make_episode('levels', 0, frames=1, looks='plain')
    heights = support_heights(episode)
    for solid, T, height in zip(episode.objects, episode.T_fixed_obj[0], heights, strict=True):
        lowest = (solid.vertices_m @ T[2, :3] + T[2, 3]).min()
        assert height < lowest + 0.005
    assert len(np.unique(heights.round(3))) > 1
