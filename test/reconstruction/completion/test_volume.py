# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sam3d_ros.core.config import build
from sam3d_ros.core.errors import BackendError
from sam3d_ros.core.pretrained.weights import file_hash, find_weights
from sam3d_ros.core.registry import load_backend
from sam3d_ros.core.types import Camera, Plane
from sam3d_ros.geometry.cameras import pointmap_from_depth, rays
from sam3d_ros.reconstruction.completion.completion import Completion
from sam3d_ros.reconstruction.completion.volume import VolumeCompletion
from sam3d_ros.reconstruction.completion.volume_input import (
    CHANNELS,
    LARGEST_VOXEL_M,
    volume_input,
)
from sam3d_ros.reconstruction.config import EvidenceConfig, ReconstructionConfig
from sam3d_ros.reconstruction.evidence.evidence import Evidence, build_evidence
from sam3d_ros.reconstruction.views import View

SHA256 = '213ba550038b02442eb5147f0f64e3786176254495b4e732eb823eef527b6553'
SHA256_INFERRED = '3efa4d6f4b7d373aa400e2c04209a6252da236c8cf001d061cebc31b25025052'
GOLDEN_INSIDE = 29997
GOLDEN_MEAN = 0.266767
"""Voxels inside and mean probability of the ball below, as first computed by the shipped file."""


def ball(radius_m: float, sigma_m: float | None = None) -> tuple[Evidence, np.ndarray]:
    """Evidence and true signed distance of a ball on a table, seen from 45 degrees above.

    :param sigma_m: its range was not measured, but inferred with this error.
    """
    camera = Camera(160, 120, np.array([[260.0, 0, 79.5], [0, 260.0, 59.5], [0, 0, 1]]))
    direction = rays(camera).astype(np.float64)
    centre = np.array([0.0, 0.0, 0.7])
    up = np.array([0.0, -1.0, -1.0]) / np.sqrt(2)
    a, b = (direction**2).sum(-1), direction @ centre
    inside = b**2 - a * (centre @ centre - radius_m**2)
    table = (up @ (centre - radius_m * up)) / (direction @ up)
    depth = np.where(inside > 0, (b - np.sqrt(np.maximum(inside, 0))) / a, table)
    view = View(
        pointmap=pointmap_from_depth(depth.astype(np.float32), camera),
        rgb=np.zeros((120, 160, 3), np.uint8),
        mask=inside > 0,
        foreign=np.zeros((120, 160), bool),
        camera=camera,
        T_ref_cam=np.eye(4),
        up_cam=up,
        support=Plane(up, float(radius_m - up @ centre)),
        measured=None if sigma_m is None else inside <= 0,
        range_sigma_m=None if sigma_m is None else np.full((120, 160), sigma_m, np.float32),
    )
    evidence = build_evidence([view], EvidenceConfig())
    T = evidence.grid.T_ref_grid
    points = evidence.grid.centres_m() @ T[:3, :3].T + T[:3, 3]
    return evidence, np.linalg.norm(points - centre, axis=-1) - radius_m


@pytest.fixture(scope='module')
def seen() -> Evidence:
    return ball(0.05)[0]


@pytest.fixture(scope='module')
def backend() -> VolumeCompletion:
    return VolumeCompletion(ReconstructionConfig())


@pytest.fixture(scope='module')
def completed(backend: VolumeCompletion) -> tuple[Evidence, np.ndarray, Completion]:
    evidence, truth = ball(0.05)
    return evidence, truth, backend.complete([evidence])[0]


def iou(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / (a | b).sum())


def test_backend_is_registered() -> None:
    assert load_backend('reconstruction', 'volume') is VolumeCompletion


def test_shipped_file_is_the_one_these_numbers_are_of(root: Path) -> None:
    assert file_hash(root / 'models' / 'volume_48.onnx') == SHA256
    assert find_weights('volume').sha256 == SHA256
    assert file_hash(root / 'models' / 'volume_48_inferred.onnx') == SHA256_INFERRED
    assert find_weights('volume-inferred').sha256 == SHA256_INFERRED


def test_golden_output(completed: tuple[Evidence, np.ndarray, Completion]) -> None:
    _, _, completion = completed
    inside = int((completion.probability > 0.5).sum())
    assert inside == pytest.approx(GOLDEN_INSIDE, rel=0.002)
    assert float(completion.probability.mean()) == pytest.approx(GOLDEN_MEAN, rel=0.002)


def test_hidden_side_of_a_ball_is_found(
    completed: tuple[Evidence, np.ndarray, Completion],
) -> None:
    evidence, distance, completion = completed
    truth = distance < 0
    assert iou(completion.probability > 0.5, truth) > 0.8
    assert iou(completion.distance_m < 0, truth) > 0.8
    hidden = evidence.occluded.astype(bool)
    behind = completion.probability > 0.5
    assert iou(behind & hidden, truth & hidden) > iou(hidden, truth & hidden)


