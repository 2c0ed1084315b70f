# SPDX-License-Identifier: Apache-2.0
"""Things that have hardly any depth: their silhouette gives the size, and they say how unsure."""

from dataclasses import replace

import numpy as np
import pytest

from sam3d_ros.reconstruction.completion.completer import Completer, Job
from sam3d_ros.reconstruction.config import ReconstructionConfig
from sam3d_ros.reconstruction.evidence.grid import fit_grid
from sam3d_ros.reconstruction.surface.confidence import scale_sigma
from sam3d_ros.reconstruction.views import crop_view

BOX_M = (0.08, 0.12, 0.10)


@pytest.fixture(scope='module')
def view(scenes):
    frame, instances = scenes.see([scenes.Box((0, 0, 0.05), BOX_M)], noise_seed=0)
    return crop_view(frame, instances, 0)


@pytest.fixture(scope='module')
def blind(view):
    """All but some 5 % of the returns are gone, those in the middle of the mask."""
    own = np.argwhere(view.own)
    far = np.linalg.norm(own - own.mean(axis=0), axis=1)
    lost = own[np.argsort(far)[len(own) // 20 :]]
    pointmap = view.pointmap.copy()
    pointmap[lost[:, 0], lost[:, 1]] = np.nan
    return replace(view, pointmap=pointmap)


def test_the_volume_holds_the_silhouette(view, blind):
    config = ReconstructionConfig().evidence
    whole, part = (fit_grid([one], config) for one in (view, blind))
    assert 0.75 < part.voxel_m / whole.voxel_m < 1.5
    middle = part.T_ref_grid[:3, 3]
    assert np.abs(middle - whole.T_ref_grid[:3, 3]).max() < 0.04


def test_a_shape_of_the_right_size_that_knows_it_is_unsure(view, blind):
    completer = Completer(ReconstructionConfig())
    shapes = [completer.complete([Job(1, (one,), 'volume')])[0].shape for one in (view, blind)]
    seen, guessed = shapes
    sizes = np.sort(np.ptp(guessed.mesh.vertices_m, axis=0)) / np.sort(BOX_M)
    assert np.abs(np.log(sizes)).max() < 2.0 * guessed.scale_sigma
    assert sizes.max() > 0.7
    assert guessed.scale_sigma > 3.0 * seen.scale_sigma
    confidence = [shape.mesh.face_confidence.mean() for shape in shapes]
    assert confidence[1] < confidence[0] - 0.2


def test_what_was_seen_needs_no_silhouette(view):
    config = ReconstructionConfig().evidence
    narrow = replace(view, mask=view.own)
    assert fit_grid([narrow], config).voxel_m == fit_grid([view], config).voxel_m


def test_sigma_grows_with_what_is_missing():
    box = np.array([[0, 0, 0], [0.1, 0.1, 0.1]], np.float32)
    sigmas = [scale_sigma(box, 0.002, 0.9, share) for share in (0.0, 0.1, 0.5, 0.95)]
    assert sigmas == sorted(sigmas)
    assert sigmas[1] < 1.05 * sigmas[0]
    assert sigmas[3] > 0.3
