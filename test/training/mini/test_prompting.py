# SPDX-License-Identifier: Apache-2.0
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sam3d_ros.training.mini.prompting import random_prompts


def _truth() -> np.ndarray:
    truth = np.zeros((120, 160), np.uint8)
    truth[20:50, 30:70], truth[60:100, 90:130], truth[5:8, 5:8] = 1, 2, 3
    return truth


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_clicks_on_are_inside_and_clicks_off_outside_of_what_is_wanted(seed: int) -> None:
    truth = _truth()
    asked = random_prompts(truth, 5, np.random.default_rng(seed))
    for points, labels, wanted in zip(
        asked.question.points, asked.question.labels, asked.wanted, strict=True
    ):
        for (x, y), label in zip(points, labels, strict=True):
            if label in (0, 1):
                hit = truth[int(y * 120), int(x * 160)] == wanted
                assert hit == (label == 1)


def test_things_too_small_are_not_asked_for() -> None:
    wanted = [
        thing
        for seed in range(20)
        for thing in random_prompts(_truth(), 4, np.random.default_rng(seed)).wanted
    ]
    assert set(wanted) == {1, 2}


def test_nothing_is_asked_for_where_there_is_nothing() -> None:
    empty = np.zeros((120, 160), np.uint8)
    asked = random_prompts(empty, 3, np.random.default_rng(0))
    assert not asked.wanted.any()
    assert (asked.question.labels == -1).all()
    assert asked.question.outline.shape == (3, 4, 30, 40)
