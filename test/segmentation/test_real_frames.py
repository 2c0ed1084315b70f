# SPDX-License-Identifier: Apache-2.0
"""Floors on a few real frames: below the bench's figures, above what plain clustering does."""

from sam3d_ros.bench.masks.scenes_segmentation import read_frame
from sam3d_ros.bench.masks.segmentation import label_image
from sam3d_ros.bench.metrics.metrics_segmentation import mean_score, score_labels
from sam3d_ros.segmentation.config import SegmentationConfig
from sam3d_ros.segmentation.geometric import GeometricSegmenter

NAMES = ('learn06', 'learn19', 'test12', 'test33', 'test45', 'test50', 'test62')


def test_tabletop_frames_are_taken_apart(shared_data):
    segmenter = GeometricSegmenter(SegmentationConfig())
    scores = []
    for name in NAMES:
        item = read_frame(shared_data / 'osd' / f'osd_{name}.npz')
        found = segmenter.segment(item.frame)
        labels = label_image(item.frame, [instance.mask for instance in found.items])
        scores.append(score_labels(labels, item.truth, item.valid))
    mean = mean_score(scores)
    assert mean.overlap_f > 0.9
    assert mean.boundary_f > 0.85
    assert mean.detected > 0.85
