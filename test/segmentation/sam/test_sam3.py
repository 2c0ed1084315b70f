# SPDX-License-Identifier: Apache-2.0
"""SAM 3: phrases, exemplars here and in another frame, clicks, from one tiny random checkpoint."""

import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='the SAM backends need torch (extra: sam)')
pytest.importorskip('transformers', reason='the SAM backends need it (extra: sam)')

from sam3d_ros.core.errors import PromptError
from sam3d_ros.core.types import ExemplarPrompt, PointPrompt, TextPrompt
from sam3d_ros.segmentation.config import SegmentationConfig
from sam3d_ros.segmentation.sam.concepts import beside
from sam3d_ros.segmentation.sam.config import SamConfig
from sam3d_ros.segmentation.sam.roi_align import roi_align
from sam3d_ros.segmentation.sam.sam3 import Sam3Segmenter


@pytest.fixture(scope='module')
def segmenter(tiny_sam3):
    sam = SamConfig(checkpoint=str(tiny_sam3), min_score=0.0)
    return Sam3Segmenter(SegmentationConfig(device='cpu', sam=sam))


@pytest.fixture
def frame(boxes_world):
    return boxes_world((0.7, 0, 0.5), [((0, 0, 0.05), (0.1, 0.1, 0.1), (200, 40, 40))])[0]


def test_phrases_label_what_they_find(segmenter, frame):
    found = segmenter.segment(frame, [TextPrompt('red cup')])
    assert found.items
    assert {(item.label, item.source) for item in found.items} == {('red cup', 'sam3:text')}
    assert all(item.mask.shape == (120, 160) for item in found.items)


def test_scores_are_gated(tiny_sam3, frame):
    sam = SamConfig(checkpoint=str(tiny_sam3), min_score=0.99)
    strict = Sam3Segmenter(SegmentationConfig(device='cpu', sam=sam))
    assert strict.segment(frame, [TextPrompt('cup')]).items == ()


def test_exemplars_here_and_elsewhere(segmenter, frame, boxes_world):
    box = (60.0, 40.0, 100.0, 80.0)
    here = segmenter.segment(frame, [ExemplarPrompt(box)])
    other, _ = boxes_world((0.5, 0.5, 0.5), [((0, 0, 0.05), (0.1, 0.1, 0.1), (40, 200, 40))])
    elsewhere = segmenter.segment(frame, [ExemplarPrompt(box, other)])
    for found in (here, elsewhere):
        assert {item.source for item in found.items} == {'sam3:exemplar'}
        assert all(item.mask.shape == (120, 160) for item in found.items)


def spied(segmenter, monkeypatch):
    """Return what the detector is asked from now on."""
    asked = []
    model = segmenter._detector._model
    usual = model.forward
    monkeypatch.setattr(model, 'forward', lambda **a: asked.append(a) or usual(**a))
    return asked


def test_phrase_and_examples_go_to_the_detector_in_one_request(segmenter, frame, monkeypatch):
    asked = spied(segmenter, monkeypatch)
    prompt = ExemplarPrompt(
        (60.0, 40.0, 100.0, 80.0),
        text='red cup',
        more_px=((10.0, 10.0, 30.0, 50.0),),
        not_px=((120.0, 30.0, 150.0, 60.0),),
    )
    found = segmenter.segment(frame, [prompt])
    assert {item.label for item in found.items} == {'red cup'}
    (request,) = asked
    assert request['input_boxes_labels'].tolist() == [[1, 1, 0]]
    expected = [[80, 60, 40, 40], [20, 30, 20, 40], [135, 45, 30, 30]]
    boxes = request['input_boxes'][0].numpy() * [160, 120, 160, 120]
    np.testing.assert_allclose(boxes, expected, atol=1e-4)
    alone = segmenter._detector._text('red cup')[1]
    assert torch.equal(request['attention_mask'], alone)


