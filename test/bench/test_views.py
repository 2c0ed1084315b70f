# SPDX-License-Identifier: Apache-2.0
"""The bench of masks in 3D on two boxes: what is clicked, what is scored, what is drawn."""

import numpy as np
import pytest

pytest.importorskip('open3d', reason='worlds need the extra: bench')

from sam3d_ros.bench import views
from sam3d_ros.bench.harness import BenchOptions

BOXES = [
    ((-0.08, 0, 0.05), (0.1, 0.1, 0.1), (200, 0, 0)),
    ((0.08, 0, 0.03), (0.06,) * 3, (0, 200, 0)),
]


@pytest.fixture(scope='module')
def scene(boxes_world):
    """Return frames and index images (0 = no object) from three sides."""
    eyes = [(-0.3, -0.6, 0.4), (0.0, -0.7, 0.4), (0.3, -0.6, 0.4)]
    drawn = [boxes_world(eye, BOXES, k, size=(240, 180)) for k, eye in enumerate(eyes, start=1)]
    return [frame for frame, _ in drawn], [index + 1 for _, index in drawn]


def clicked(scene, value, answered=None):
    frames, truth = scene
    by_stamp = {frame.stamp_ns: index for frame, index in zip(frames, truth, strict=True)}
    segmenter = views.Truth(by_stamp, answered or value)
    return views._click('box', frames, truth, value, segmenter, BenchOptions())


def test_true_answers_are_nearly_right_in_every_view(scene):
    found = clicked(scene, 1)
    assert len(found.iou) == 2
    assert found.mean > 0.95
    assert found.first_iou == 1.0
    assert found.worst.caption.startswith('box: mean IoU ')
    assert (found.worst.image == views.TRUE).all(axis=-1).any()


def test_what_was_not_meant_scores_nothing(scene):
    assert clicked(scene, 1, answered=2).mean == 0.0
    assert clicked(scene, 1, answered=9).mean == 0.0  # no answer at all


def test_small_objects_are_left_out(scene, monkeypatch):
    monkeypatch.setattr(views, 'LEAST_PX', 100_000)
    assert clicked(scene, 1) is None


def test_figures_by_hand(scene):
    found = clicked(scene, 1)
    miss = views.Clicked('other', [0.0, 0.5], 0.25, found.worst)
    figures = views._figures([found, miss])
    assert figures['objects'] == 2.0
    assert figures['mean_iou'] == pytest.approx((found.mean + 0.25) / 2)
    assert figures['share_above_75'] == 0.5
    assert figures['clicked_view_iou'] == pytest.approx(np.mean([1.0, 0.25]))
