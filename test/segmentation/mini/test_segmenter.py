# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

import numpy as np
import pytest

from sam3d_ros.core.errors import PromptError
from sam3d_ros.core.pretrained.weights import models_folder, verified_file
from sam3d_ros.core.registry import load_backend
from sam3d_ros.core.types import (
    BoxPrompt,
    Camera,
    ExemplarPrompt,
    Frame,
    MaskPrompt,
    PointPrompt,
    TextPrompt,
)
from sam3d_ros.segmentation.config import SegmentationConfig
from sam3d_ros.segmentation.mini import segmenter as module
from sam3d_ros.segmentation.mini.network import DECODER, ENCODER
from sam3d_ros.segmentation.mini.segmenter import MiniSegmenter


@pytest.fixture(scope='module')
def segmenter():
    return MiniSegmenter(SegmentationConfig())


@pytest.fixture(scope='module')
def scene(make_scene, box):
    return make_scene(
        [
            box((-0.06, 0, 0.06), (0.12, 0.1, 0.12), color=(200, 60, 60)),
            box((0.077, -0.03, 0.06), (0.1, 0.1, 0.12), yaw=0.6, color=(60, 60, 200)),
        ]
    )


def _iou(mask, truth):
    return (mask & truth).sum() / (mask | truth).sum()


def _real(scene, k):
    return (scene.truth == k) & (scene.frame.depth_m > 0)


def _middle(mask):
    rows, columns = np.nonzero(mask)
    pick = np.argmin(np.hypot(rows - rows.mean(), columns - columns.mean()))
    return float(columns[pick]), float(rows[pick])


def _box(mask):
    rows, columns = np.nonzero(mask)
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


def test_a_frame_is_encoded_once_for_all_that_is_asked_of_it(segmenter, scene, monkeypatch):
    looked = []
    look = module.look
    monkeypatch.setattr(module, 'look', lambda *args: looked.append(1) or look(*args))
    frame = replace(scene.frame)
    click = PointPrompt((_middle(_real(scene, 1)),), (1,))
    first = segmenter.segment(frame, [click]).items[0].mask
    assert segmenter.segment(frame).items
    assert (segmenter.segment(frame, [click]).items[0].mask == first).all()
    assert len(looked) == 1
    segmenter.segment(replace(frame))
    assert len(looked) == 2


def test_it_is_found_by_name():
    assert load_backend('segmentation', 'mini') is MiniSegmenter


def test_the_weights_are_small_and_the_registered_ones():
    sizes = [verified_file(name, models_folder()).stat().st_size for name in (ENCODER, DECODER)]
    assert sum(sizes) < 20e6


@pytest.mark.parametrize('thing', [1, 2])
def test_a_click_selects_the_thing_below(segmenter, scene, thing):
    real = _real(scene, thing)
    found = segmenter.segment(scene.frame, [PointPrompt((_middle(real),), (1,))])
    assert 1 <= len(found.items) <= 3
    assert max(_iou(item.mask, real) for item in found.items) > 0.8
    assert _iou(found.items[0].mask, real) > 0.5
    assert {item.source for item in found.items} == {'mini:point'}
    assert all(0 <= item.score <= 1 for item in found.items)
    assert found.items[0].support == 0 and len(found.supports) == 1


def test_boxes_and_masks_give_one_answer_each_in_order(segmenter, scene):
    prompts = [BoxPrompt(_box(_real(scene, 2))), MaskPrompt(_real(scene, 1))]
    found = segmenter.segment(scene.frame, prompts)
    assert [item.source for item in found.items] == ['mini:box', 'mini:mask']
    assert _iou(found.items[0].mask, _real(scene, 2)) > 0.8
    assert _iou(found.items[1].mask, _real(scene, 1)) > 0.8


def test_a_click_off_takes_its_patch_out(segmenter, scene):
    first, second = _middle(_real(scene, 1)), _middle(_real(scene, 2))
    (item,) = segmenter.segment(scene.frame, [PointPrompt((first, second), (1, 0))]).items
    column, row = (round(value) for value in second)
    assert not item.mask[row, column]
    column, row = (round(value) for value in first)
    assert item.mask[row, column]


def test_without_prompts_all_things_are_found_and_do_not_overlap(segmenter, scene):
    found = segmenter.segment(scene.frame)
    assert [item.source for item in found.items] == ['mini:all', 'mini:all']
    for thing in (1, 2):
        assert max(_iou(item.mask, _real(scene, thing)) for item in found.items) > 0.8
    assert sum(item.mask.astype(int) for item in found.items).max() == 1


def test_an_empty_table_and_a_frame_without_depth_have_nothing(segmenter, make_scene):
    assert segmenter.segment(make_scene([]).frame).items == ()
    camera = Camera(424, 240, np.array([[300.0, 0, 211.5], [0, 300.0, 119.5], [0, 0, 1]]))
    nothing = np.full((240, 424, 3), np.nan, np.float32)
    frame = Frame(1, 'c', camera, np.zeros((240, 424, 3), np.uint8), nothing, 'c', np.eye(4))
    assert segmenter.segment(frame).items == ()
    assert segmenter.segment(frame, [PointPrompt(((20.0, 20.0),), (1,))]).items == ()


@pytest.mark.parametrize('prompt', [TextPrompt('cup'), ExemplarPrompt((1, 1, 9, 9))])
def test_what_it_cannot_serve_is_refused_with_the_name_of_who_can(segmenter, scene, prompt):
    with pytest.raises(PromptError, match=r'mini segmentation cannot serve.*sam3'):
        segmenter.segment(scene.frame, [prompt])


@pytest.mark.parametrize(
    'prompt',
    [
        PointPrompt(((5.0, 5.0),), (0,)),
        PointPrompt(((700.0, 5.0),), (1,)),
        PointPrompt(((5.0, 5.0),), (1, 1)),
        BoxPrompt((9, 9, 9, 20)),
        MaskPrompt(np.zeros((10, 10), bool)),
    ],
)
def test_malformed_prompts_are_refused(segmenter, scene, prompt):
    with pytest.raises(PromptError):
        segmenter.segment(scene.frame, [prompt])


def test_a_click_on_nothing_selects_nothing(segmenter, scene):
    assert segmenter.segment(scene.frame, [PointPrompt(((10.0, 470.0),), (1,))]).items == ()


def test_a_click_on_a_handle_means_the_thing_or_the_handle(segmenter, make_scene, box):
    """A limb comes second."""
    scene = make_scene(
        [
            box((-0.06, 0, 0.04), (0.14, 0.14, 0.08), color=(90, 120, 60)),
            box((0.08, 0, 0.065), (0.14, 0.024, 0.024), color=(90, 120, 60)),
        ]
    )
    body, handle = _real(scene, 1), _real(scene, 2)
    found = segmenter.segment(scene.frame, [PointPrompt((_middle(handle),), (1,))]).items
    assert _iou(found[1].mask, handle) > 0.7
    assert max(_iou(item.mask, body | handle) for item in found) > 0.8
    assert found[0].score >= found[1].score
