# SPDX-License-Identifier: Apache-2.0
"""Training of Gaussians on views, with a stand-in of gsplat's rasteriser on the CPU."""

import sys
from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest

from sam3d_ros.core.solids import Gaussians
from sam3d_ros.core.types import Camera
from sam3d_ros.reconstruction.appearance import splat_refinement
from sam3d_ros.reconstruction.views import crop_view

torch = pytest.importorskip('torch', reason='training needs torch (extra: train)')

PLACES, STEP = 4, 4


def rasterization(means, quats, scales, opacities, colors, viewmats, Ks, width, height):
    """Draw round Gaussians with gsplat's signature: normalised, without an order in depth."""
    points = means @ viewmats[0, :3, :3].T + viewmats[0, :3, 3]
    pixels = points @ Ks[0].T
    pixels = pixels[:, :2] / pixels[:, 2:]
    sigma = Ks[0, 0, 0] * scales.mean(dim=1) / points[:, 2]
    rows, columns = torch.meshgrid(
        torch.arange(height, dtype=torch.float32),
        torch.arange(width, dtype=torch.float32),
        indexing='ij',
    )
    off = (columns[..., None] - pixels[:, 0]) ** 2 + (rows[..., None] - pixels[:, 1]) ** 2
    weight = opacities * torch.exp(-0.5 * off / sigma**2)
    alpha = 1 - torch.exp(-weight.sum(dim=2, keepdim=True))
    mixed = weight @ colors / weight.sum(dim=2, keepdim=True).clamp(min=1e-6)
    return (mixed * alpha)[None], alpha[None], {}


@pytest.fixture
def gsplat(monkeypatch):
    made = ModuleType('gsplat')
    made.rasterization = rasterization
    monkeypatch.setitem(sys.modules, 'gsplat', made)


def test_gaussians_take_on_what_the_views_show(gsplat, scenes):
    frame, instances = scenes.see([scenes.Ball((0.0, 0.0, 0.05), 0.05)])
    view = crop_view(frame, instances, 0)
    K = view.camera.K.copy()
    K[:2] /= STEP
    mask = view.mask[::STEP, ::STEP]
    view = replace(
        view,
        rgb=np.full((*mask.shape, 3), 200, np.uint8),
        mask=mask,
        foreign=view.foreign[::STEP, ::STEP],
        camera=Camera(mask.shape[1], mask.shape[0], K),
    )
    grid = np.linspace(-0.03, 0.03, PLACES)
    means = np.stack(np.meshgrid(grid, grid, grid + 0.05), axis=-1).reshape(-1, 3)
    count = len(means)
    start = Gaussians(
        means.astype(np.float32),
        np.tile(np.float32([0, 0, 0, 1]), (count, 1)),
        np.full((count, 3), 0.012, np.float32),
        np.full((count, 3), 0.2, np.float32),
        np.full(count, 0.5, np.float32),
    )
    made = splat_refinement.refined(start, [view], np.eye(4), device='cpu', steps=50)
    before, after = (np.abs(one.colors - 200 / 255).mean() for one in (start, made))
    assert after < 0.7 * before
    np.testing.assert_allclose(np.linalg.norm(made.quaternions, axis=1), 1, atol=1e-5)
    assert np.abs(made.means_m - start.means_m).max() < 0.01
    assert not np.array_equal(made.opacities, start.opacities)


def test_without_gsplat_nothing_is_trained():
    assert splat_refinement.can_refine() is False