def test_distance_is_metric(completed: tuple[Evidence, np.ndarray, Completion]) -> None:
    evidence, distance, completion = completed
    assert completion.distance_m.dtype == completion.probability.dtype == np.float32
    assert np.abs(completion.distance_m).max() <= evidence.truncation_m * 1.001
    near = np.abs(distance) < evidence.grid.voxel_m
    error = np.abs(completion.distance_m - distance)[near]
    assert np.median(error) < 0.5 * evidence.grid.voxel_m


def test_batch_and_single_agree(backend: VolumeCompletion) -> None:
    several = [ball(radius)[0] for radius in (0.03, 0.05, 0.04, 0.045, 0.035)]
    together = backend.complete(several)
    assert len(together) == 5
    alone = backend.complete([several[4]])[0]
    assert np.allclose(together[4].probability, alone.probability, atol=1e-4)
    assert together[4].weights_hash == SHA256 and together[4].backend == 'volume'


def test_inferred_range_is_completed_by_weights_that_trust_it_less(
    backend: VolumeCompletion,
) -> None:
    (measured, truth), (inferred, _) = ball(0.05), ball(0.05, sigma_m=0.02)
    several = [inferred, measured, inferred]
    first, second, third = backend.complete(several)
    assert [item.weights_hash for item in (first, second, third)] == [
        SHA256_INFERRED,
        SHA256,
        SHA256_INFERRED,
    ]
    np.testing.assert_array_equal(first.probability, third.probability)
    assert iou(first.probability > 0.5, truth < 0) > 0.6

    def doubt(completion: Completion) -> float:
        p = completion.probability[inferred.free == 0]
        return float((p * (1 - p)).mean())

    assert doubt(first) > 1.5 * doubt(second)


def test_nothing_to_complete_is_no_work(backend: VolumeCompletion) -> None:
    assert list(backend.complete([])) == []


def test_another_grid_is_refused() -> None:
    with pytest.raises(BackendError, match='48'):
        VolumeCompletion(build(ReconstructionConfig, {'evidence': {'grid': 64}}))


def channel(evidence: Evidence, name: str) -> np.ndarray:
    return volume_input(evidence)[CHANNELS.index(name)]


def test_flags_are_copied(seen: Evidence) -> None:
    for name in ('free', 'outside', 'occluded', 'blocked', 'unseen', 'below'):
        assert np.array_equal(channel(seen, name), 255 * getattr(seen, name)), name
        assert name in ('blocked', 'unseen') or channel(seen, name).any(), name


def test_distance_runs_over_the_truncation(seen: Evidence) -> None:
    back = (channel(seen, 'distance') / 127.5 - 1.0) * seen.truncation_m
    assert np.abs(back - seen.distance_m).max() <= seen.truncation_m / 255 + 1e-6


def test_height_is_zero_below_and_grows_by_a_voxel(seen: Evidence) -> None:
    height = channel(seen, 'height').astype(int)
    assert not height[seen.below > 0].any()
    column = height[24, 24]
    steps = np.diff(column[column > 0])
    assert np.abs(steps - 255 / seen.grid.size).max() <= 1.0


def test_no_support_is_a_height_of_zero(seen: Evidence) -> None:
    assert not channel(replace(seen, support_m=None), 'height').any()


def test_voxel_tells_the_size(seen: Evidence) -> None:
    expected = round(255 * seen.grid.voxel_m / LARGEST_VOXEL_M)
    assert (channel(seen, 'voxel') == expected).all() and 0 < expected < 255
    large = replace(seen, grid=replace(seen.grid, voxel_m=0.5))
    assert (channel(large, 'voxel') == 255).all()


def test_colour_stands_where_points_were_seen_and_nowhere_else(seen: Evidence) -> None:
    points, size = seen.points, seen.grid.size
    left = points.points_m[:, 1] > 0
    colors = np.where(left[:, None], [250, 40, 10], [20, 60, 200]).astype(np.uint8)
    shown = replace(seen, points=replace(points, colors=colors))
    rgb = np.stack([channel(shown, name) for name in ('red', 'green', 'blue')], axis=-1)
    voxels = np.rint(seen.grid.coordinates(points.points_m.astype(np.float64))).astype(int)
    blocks = np.zeros((size // 2,) * 3, bool)
    blocks[tuple(voxels.T // 2)] = True
    filled = blocks.repeat(2, 0).repeat(2, 1).repeat(2, 2)
    assert np.array_equal(rgb.any(axis=-1), filled)
    own = rgb[tuple(voxels.T)].astype(int)
    middle = size // 2 - 1
    away = np.abs(voxels[:, 1] - middle) > 2
    assert np.array_equal(own[away], colors[away])


def test_points_without_colour_are_black(seen: Evidence) -> None:
    black = replace(seen.points, colors=np.zeros_like(seen.points.colors))
    assert not channel(replace(seen, points=black), 'red').any()
