# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from sam3d_ros.core.types import Camera
from sam3d_ros.training.volume.sensor import (
    BASELINE_M,
    NO_ERRORS,
    DepthErrors,
    corrupt_depth,
    corrupt_mask,
)

CAMERA = Camera(160, 120, np.array([[130.0, 0, 79.5], [0, 130.0, 59.5], [0, 0, 1]]))


def flat(depth_m: float) -> tuple[np.ndarray, np.ndarray]:
    return np.full((120, 160), depth_m, np.float32), np.ones((120, 160), np.float32)


def test_no_errors_change_nothing() -> None:
    depth, cosine = flat(0.8)
    seen = corrupt_depth(depth, cosine, CAMERA, NO_ERRORS, np.random.default_rng(0))
    assert np.array_equal(seen, depth)


@pytest.mark.parametrize('depth_m', [0.4, 1.4])
def test_axial_noise_grows_as_published(depth_m: float) -> None:
    depth, cosine = flat(depth_m)
    errors = DepthErrors(1.0, 0.0, 0.0, False, 0.0)
    seen = corrupt_depth(depth, cosine, CAMERA, errors, np.random.default_rng(0))
    assert seen.std() == pytest.approx(0.0012 + 0.0019 * (depth_m - 0.4) ** 2, rel=0.15)


def test_projector_shadow_has_the_width_of_the_parallax() -> None:
    depth, cosine = flat(1.0)
    depth[:, 60:100] = 0.5
    errors = DepthErrors(0.0, 0.0, 0.0, True, 0.0)
    seen = corrupt_depth(depth, cosine, CAMERA, errors, np.random.default_rng(0))
    lost = np.flatnonzero(np.isnan(seen).all(axis=0))
    assert len(lost) == pytest.approx(CAMERA.fx * BASELINE_M * (1 / 0.5 - 1 / 1.0), abs=2)
    assert np.isfinite(seen[:, 60:100]).all()


def test_grazing_and_empty_rays_return_nothing() -> None:
    depth, cosine = flat(0.8)
    depth[0], cosine[1] = np.inf, 0.05
    errors = DepthErrors(1.0, 0.0, 0.0, False, 0.0)
    seen = corrupt_depth(depth, cosine, CAMERA, errors, np.random.default_rng(0))
    assert np.isnan(seen[:2]).all() and np.isfinite(seen[2:]).all()


def test_wrong_masks_stay_near_the_object() -> None:
    mask = np.zeros((120, 160), bool)
    mask[40:80, 60:100] = True
    ious = []
    for seed in range(40):
        wrong = corrupt_mask(mask, None, np.random.default_rng(seed))
        ious.append((wrong & mask).sum() / (wrong | mask).sum())
        rows, columns = np.nonzero(wrong)
        assert rows.min() >= 30 and rows.max() < 90 and columns.min() >= 50
    assert min(ious) > 0.5 and max(ious) == 1.0 and np.mean(ious) < 0.97
