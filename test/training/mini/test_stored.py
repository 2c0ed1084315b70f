# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import numpy as np

from sam3d_ros.segmentation.mini.inputs import Observation
from sam3d_ros.training.mini.stored import View, load, store


def _view() -> View:
    rng = np.random.default_rng(0)
    z = rng.uniform(0.5, 1.5, (48, 64)).astype(np.float32)
    z[:5, :7] = 0
    x, y = np.meshgrid(np.linspace(-0.5, 0.5, 64), np.linspace(-0.4, 0.4, 48))
    points = np.stack([x * z, y * z, z], axis=-1).astype(np.float32)
    normal = rng.normal(size=(48, 64, 3)).astype(np.float32)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    rgb = rng.integers(0, 256, (48, 64, 3), np.uint8)
    height = rng.uniform(-0.1, 0.5, (48, 64)).astype(np.float32)
    return View(
        Observation(rgb, points, normal, height), rng.integers(0, 5, (48, 64), dtype=np.uint8)
    )


def test_a_view_comes_back_within_the_stored_steps(tmp_path: Path) -> None:
    view = _view()
    store(tmp_path / 'view.npz', view)
    again = load(tmp_path / 'view.npz')
    assert np.array_equal(again.seen.rgb, view.seen.rgb)
    assert np.array_equal(again.instances, view.instances)
    assert np.array_equal(again.seen.valid, view.seen.valid)
    np.testing.assert_allclose(again.seen.points, view.seen.points, atol=1.1e-4)
    np.testing.assert_allclose(again.seen.normal, view.seen.normal, atol=5e-3)
    np.testing.assert_allclose(again.seen.height, view.seen.height, atol=6e-5)
    assert not list(tmp_path.glob('*.part'))
