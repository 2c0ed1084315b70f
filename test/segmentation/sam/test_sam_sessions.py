# SPDX-License-Identifier: Apache-2.0
"""SAM, SAM 2 and SAM 3 through a whole session: everything, a click, its correction, a part."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='the SAM backends need torch (extra: sam)')
pytest.importorskip('transformers', reason='the SAM backends need it (extra: sam)')

from sam3d_ros.core.corrections import Correction
from sam3d_ros.core.types import ExemplarPrompt, PointPrompt, TextPrompt
from sam3d_ros.geometry.masks import mask_iou
from sam3d_ros.segmentation.sam.config import AutomaticMaskConfig, SamConfig
from sam3d_ros.session.config import Config
from sam3d_ros.session.session import Session

BOXES = (
    ((0.0, 0.15, 0.06), (0.10, 0.08, 0.12), (200, 40, 40)),
    ((0.05, -0.15, 0.05), (0.12, 0.12, 0.10), (40, 200, 40)),
)
EYES = ((0.9, 0.0, 0.7), (0.88, 0.1, 0.7), (0.86, 0.2, 0.7))


@pytest.fixture(scope='module')
def frames(boxes_world):
    return [boxes_world(eye, BOXES, stamp_ns=(at + 1) * 10**8)[0] for at, eye in enumerate(EYES)]


@pytest.fixture(scope='module', params=['sam', 'sam2', 'sam3'])
def session(request, tmp_path_factory, frames):
    """Return a session that has seen two frames with a random checkpoint."""
    backend = request.param
    if backend == 'sam3':
        folder = request.getfixturevalue('tiny_sam3')
    else:
        folder = tmp_path_factory.mktemp(backend)
        request.getfixturevalue(f'tiny_{backend}').save_pretrained(folder)
    config = Config()
    automatic = AutomaticMaskConfig(points_per_side=4, min_predicted_iou=0.0, min_stability=0.0)
    sam = SamConfig(checkpoint=str(folder), min_score=0.0, automatic=automatic)
    session = Session.from_config(
        replace(
            config,
            segmentation=replace(config.segmentation, backend=backend, device='cpu', sam=sam),
            reconstruction=replace(config.reconstruction, backend='geometric'),
            people=replace(config.people, use='none'),
            language=replace(config.language, names=False),
        )
    )
    for frame in frames[:2]:
        session.step(frame)
    return session


def test_a_click_is_answered_corrected_with_the_models_logits_and_stands(
    session, frames, monkeypatch
):
    asked = []
    segmenter = getattr(session.segmenter, '_clicks', session.segmenter)
    usual = segmenter._model.predict
    monkeypatch.setattr(
        segmenter._model, 'predict', lambda e, b, **a: asked.append(b) or usual(e, b, **a)
    )
    first = session.prompt(PointPrompt(((80.0, 60.0),), (1,)))
    assert 1 <= len(first.alternatives) <= 3
    assert first.alternatives[0].score == max(item.score for item in first.alternatives)
    second = session.prompt(Correction(first.number, ((20.0, 20.0),), (0,)))
    assert second.number == first.number
    assert asked[-1].labels.tolist() == [[1, 0]]
    np.testing.assert_array_equal(asked[-1].mask_logits, first.meant.logits)
    third = session.prompt(PointPrompt(((80.0, 60.0),), (1,)))
    chosen = session.prompt(Correction(third.number, choice=third.levels[-1]))
    assert chosen.chosen == len(third.levels) - 1
    asked.clear()
    session.step(frames[2])
    assert len(asked) >= 2, 'both prompts are asked again of the next frame'


def test_an_image_is_embedded_once_for_everything_and_all_clicks(session, frames, monkeypatch):
    segmenter = getattr(session.segmenter, '_clicks', session.segmenter)
    looked = []
    usual = segmenter._model._model.get_image_embeddings
    monkeypatch.setattr(
        segmenter._model._model, 'get_image_embeddings', lambda x: looked.append(1) or usual(x)
    )
    frame = replace(frames[2], rgb=frames[2].rgb.copy())
    segmenter.segment(frame)
    for u in (70.0, 80.0):
        segmenter.segment(frame, [PointPrompt(((u, 60.0),), (1,))])
    assert len(looked) == 1


def test_phrases_and_examples_go_to_sam_3_and_to_known_objects_otherwise(session):
    height, width = session.latest().depth_m.shape
    if not getattr(session.segmenter, 'concepts', False):
        assert session.question(TextPrompt('the red thing')).is_grounded
        return
    answer = session.prompt(TextPrompt('red cup'))
    assert 0 <= answer.presence <= 1
    assert answer.region.shape == (height, width)
    assert answer.alternatives and answer.levels == () and answer.number == 0
    like = session.prompt(ExemplarPrompt((60.0, 40.0, 100.0, 80.0), text='cup'))
    assert {item.label for item in like.alternatives} == {'cup'}
    assert all(mask_iou(it.mask, it.mask) == 1 for it in like.alternatives)