def test_presence_and_the_region_of_all_such_things_come_back(segmenter, frame):
    found = segmenter.segment(frame, [TextPrompt('cup'), ExemplarPrompt((60.0, 40.0, 90.0, 80.0))])
    assert len(found.concepts) == 2
    for concept in found.concepts:
        assert 0 <= concept.presence <= 1
        assert concept.region.shape == (120, 160) and concept.region.dtype == bool
    scores = [item.score for item in found.items if item.source == 'sam3:text']
    assert max(scores) <= found.concepts[0].presence + 1e-6


def test_an_example_may_be_clicked_on(segmenter, frame, monkeypatch):
    (u, v) = 80.0, 60.0
    clicked = segmenter.segment(frame, [PointPrompt(((u, v),), (1,))]).items
    best = max(clicked, key=lambda item: item.score)
    asked = spied(segmenter, monkeypatch)
    segmenter.segment(frame, [ExemplarPrompt((u, v, u, v))])
    left, top, right, bottom = best.box_px
    expected = [
        (left + right) / 320,
        (top + bottom) / 240,
        (right - left) / 160,
        (bottom - top) / 120,
    ]
    np.testing.assert_allclose(asked[0]['input_boxes'][0, 0].numpy(), expected, atol=1e-6)


def test_detector_and_tracker_have_one_backbone_that_sees_an_image_once(
    segmenter, boxes_world, monkeypatch
):
    fresh, _ = boxes_world((0.7, 0.1, 0.5), [((0, 0, 0.05), (0.1, 0.1, 0.1), (200, 40, 40))])
    backbone = segmenter._detector._model.vision_encoder.backbone
    assert backbone is segmenter._clicks._model._model.vision_encoder.backbone
    looked = []
    usual = backbone.backbone.forward
    monkeypatch.setattr(
        backbone.backbone, 'forward', lambda *a, **k: looked.append(1) or usual(*a, **k)
    )
    segmenter.segment(fresh, [TextPrompt('cup'), PointPrompt(((80.0, 60.0),), (1,))])
    assert len(looked) == 1


def test_clicks_go_to_the_tracker_head(segmenter, frame):
    found = segmenter.segment(frame, [PointPrompt(((80.0, 60.0),), (1,)), TextPrompt('cup')])
    assert {item.source for item in found.items} <= {'sam3:point', 'sam3:text'}


def test_bad_concepts_are_refused(segmenter, frame):
    with pytest.raises(PromptError, match='noun phrase'):
        segmenter.segment(frame, [TextPrompt('  ')])
    with pytest.raises(PromptError, match='inside 160x120'):
        segmenter.segment(frame, [ExemplarPrompt((150.0, 10.0, 200.0, 50.0))])


def test_beside_keeps_both_images():
    a, b = np.full((4, 6, 3), 1, np.uint8), np.full((5, 3, 3), 2, np.uint8)
    both, start = beside(a, b)
    assert both.shape == (5, 9, 3)
    assert (both[:4, :start] == 1).all()
    assert (both[:, start:] == 2).all()


def test_roi_align_of_a_linear_ramp_is_the_ramp():
    """Bilinear samples of a linear image are exact, so each cell is the value at its centre."""
    v, u = torch.meshgrid(torch.arange(12.0), torch.arange(16.0), indexing='ij')
    features = (2 * u + 3 * v)[None, None]
    pooled = roi_align(features, [torch.tensor([[2.0, 3.0, 10.0, 7.0]])], (2, 4))
    expected = [[2.0 * (3 + 2 * x) + 3 * (4 + 2 * y) for x in range(4)] for y in range(2)]
    torch.testing.assert_close(pooled[0, 0], torch.tensor(expected))


def test_roi_align_outside_is_zero_and_empty_is_empty():
    features = torch.ones(1, 2, 8, 8)
    outside = roi_align(features, torch.tensor([[0.0, 20.0, 20.0, 24.0, 24.0]]), 2)
    assert outside.abs().max() == 0
    assert roi_align(features, torch.zeros(0, 5), 7).shape == (0, 2, 7, 7)
