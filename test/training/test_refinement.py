# SPDX-License-Identifier: Apache-2.0
"""Training of the refinement: what is drawn, what is taught, and where the network begins."""

import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='the train extra is not installed')
pytest.importorskip('accelerate', reason='the train extra is not installed')

from sam3d_ros.core.errors import InputError
from sam3d_ros.reconstruction.refinement.blocks import (
    COARSE_CHANNELS,
    FEATURES,
    FINE_CHANNELS,
)
from sam3d_ros.training.refinement.config import TrainingConfig
from sam3d_ros.training.refinement.export import ShippedNet
from sam3d_ros.training.refinement.loss import (
    block_iou,
    refinement_loss,
    taught,
)
from sam3d_ros.training.refinement.network import RefinementNet, doubled, scaled
from sam3d_ros.training.refinement.train import drawn_blocks

WALL = 1.6


@pytest.fixture
def folder(tmp_path):
    """Samples of one block whose wall is at low y; features that say so, and mirrored ones."""
    (tmp_path / 'train').mkdir()
    y = np.arange(20, dtype=np.float32) - 5.5
    truth = np.broadcast_to((np.abs(y) - 1.0)[:, None], (1, 20, 20, 20)) * (127 / 8)
    coarse = np.full((1, len(COARSE_CHANNELS), 12, 12, 12), 0, np.uint8)
    coarse[:, 0] = 128
    fine = np.zeros((1, len(FINE_CHANNELS), 24, 24, 24), np.uint8)
    features = np.zeros((1, FEATURES, 6, 6, 6), np.float16)
    features[:, :, :, 0] = 1.0
    for number in range(3):
        np.savez(
            tmp_path / 'train' / f'{number}.npz',
            coarse=coarse,
            fine=fine,
            features=features,
            mirrored=features[:, :, :, ::-1],
            truth=np.floor(truth).clip(-127, 127).astype(np.int8),
        )
    return tmp_path


def test_mirrored_blocks_come_with_what_the_network_sees_of_the_mirrored_volume(folder):
    config = TrainingConfig(data=str(folder), batch=32, pool=3)
    _, _, features, truth = next(drawn_blocks(config, 0, 0))
    low = (truth < 0)[:, :, :10].flatten(1).any(dim=1)
    assert 0 < low.sum() < len(low)
    assert torch.equal(features[:, 0, 0, 0, 0] > 0, low)
    with pytest.raises(InputError):
        next(drawn_blocks(TrainingConfig(data=str(folder), pool=4), 0, 0))


def test_the_truth_is_what_the_loss_asks_for(folder):
    config = TrainingConfig(data=str(folder), batch=8, pool=3)
    coarse, fine, _, truth = next(drawn_blocks(config, 0, 0))
    coarse, fine = scaled(coarse), scaled(fine)
    target, _, wall = taught(truth, WALL)
    assert block_iou(target, coarse, truth, WALL) == 1.0
    lost = refinement_loss(target.abs() + 0.5, wall, coarse, fine, truth, config)
    assert refinement_loss(target, wall, coarse, fine, truth, config) < 0.5 * lost


def test_a_network_that_has_learned_nothing_leaves_the_coarse_answer_as_it_is():
    network = RefinementNet().eval()
    coarse = torch.rand(2, len(COARSE_CHANNELS), 12, 12, 12)
    distance, thickness = network(
        coarse, torch.rand(2, len(FINE_CHANNELS), 24, 24, 24), torch.rand(2, FEATURES, 6, 6, 6)
    )
    assert torch.allclose(distance, doubled(16.0 * (coarse[:, 0, 1:-1, 1:-1, 1:-1] - 0.5)))
    assert not thickness.any()


def test_what_is_shipped_adds_half_of_the_answer_and_one_fine_voxel_at_most():
    torch.manual_seed(0)
    network = RefinementNet().eval()
    torch.nn.init.normal_(network.head.weight, std=3.0)
    block = (
        torch.rand(2, len(COARSE_CHANNELS), 12, 12, 12),
        torch.rand(2, len(FINE_CHANNELS), 24, 24, 24),
        torch.rand(2, FEATURES, 6, 6, 6),
    )
    before, change, thickness = network.parts(*block)
    distance, shipped_thickness = ShippedNet(network)(*block)
    added, small = distance - before, change.abs() < 1.9
    assert 0.1 < small.float().mean() < 0.9
    assert torch.allclose(added[small], 0.5 * change[small], atol=1e-5)
    assert added.abs().max() <= 1.0 + 1e-5
    assert torch.equal(shipped_thickness, thickness)
