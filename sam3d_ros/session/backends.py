# SPDX-License-Identifier: Apache-2.0
"""What mypy checks and nobody imports: each of our backends is what a session calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sam3d_ros.core.interfaces import Segmenter, Tracker
    from sam3d_ros.reconstruction.completion.completion import CompletionBackend
    from sam3d_ros.reconstruction.completion.geometric import GeometricCompletion
    from sam3d_ros.reconstruction.completion.volume import VolumeCompletion
    from sam3d_ros.reconstruction.generators.sam3d_objects import Sam3dObjectsCompletion
    from sam3d_ros.segmentation.geometric import GeometricSegmenter
    from sam3d_ros.segmentation.mini.segmenter import MiniSegmenter
    from sam3d_ros.segmentation.sam.sam3 import Sam3Segmenter
    from sam3d_ros.segmentation.sam.segmenter import Sam2Segmenter, SamSegmenter
    from sam3d_ros.tracking.overlap import OverlapTracker
    from sam3d_ros.tracking.video.tracker import (
        EdgeTamVideoTracker,
        Sam2VideoTracker,
        Sam3VideoTracker,
    )

    SEGMENTERS: tuple[type[Segmenter], ...] = (
        GeometricSegmenter,
        MiniSegmenter,
        SamSegmenter,
        Sam2Segmenter,
        Sam3Segmenter,
    )
    TRACKERS: tuple[type[Tracker], ...] = (
        OverlapTracker,
        Sam2VideoTracker,
        Sam3VideoTracker,
        EdgeTamVideoTracker,
    )
    COMPLETIONS: tuple[type[CompletionBackend], ...] = (
        GeometricCompletion,
        VolumeCompletion,
        Sam3dObjectsCompletion,
    )
