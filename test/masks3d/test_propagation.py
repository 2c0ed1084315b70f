# SPDX-License-Identifier: Apache-2.0
"""One click to masks in all views, with answers that are right, wrong or of two things."""

import numpy as np
import pytest

from sam3d_ros.core.errors import PromptError
from sam3d_ros.core.types import PointPrompt
from sam3d_ros.masks3d.config import Masks3DConfig
from sam3d_ros.masks3d.propagation import find_in_views

CONFIG = Masks3DConfig()


def found_in(views, oracle, click, config=CONFIG, number=0):
    return find_in_views(
        lambda: ((k, frame) for k, (frame, _) in enumerate(views)), number, click, oracle, config
    )


def mean_iou(found, views, box=0):
    iou = []
    for k, (frame, index) in enumerate(views):
        mask, truth = found.mask_in(k, frame), index == box
        iou.append((mask & truth).sum() / (mask | truth).sum())
    return float(np.mean(iou))


def test_a_click_gives_the_object_in_every_view(views, oracle, click) -> None:
    found = found_in(views, oracle, click)
    assert sorted(found.answers) == list(range(len(views)))
    assert found.rejected == ()
    assert mean_iou(found, views) > 0.97
    points = found.surfels()[0].points_fixed
    low, high = points.min(axis=0), points.max(axis=0)
    np.testing.assert_allclose(low, [-0.05, -0.06, 0.0], atol=0.006)
    np.testing.assert_allclose(high, [0.05, 0.06, 0.1], atol=0.006)


def test_a_view_that_answers_something_else_is_rejected(views, oracle, click) -> None:
    frame, index = views[3]
    oracle.wrong[frame.stamp_ns] = index == 1
    found = found_in(views, oracle, click)
    assert found.rejected == (3,)
    assert 3 not in found.answers
    assert mean_iou(found, views) > 0.95


def test_what_one_view_melts_together_falls_apart(views, oracle, click) -> None:
    frame, index = views[0]
    oracle.wrong[frame.stamp_ns] = index >= 0
    found = found_in(views, oracle, click)
    assert mean_iou(found, views) > 0.95


def test_what_one_view_tears_off_comes_back(views, oracle, click) -> None:
    frame, index = views[4]
    half = index == 0
    half[:, : int(np.median(np.nonzero(half)[1]))] = False
    oracle.wrong[frame.stamp_ns] = half
    found = found_in(views, oracle, click)
    assert mean_iou(found, views) > 0.95


def test_a_prompt_in_the_middle_reaches_the_views_before_it(views, oracle) -> None:
    rows, columns = np.nonzero(views[4][1] == 0)
    click = PointPrompt(((float(np.median(columns)), float(np.median(rows))),), (1,))
    assert mean_iou(found_in(views, oracle, click, number=4), views) > 0.97


def test_views_are_prompted_with_points_on_the_object_and_the_mask(views, oracle, click) -> None:
    found_in(views, oracle, click)
    truth = {frame.stamp_ns: index for frame, index in views}
    asked = [(stamp, p) for stamp, p in oracle.asked[1:] if isinstance(p, PointPrompt)]
    assert len(asked) == len(views) - 1
    for stamp, prompt in asked:
        assert len(prompt.points_px) == CONFIG.points
        assert all(truth[stamp][round(v), round(u)] == 0 for u, v in prompt.points_px)


def test_prompts_that_mean_nothing_are_refused(views, oracle, click) -> None:
    with pytest.raises(PromptError, match='number of a view'):
        found_in(views, oracle, click, number=99)
    oracle.wrong[views[0][0].stamp_ns] = np.zeros_like(views[0][1], bool)
    with pytest.raises(PromptError, match='points at nothing'):
        found_in(views, oracle, click)
