# SPDX-License-Identifier: Apache-2.0
"""Networks fill what was not measured, aligned or not at all; tiny random checkpoints."""

import logging

import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='needs the extra: sam')

from sam3d_ros.core.errors import BackendError
from sam3d_ros.core.registry import make_backend
from sam3d_ros.geometry.transform_tree import TransformTree
from sam3d_ros.pointmaps.monocular.inferring import Inferred

RANGES_M = np.linspace(1.0, 3.0, 96 * 72, dtype=np.float32).reshape(72, 96)


@pytest.fixture(params=['relative', 'metric', 'prompt', 'pro'])
def source(request, checkpoints, networked):
    config = networked(request.param, checkpoints(request.param))
    made = make_backend('range', config.range, config)
    made.kind = request.param
    return made


def test_the_checkpoint_answers_at_the_image_s_size_in_its_unit(source, seen):
    color, depth = seen(RANGES_M)
    ranges = source._measured(color, depth, TransformTree())
    found = source.network.infer(color, ranges, TransformTree())
    assert found.values.shape == (72, 96) and np.isfinite(found.values).all()
    says_disparity = {'relative': True, 'metric': False, 'prompt': False, 'pro': True}
    assert found.is_disparity == says_disparity[source.kind]


def test_depth_pro_says_disparity_by_the_camera_s_own_focal_length(checkpoints, networked, seen):
    config = networked('pro', checkpoints('pro'))
    network = make_backend('range', config.range, config).network
    color, _ = seen(RANGES_M)
    canonical = network._answer(color.rectified, (32, 32), ((0.5,) * 3, (0.5,) * 3))
    found = network.infer(color, None, TransformTree()).values
    assert np.allclose(found, canonical * 96 / 80.0, rtol=1e-5)


def test_a_prompt_reaches_the_network(checkpoints, networked, seen):
    config = networked('prompt', checkpoints('prompt'))
    source = make_backend('range', config.range, config)
    answers = []
    for scale in (1.0, 2.0):
        color, depth = seen(RANGES_M * np.float32(scale))
        depth.depth_m[20:40, 30:60] = np.nan
        ranges = source._measured(color, depth, TransformTree())
        answers.append(source.network.infer(color, ranges, TransformTree()).values)
    # The same prompt in another unit gives the same answer in that unit.
    assert np.allclose(answers[1], 2 * answers[0], rtol=1e-3)
    assert answers[0].min() > 0.5


@pytest.mark.parametrize('is_disparity', [True, False])
def test_gaps_get_inferred_range_that_agrees_with_what_was_measured(
    source, seen, monkeypatch, is_disparity
):
    says = 0.3 / RANGES_M + 0.1 if is_disparity else 0.3 * RANGES_M + 0.1
    monkeypatch.setattr(
        source.network, 'infer', lambda *_: Inferred(says.astype(np.float32), is_disparity)
    )
    measured = RANGES_M.copy()
    measured[20:50, 30:60] = np.nan
    found = source.range_of(*seen(measured), TransformTree())
    hole = np.isnan(measured)
    assert np.array_equal(~found.measured, hole)
    assert np.allclose(found.depth_m[hole], RANGES_M[hole], rtol=0.01)
    assert np.array_equal(found.depth_m[~hole], RANGES_M[~hole])
    assert (found.sigma_m[hole] > 0).all() and found.sigma_m[hole].max() < 0.05


def test_what_cannot_be_aligned_is_left_out_and_said_once(source, seen, caplog):
    measured = np.full((72, 96), 2.0, np.float32)
    measured[20:50, 30:60] = np.nan
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            found = source.range_of(*seen(measured), TransformTree())
    assert np.isnan(found.depth_m[20:50, 30:60]).all() and found.measured is None
    assert len([line for line in caplog.records if 'nothing is inferred' in line.message]) == 1


def test_a_checkpoint_that_is_none_is_refused(tmp_path, checkpoints, networked):
    config = networked('metric', tmp_path / 'nothing')
    with pytest.raises(BackendError, match='no checkpoint'):
        make_backend('range', config.range, config)


def test_a_checkpoint_of_another_kind_is_refused(checkpoints, networked):
    config = networked('pro', checkpoints('metric'))
    with pytest.raises(BackendError, match=r'tensors|of the kind "depth_anything"'):
        make_backend('range', config.range, config)
