# SPDX-License-Identifier: Apache-2.0
"""Backend ``sam3``: phrases and exemplars by the concept detector, clicks by the tracker head."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sam3d_ros.core.pretrained.checkpoints import load_pretrained
from sam3d_ros.core.types import (
    ExemplarPrompt,
    Frame,
    Instance,
    Instances,
    Prompt,
    TextPrompt,
)
from sam3d_ros.geometry.masks import mask_box
from sam3d_ros.segmentation.config import SegmentationConfig
from sam3d_ros.segmentation.partition import Partition, partition
from sam3d_ros.segmentation.sam.automatic import Candidate
from sam3d_ros.segmentation.sam.concepts import ConceptDetector, EncodedImage, beside
from sam3d_ros.segmentation.sam.fusion import support_of
from sam3d_ros.segmentation.sam.models import TransformersSam
from sam3d_ros.segmentation.sam.segmenter import PromptableSegmenter

TRACKER_KEYS = {
    r'^tracker_model\.': '',
    r'^tracker_neck\.': 'vision_encoder.neck.',
    r'^detector_model\.vision_encoder\.backbone\.': 'vision_encoder.backbone.',
}
"""Where a SAM 3 video checkpoint keeps the tracker's tensors; transformers 5.23 does not know."""


class Sam3Segmenter:
    """Serves every kind of prompt with one SAM 3 checkpoint."""

    concepts = True
    """It reads phrases and exemplars itself."""

    def __init__(self, config: SegmentationConfig) -> None:
        from transformers import CLIPTokenizer, Sam3Model, Sam3TrackerModel

        source = config.sam.checkpoint or 'facebook/sam3'
        tracker = load_pretrained(Sam3TrackerModel, source, key_mapping=TRACKER_KEYS)
        tokenizer = CLIPTokenizer.from_pretrained(source, local_files_only=True)
        self._config = config
        self._clicks = PromptableSegmenter(TransformersSam('sam3', tracker, config), config)
        self._detector = ConceptDetector(load_pretrained(Sam3Model, source), tokenizer, config)

    def segment(self, frame: Frame, prompts: Sequence[Prompt] = ()) -> Instances:
        """Return what ``prompts`` ask for; without prompts, everything on the supports.

        :raises PromptError: when a prompt is malformed.
        """
        concepts = [p for p in prompts if isinstance(p, TextPrompt | ExemplarPrompt)]
        clicks = [p for p in prompts if not isinstance(p, TextPrompt | ExemplarPrompt)]
        if not concepts:
            return self._clicks.segment(frame, clicks)
        found = partition(frame, self._config)
        supports = tuple(support.plane for support in found.structure.supports)
        image = self._detector.encode(frame.rgb)
        items: list[Instance] = []
        for prompt in concepts:
            items += self._concept(frame, image, prompt, found)
        if clicks:
            items += self._clicks.segment(frame, clicks).items
        return Instances(frame.stamp_ns, tuple(items), supports)

    def _concept(
        self,
        frame: Frame,
        image: EncodedImage,
        prompt: TextPrompt | ExemplarPrompt,
        found: Partition,
    ) -> list[Instance]:
        if isinstance(prompt, TextPrompt):
            hits, label, kind = self._detector.find_phrase(image, prompt.text), prompt.text, 'text'
        elif prompt.frame is None or prompt.frame is frame:
            hits, label, kind = self._detector.find_like(image, prompt.box_px), '', 'exemplar'
        else:
            hits, label, kind = self._like_in(frame, prompt), '', 'exemplar'
        return [
            Instance(
                hit.mask,
                hit.score,
                hit.box_px,
                f'sam3:{kind}',
                label,
                support_of(hit.mask, found),
            )
            for hit in hits
        ]

    def _like_in(self, frame: Frame, prompt: ExemplarPrompt) -> list[Candidate]:
        """Return what is like an example in another frame: it is laid beside this one."""
        assert prompt.frame is not None
        canvas, start = beside(frame.rgb, prompt.frame.rgb)
        left, top, right, bottom = prompt.box_px
        hits = self._detector.find_like(
            self._detector.encode(canvas), (left + start, top, right + start, bottom)
        )
        height, width = frame.rgb.shape[:2]
        ours = [replace(hit, mask=hit.mask[:height, :width]) for hit in hits]
        boxed = [(hit, mask_box(hit.mask)) for hit in ours]
        return [replace(hit, box_px=box) for hit, box in boxed if box is not None]
