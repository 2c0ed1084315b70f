# SPDX-License-Identifier: Apache-2.0
"""The shipped pair network on worlds that it has not seen; patches and their true owners."""

import numpy as np
import pytest

from sam3d_ros.core.errors import InputError
from sam3d_ros.segmentation.partition.affinity import trained_network
from sam3d_ros.training.borders import by_geometry, owners, view_files
from sam3d_ros.training.perceptrons import accuracy
from sam3d_ros.training.views import SUITES, draw
from sam3d_ros.world.sources import ProceduralSource

SEED = 32 * 30_000 + SUITES.index('clutter')


def test_a_patch_belongs_to_whom_most_of_it_lies_on():
    patches = np.array([[1, 1, 1, 1], [2, 2, 0, 0]], np.int32)
    truth = np.array([[5, 5, 5, 5], [5, 3, 3, 3]], np.uint8)
    owner, pure = owners(patches, truth)
    assert owner[1] == 5 and pure[1]
    assert not pure[2] and not pure[0]


def test_the_shipped_network_judges_views_it_has_not_seen():
    found = by_geometry(next(draw(SEED, 1, ProceduralSource())))
    assert len(found.truth) > 20
    assert 0 < found.truth.mean() < 0.9
    assert accuracy(trained_network(), found) > 0.85


def test_a_folder_without_views_names_the_command(tmp_path):
    with pytest.raises(InputError, match=r'training\.views'):
        view_files(tmp_path)
