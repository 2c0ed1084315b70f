# SPDX-License-Identifier: Apache-2.0
"""Automatic masks and their fusion with depth, with a model that knows the truth."""

import dataclasses

import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='the SAM backends need torch (extra: sam)')

from sam3d_ros.core.errors import PromptError
from sam3d_ros.core.pretrained.image_space import ImageSpace, Recipe
from sam3d_ros.core.types import BoxPrompt, MaskPrompt, PointPrompt, TextPrompt
from sam3d_ros.geometry.masks import mask_box
from sam3d_ros.segmentation.config import SegmentationConfig
from sam3d_ros.segmentation.sam.automatic import (
    _point_grid,
    automatic_masks,
    clean,
    crops,
    stability,
)
from sam3d_ros.segmentation.sam.config import AutomaticMaskConfig, SamConfig
from sam3d_ros.segmentation.sam.promptable import Answer, Embedding
from sam3d_ros.segmentation.sam.segmenter import PromptableSegmenter

EYE, SIZE = (0.7, 0.0, 0.55), (320, 240)
CUP = ((0.0, -0.15, 0.05), (0.10, 0.10, 0.10), (200, 40, 40))
BOX = ((0.0, 0.05, 0.06), (0.10, 0.08, 0.12), (40, 200, 40))
TOUCHING = ((0.05, 0.13, 0.03), (0.10, 0.08, 0.06), (40, 40, 200))


class Oracle:
    """Answers a point with the masks of the levels given, and always with the table as third."""

    name, weights_hash = 'oracle', ''

    def __init__(self, *levels, iou=0.95, sharp=8.0):
        self.levels, self.iou, self.sharp = levels, iou, sharp
        self.embedded = 0

    def embed(self, rgb):
        self.embedded += 1
        recipe = Recipe(max(rgb.shape[:2]), (0, 0, 0), (1, 1, 1), False)
        return Embedding(ImageSpace(recipe, rgb.shape[1], rgb.shape[0]), rgb)

    def predict(self, embedding, batch, *, alternatives):
        masks = []
        if batch.points_px.shape[1] == 0:
            masks = [[level > 0 for level in self.levels]]
        for points, labels in zip(batch.points_px, batch.labels, strict=True):
            for u, v in np.rint(points[labels == 1][:1]).astype(int):
                masks.append([level == level[v, u] for level in self.levels])
        logits = torch.from_numpy(np.where(masks, self.sharp, -self.sharp).astype(np.float32))
        return Answer(logits, torch.full(logits.shape[:2], self.iou))


@pytest.fixture
def config():
    grid = AutomaticMaskConfig(points_per_side=24)
    return dataclasses.replace(SegmentationConfig(), sam=SamConfig(automatic=grid))


@pytest.fixture
def scene(boxes_world):
    return boxes_world(EYE, [CUP, BOX, TOUCHING], size=SIZE)


def masks_of(oracle, frame, settings):
    return automatic_masks(oracle, frame.rgb, oracle.embed(frame.rgb), settings)


def test_an_image_is_embedded_once_whatever_is_asked_of_it(scene, config):
    frame, index = scene
    oracle = Oracle(index + 1)
    segmenter = PromptableSegmenter(oracle, config)
    row, column = np.argwhere(index == 0)[0]
    segmenter.segment(frame, [PointPrompt(((float(column), float(row)),), (1,))])
    together = segmenter.segment(frame)
    assert oracle.embedded == 1
    alone = PromptableSegmenter(Oracle(index + 1), config).segment(frame)
    for one, other in zip(together.items, alone.items, strict=True):
        np.testing.assert_array_equal(one.mask, other.mask)
    segmenter.segment(dataclasses.replace(frame))
    assert oracle.embedded == 2


def best_ious(instances, index):
    return [
        max(
            ((index == n) & item.mask).sum() / ((index == n) | item.mask).sum()
            for item in instances.items
        )
        for n in np.unique(index[index >= 0])
    ]


def test_truth_in_truth_out_and_no_table(scene, config):
    frame, index = scene
    found = PromptableSegmenter(Oracle(index + 1), config).segment(frame)
    assert len(found.items) == 3
    assert min(best_ious(found, index)) > 0.9
    assert all(item.support == 0 for item in found.items)
    assert {item.source for item in found.items} == {'oracle:all'}


def test_parts_give_way_to_wholes(scene, config):
    """A print on an object is a mask of its own in colour; it must not become an object."""
    frame, index = scene
    parts = index + 1
    rows, columns = np.nonzero(index == 1)
    middle = (int(np.median(rows)), int(np.median(columns)))
    parts = parts.copy()
    printed = (slice(middle[0] - 6, middle[0] + 6), slice(middle[1] - 6, middle[1] + 6))
    parts[printed] = 9
    both = PromptableSegmenter(Oracle(parts, index + 1), config).segment(frame)
    alone = PromptableSegmenter(Oracle(parts), config).segment(frame)
    for found in (both, alone):
        assert len(found.items) == 3
        assert min(best_ious(found, index)) > 0.9


