# SPDX-License-Identifier: Apache-2.0
"""SAM 3: phrases, exemplars here and in another frame, clicks, from one tiny random checkpoint."""

import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='the SAM backends need torch (extra: sam)')
transformers = pytest.importorskip('transformers', reason='the SAM backends need it (extra: sam)')

from tiny_encoders import vit

from sam3d_ros.core.errors import PromptError
from sam3d_ros.core.types import ExemplarPrompt, PointPrompt, TextPrompt
from sam3d_ros.segmentation.config import SegmentationConfig
from sam3d_ros.segmentation.sam.concepts import beside
from sam3d_ros.segmentation.sam.config import SamConfig
from sam3d_ros.segmentation.sam.roi_align import roi_align
from sam3d_ros.segmentation.sam.sam3 import Sam3Segmenter

G, D = 8, 128


def detector_config():
    """Return the smallest detector that a video checkpoint can hold."""
    return transformers.Sam3Config(
        vision_config=vit(D, G),
        text_config={
            'vocab_size': 200,
            'hidden_size': D,
            'intermediate_size': 64,
            'projection_dim': 16,
            'num_hidden_layers': 1,
            'num_attention_heads': 2,
            'max_position_embeddings': 32,
        },
        geometry_encoder_config={'hidden_size': D, 'num_layers': 1, 'intermediate_size': 64},
        detr_encoder_config={'hidden_size': D, 'num_layers': 1, 'intermediate_size': 64},
        detr_decoder_config={
            'hidden_size': D,
            'num_layers': 2,
            'num_queries': 10,
            'intermediate_size': 64,
        },
        mask_decoder_config={'hidden_size': D},
    )


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    """Save a random SAM 3 video checkpoint: detector and tracker in one file, as published."""
    folder = tmp_path_factory.mktemp('sam3')
    torch.manual_seed(0)
    vision = detector_config().vision_config.to_dict()
    tracker = transformers.Sam3TrackerVideoConfig(
        vision_config=vision,
        prompt_encoder_config={'hidden_size': D, 'image_size': 14 * G, 'patch_size': 14},
        mask_decoder_config={'hidden_size': D, 'mlp_dim': 64, 'iou_head_hidden_dim': D},
        memory_attention_hidden_size=D,
        memory_attention_num_layers=1,
        memory_attention_feed_forward_hidden_size=64,
        memory_attention_rope_feat_sizes=[G, G],
        memory_encoder_hidden_size=D,
        memory_encoder_output_channels=64,
        mask_downsampler_embed_dim=D,
        memory_fuser_embed_dim=D,
        memory_fuser_intermediate_dim=64,
        memory_fuser_num_layers=1,
        image_size=14 * G,
    )
    config = transformers.Sam3VideoConfig(
        detector_config=detector_config().to_dict(), tracker_config=tracker.to_dict()
    )
    transformers.Sam3VideoModel(config).save_pretrained(folder)
    alphabet = 'abcdefghijklmnopqrstuvwxyz '
    words = [*alphabet, *(c + '</w>' for c in alphabet), '<|startoftext|>', '<|endoftext|>']
    vocabulary = {word: index for index, word in enumerate(words)}
    transformers.CLIPTokenizer(vocab=vocabulary, merges=[]).save_pretrained(folder)
    return folder


@pytest.fixture(scope='module')
def segmenter(checkpoint):
    sam = SamConfig(checkpoint=str(checkpoint), min_score=0.0)
    return Sam3Segmenter(SegmentationConfig(device='cpu', sam=sam))


@pytest.fixture
def frame(boxes_world):
    return boxes_world((0.7, 0, 0.5), [((0, 0, 0.05), (0.1, 0.1, 0.1), (200, 40, 40))])[0]


def test_phrases_label_what_they_find(segmenter, frame):
    found = segmenter.segment(frame, [TextPrompt('red cup')])
    assert found.items
    assert {(item.label, item.source) for item in found.items} == {('red cup', 'sam3:text')}
    assert all(item.mask.shape == (120, 160) for item in found.items)


def test_scores_are_gated(checkpoint, frame):
    sam = SamConfig(checkpoint=str(checkpoint), min_score=0.99)
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
