# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='the train extra is not installed')
pytest.importorskip('accelerate', reason='the train extra is not installed')

from torch import Tensor, nn

from sam3d_ros.reconstruction.volume_input import CHANNELS
from sam3d_ros.training.volume.ablation import FINE, logits
from sam3d_ros.training.volume.objects import write_pool
from sam3d_ros.training.volume.samples import SceneOptions, scene_samples


class Echo(nn.Module):
    """Says that what was observed is inside."""

    def forward(self, channels: Tensor) -> tuple[Tensor, Tensor]:
        surface = channels[:, CHANNELS.index('surface')]
        return surface, surface


@pytest.mark.parametrize('grid', [FINE, 32])
def test_logits_lie_where_they_belong_on_the_scoring_grid(tmp_path: Path, grid: int) -> None:
    write_pool(tmp_path, None, 2)
    pool = sorted(tmp_path.glob('solid_*.npz')), []
    given, fine = (
        next(scene_samples(3, pool, SceneOptions(noise=False, grid=size))) for size in (grid, FINE)
    )
    found = logits(Echo(), '', given)
    assert found.shape == (FINE,) * 3
    near = np.abs(fine.distance_m[found > 0.5]) / fine.evidence.grid.voxel_m
    assert len(near) > 20 and np.median(near) < 1.0
    assert logits(Echo(), 'surface', given).max() == 0.0
