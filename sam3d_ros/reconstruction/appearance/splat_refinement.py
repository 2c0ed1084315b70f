# SPDX-License-Identifier: Apache-2.0
"""Gaussians of an object trained on its kept views, where ``gsplat`` has a GPU.

The loss and its optimiser are those of 3D Gaussian Splatting (Kerbl et al., 2023) without the
structural term; nothing is added or removed, since the surface is known. The mask is learned too:
the object must cover it, and nothing that no other thing hides beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np

from sam3d_ros.core.solids import Gaussians
from sam3d_ros.core.types import FloatArray
from sam3d_ros.geometry.transforms import inverse
from sam3d_ros.reconstruction.views import View

STEPS = 300
RATES = {'means': 2e-4, 'quats': 1e-3, 'scales': 5e-3, 'opacities': 2e-2, 'colors': 5e-3}
"""Learning rates; of the means metres over the object's size."""
MASK_WEIGHT = 0.5


def can_refine() -> bool:
    """Return whether ``gsplat`` and a GPU for it are there."""
    if find_spec('gsplat') is None or find_spec('torch') is None:
        return False
    import torch

    return bool(torch.cuda.is_available())


def refined(
    gaussians: Gaussians,
    views: Sequence[View],
    T_ref_obj: FloatArray,
    *,
    device: str = 'cuda',
    steps: int = STEPS,
) -> Gaussians:
    """Return Gaussians that look more like the views do.

    :param gaussians: of the object, object frame.
    :param views: all with the same ref.
    :param T_ref_obj: (4, 4) object frame to the views' ref.
    :param device: of torch.
    :param steps: of the optimiser; each draws one view.
    """
    import torch
    from gsplat import rasterization

    def tensor(values: Any) -> Any:
        return torch.tensor(np.asarray(values, np.float32), device=device)

    targets = [
        (
            tensor(view.rgb / 255.0),
            tensor(view.mask),
            # Where something else hides it, or it may be seen through, nothing is learned.
            tensor(view.mask | ~view.foreign),
            tensor(inverse(view.T_ref_cam) @ T_ref_obj),
            tensor(view.camera.K),
        )
        for view in views
    ]
    opacities = np.clip(gaussians.opacities, 0.01, 0.99)
    learned = {
        'means': tensor(gaussians.means_m),
        'quats': tensor(np.roll(gaussians.quaternions, 1, axis=1)),
        'scales': tensor(np.log(gaussians.sigmas_m)),
        'opacities': tensor(np.log(opacities / (1 - opacities))),
        'colors': tensor(gaussians.colors),
    }
    size_m = float(np.ptp(gaussians.means_m, axis=0).max())
    groups = []
    for name, values in learned.items():
        values.requires_grad_(True)
        rate = RATES[name] * (size_m if name == 'means' else 1.0)
        groups.append({'params': [values], 'lr': rate})
    optimiser = torch.optim.Adam(groups)
    for step in range(steps):
        rgb, mask, counts, T_cam_obj, K = targets[step % len(targets)]
        drawn, alpha, _ = rasterization(
            learned['means'],
            learned['quats'],
            learned['scales'].exp(),
            learned['opacities'].sigmoid(),
            learned['colors'],
            T_cam_obj[None],
            K[None],
            rgb.shape[1],
            rgb.shape[0],
        )
        off = (drawn[0] - rgb * mask[..., None]).abs().mean(dim=2) * counts
        uncovered = (alpha[0, ..., 0] - mask).abs() * counts
        loss = (off + MASK_WEIGHT * uncovered).sum() / mask.sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    made = {name: values.detach().cpu().numpy() for name, values in learned.items()}
    quaternions = np.roll(made['quats'], -1, axis=1)
    return Gaussians(
        made['means'],
        quaternions / np.linalg.norm(quaternions, axis=1, keepdims=True),
        np.exp(made['scales']),
        np.clip(made['colors'], 0.0, 1.0),
        1.0 / (1.0 + np.exp(-made['opacities'])),
    )