def test_mask_over_a_depth_gap_is_split(scene, config):
    """Colour joins what looks alike; depth leaves a gap between cup and box."""
    frame, index = scene
    joined = np.where(index == 1, 0, index) + 1
    found = PromptableSegmenter(Oracle(joined), config).segment(frame)
    assert min(best_ious(found, index)) > 0.85


def test_touching_things_stay_apart_when_colour_tells_them(scene, config):
    frame, index = scene
    grouped = np.where(index == 2, 1, index) + 1
    found = PromptableSegmenter(Oracle(index + 1, grouped), config).segment(frame)
    assert len(found.items) == 3


def test_what_colour_missed_is_added_from_depth(scene, config):
    frame, index = scene
    blind = np.where(index == 0, -1, index) + 1
    found = PromptableSegmenter(Oracle(blind), config).segment(frame)
    assert min(best_ious(found, index)) > 0.8
    assert 'oracle+geometric:all' in {item.source for item in found.items}


def test_unsure_and_unstable_masks_are_dropped(scene):
    frame, index = scene
    settings = AutomaticMaskConfig(points_per_side=8)
    assert masks_of(Oracle(index + 1, iou=0.5), frame, settings) == []
    assert masks_of(Oracle(index + 1, sharp=0.5), frame, settings) == []
    assert len(masks_of(Oracle(index + 1), frame, settings)) >= 3


def test_prompts_share_one_embedding_and_say_who_made_them(scene, config):
    frame, index = scene
    rows, columns = np.nonzero(index == 0)
    point = (float(np.median(columns)), float(np.median(rows)))
    oracle = Oracle(index + 1, (index >= 0).astype(int))
    mask = index == 0
    prompts = [
        PointPrompt((point,), (1,)),
        BoxPrompt(tuple(float(x) for x in mask_box(mask))),
        MaskPrompt(mask),
    ]
    found = PromptableSegmenter(oracle, config).segment(frame, prompts)
    assert oracle.embedded == 1
    kinds = [item.source for item in found.items]
    assert kinds.count('oracle:point') == 2
    assert {'oracle:box', 'oracle:mask'} < set(kinds)


@pytest.mark.parametrize(
    ('prompt', 'says'),
    [
        (TextPrompt('cup'), 'sam3'),
        (BoxPrompt((10.0, 10.0, 5.0, 20.0)), 'left < right'),
        (PointPrompt(((900.0, 3.0),), (1,)), 'outside the image'),
        (PointPrompt((), ()), '0 points'),
        (MaskPrompt(np.zeros((240, 320), bool)), 'not empty'),
    ],
)
def test_bad_prompts_are_refused_with_the_way_out(scene, config, prompt, says):
    frame, index = scene
    with pytest.raises(PromptError, match=says):
        PromptableSegmenter(Oracle(index + 1), config).segment(frame, [prompt])


def test_grid_points_are_cell_centres():
    np.testing.assert_allclose(
        _point_grid(4, 2, 2), [[0.5, 0.0], [2.5, 0.0], [0.5, 1.0], [2.5, 1.0]]
    )


def test_stability_by_hand():
    logits = torch.tensor([[[2.0, 0.5], [-0.5, -2.0]]])
    assert stability(logits, 1.0).item() == pytest.approx(1 / 3)


def test_clean_fills_holes_and_drops_islands():
    mask = np.zeros((20, 20), bool)
    mask[2:12, 2:12] = True
    mask[5:7, 5:7] = False
    mask[15, 15] = True
    cleaned = clean(mask, 10)
    assert cleaned.sum() == 100
    assert mask_box(cleaned) == (2, 2, 12, 12)


def test_crops_cover_the_image_and_overlap():
    made = list(crops(640, 480, AutomaticMaskConfig(crop_layers=2)))
    assert [sum(crop.layer == layer for crop in made) for layer in range(3)] == [1, 4, 16]
    for layer in (1, 2):
        covered = np.zeros((480, 640), int)
        for crop in made:
            if crop.layer == layer:
                left, top, right, bottom = crop.box_px
                covered[top:bottom, left:right] += 1
        assert covered.min() >= 1
        assert covered.max() >= 2


def test_crops_find_what_they_alone_can_see(scene, config):
    frame, index = scene

    class NearSighted(Oracle):
        def predict(self, embedding, batch, *, alternatives):
            self.levels = (self.truth[embedding.features.shape],)
            return super().predict(embedding, batch, alternatives=alternatives)

    oracle = NearSighted(index)
    # The whole image shows nothing; the crop of that size shows a square in its middle.
    oracle.truth = {frame.rgb.shape: np.zeros(index.shape, int)}
    settings = AutomaticMaskConfig(points_per_side=8, crop_layers=1)
    for crop in list(crops(320, 240, settings))[1:]:
        left, top, right, bottom = crop.box_px
        square = np.zeros((bottom - top, right - left), int)
        square[40:80, 40:80] = 1
        oracle.truth[(bottom - top, right - left, 3)] = square
    found = masks_of(oracle, frame, settings)
    small = [candidate for candidate in found if candidate.mask.sum() == 1600]
    assert len(small) == 4
