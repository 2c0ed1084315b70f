# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='the train extra is not installed')
pytest.importorskip('accelerate', reason='the train extra is not installed')

from torch import Tensor, nn

from sam3d_ros.reconstruction.completion.volume_input import CHANNELS
from sam3d_ros.training.volume.ablation import logits
from sam3d_ros.training.volume.samples import GRID, samples_of
from sam3d_ros.training.volume.worlds import WorldOptions, draw_world
from sam3d_ros.world.sources import ProceduralSource


class Echo(nn.Module):
    """Says that what was observed is inside."""

    def forward(self, channels: Tensor) -> tuple[Tensor, Tensor]:
        surface = channels[:, CHANNELS.index('surface')]
        return surface, surface


def test_logits_lie_where_they_belong_on_the_scoring_grid() -> None:
    options = WorldOptions(noise=False, suites=('single',))
    world = draw_world(1, ProceduralSource(('box', 'can')), options)
    fine = next(samples_of(world, False, GRID))
    for grid in (GRID, 32):
        given = next(samples_of(world, False, grid))
        found = logits(Echo(), '', given)
        assert found.shape == (GRID,) * 3
        near = np.abs(fine.distance_m[found > 0.5]) / fine.evidence.grid.voxel_m
        assert len(near) > 20 and np.median(near) < 1.0
        assert logits(Echo(), 'surface', given).max() == 0.0
