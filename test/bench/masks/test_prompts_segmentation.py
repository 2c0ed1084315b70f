# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from sam3d_ros.bench.harness import BenchOptions
from sam3d_ros.bench.masks.prompts_segmentation import answered, ask, correction, parts
from sam3d_ros.bench.masks.scenes_segmentation import LabelledFrame
from sam3d_ros.core.types import BoxPrompt, Camera, Frame, Instance, Instances, PointPrompt


@pytest.fixture(scope='module')
def item() -> LabelledFrame:
    """Two things and a crumb; the left column has no depth."""
    camera = Camera(160, 120, np.array([[120.0, 0, 79.5], [0, 120.0, 59.5], [0, 0, 1]]))
    pointmap = np.ones((120, 160, 3), np.float32)
    pointmap[:, 0] = np.nan
    frame = Frame(1, 'c', camera, np.zeros((120, 160, 3), np.uint8), pointmap, 'c', np.eye(4))
    truth = np.zeros((120, 160), np.int32)
    truth[20:50, :40], truth[60:100, 90:130], truth[5:8, 5:8] = 1, 2, 3
    return LabelledFrame('made up', frame, truth, frame.depth_m > 0, np.zeros(truth.shape, bool))


class Half:
    """Answers every click with the thing below, every box with its left half."""

    def __init__(self, truth: np.ndarray) -> None:
        self._truth = truth

    def segment(
        self, frame: Frame, prompts: tuple[PointPrompt | BoxPrompt, ...] = ()
    ) -> Instances:
        if not prompts:
            return Instances(frame.stamp_ns)
        (prompt,) = prompts
        if isinstance(prompt, PointPrompt):
            column, row = (round(value) for value in prompt.points_px[0])
            mask = self._truth == self._truth[row, column]
        else:
            left, top, right, bottom = (round(value) for value in prompt.box_px)
            mask = np.zeros_like(self._truth, bool)
            mask[top:bottom, left : (left + right) // 2] = True
        return Instances(frame.stamp_ns, (Instance(mask, 1.0, (0, 0, 1, 1), 'half'),), ())


def test_every_thing_of_some_size_is_asked_for_by_a_click_inside_and_a_box(item) -> None:
    asked = list(ask(item, np.random.default_rng(0)))
    assert [kind for kind, _, _ in asked] == ['click', 'box'] * 2
    for kind, prompt, mask in asked:
        assert not mask[:, 0].any()  # pixels without depth carry no truth
        if kind == 'click':
            column, row = (int(value) for value in prompt.points_px[0])
            assert mask[row - 2 : row + 3, column - 2 : column + 3].all()
        else:
            rows, columns = np.nonzero(mask)
            tight = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
            assert np.abs(np.subtract(prompt.box_px, tight)).max() < 12


def test_scores_are_the_iou_of_the_first_answer(item) -> None:
    scores = answered(Half(item.truth), [item], seed=0)
    assert scores['click'] == scores['predicted'] == [1.0, 1.0]
    assert scores['box'] == pytest.approx([0.5, 0.5], abs=0.12)
    assert scores['corrected 2'] == [1.0, 1.0]


@pytest.mark.parametrize(('more', 'label'), [(slice(20, 30), 1), (slice(50, 60), 0)])
def test_a_correction_is_a_click_in_the_middle_of_what_is_most_wrong(item, more, label) -> None:
    mask = item.truth == 1
    mine = mask.copy()
    mine[more, :40] = not label
    mine[100:103, 100:103] = True  # wrong as well, but less
    told = correction(PointPrompt(((5.0, 40.0),), (1,)), mine, mask, item.valid)
    assert told.labels == (1, label)
    u, v = told.points_px[1]
    assert more.start + 3 <= v < more.stop - 3 and 3 <= u < 37
    assert ((told.before > 0) == mine).all()
    right = correction(PointPrompt(((5.0, 40.0),), (1,)), mask, mask, item.valid)
    assert right.before is None


def test_parts_are_handles_caps_and_lids() -> None:
    found = list(parts(1, BenchOptions(seed=3)))
    assert {part.name for part in found} == {'handle', 'cap', 'lid'}
    for part in found:
        assert np.isfinite(part.frame.depth_m[part.mask]).all()
