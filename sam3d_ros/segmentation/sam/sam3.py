# SPDX-License-Identifier: Apache-2.0
"""Backend ``sam3``: phrases and exemplars by the concept detector, clicks by the tracker head."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch

from sam3d_ros.core.errors import PromptError
from sam3d_ros.core.pretrained.checkpoints import load_pretrained
from sam3d_ros.core.types import (
    BoxPx,
    Concept,
    ExemplarPrompt,
    Frame,
    Instance,
    Instances,
    PointPrompt,
    Prompt,
    TextPrompt,
)
from sam3d_ros.geometry.masks import mask_box
from sam3d_ros.segmentation.config import SegmentationConfig
from sam3d_ros.segmentation.partition.partition import partition
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
        detector = load_pretrained(Sam3Model, source)
        # One backbone, which sees an image once: detector and tracker differ in what comes after.
        once = OnceEach(detector.model.vision_encoder.backbone)
        detector.model.vision_encoder.backbone = tracker.model.vision_encoder.backbone = once
        self._config = config
        self._clicks = PromptableSegmenter(TransformersSam('sam3', tracker, config), config)
        self._detector = ConceptDetector(detector, tokenizer, config)

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
        told: list[Concept] = []
        for prompt in concepts:
            if isinstance(prompt, TextPrompt):
                hits, concept = self._detector.find(image, prompt.text)
                label, kind = prompt.text, 'text'
            else:
                hits, concept = self._like(frame, image, prompt)
                label, kind = prompt.text, 'exemplar'
            told.append(concept)
            items += [
                Instance(
                    hit.mask, hit.score, hit.box_px, f'sam3:{kind}', label,
                    support_of(hit.mask, found),
                )
                for hit in hits
            ]  # fmt: skip
        if clicks:
            items += self._clicks.segment(frame, clicks).items
        return Instances(frame.stamp_ns, tuple(items), supports, tuple(told))

    def _like(
        self, frame: Frame, image: EncodedImage, prompt: ExemplarPrompt
    ) -> tuple[list[Candidate], Concept]:
        """Return what is like the examples; those of another frame are laid beside this one.

        :param frame: that is searched.
        :param image: the encoding of ``frame``.
        :param prompt: with the examples.
        """
        shown = prompt.frame if prompt.frame is not None else frame
        like = [self._boxed(shown, box) for box in (prompt.box_px, *prompt.more_px)]
        unlike = [self._boxed(shown, box) for box in prompt.not_px]
        if shown is frame:
            return self._detector.find(image, prompt.text, like, unlike)
        canvas, start = beside(frame.rgb, shown.rgb)

        def moved(boxes: list[BoxPx]) -> list[BoxPx]:
            return [
                (left + start, top, right + start, bottom) for left, top, right, bottom in boxes
            ]

        hits, concept = self._detector.find(
            self._detector.encode(canvas), prompt.text, moved(like), moved(unlike)
        )
        height, width = frame.rgb.shape[:2]
        ours = [replace(hit, mask=hit.mask[:height, :width]) for hit in hits]
        boxed = [(hit, mask_box(hit.mask)) for hit in ours]
        region = None if concept.region is None else concept.region[:height, :width]
        return [replace(hit, box_px=box) for hit, box in boxed if box is not None], replace(
            concept, region=region
        )

    def _boxed(self, frame: Frame, box: BoxPx) -> BoxPx:
        """Return the box of an example; that of what a click means is found first."""
        left, top, right, bottom = box
        if left < right or top < bottom:
            return box
        found = self._clicks.segment(frame, [PointPrompt(((left, top),), (1,))]).items
        if not found:
            raise PromptError('a click on nothing', wanted='one on an example')
        a, b, c, d = max(found, key=lambda item: item.score).box_px
        return float(a), float(b), float(c), float(d)


class OnceEach(torch.nn.Module):
    """A backbone that does not look twice at the image that it saw last.

    :param backbone: of an encoder.
    """

    def __init__(self, backbone: torch.nn.Module) -> None:
        super().__init__()
        self.backbone = backbone
        self._last: tuple[torch.Tensor, Any] | None = None

    def get_input_embeddings(self) -> Any:
        """Return those of the backbone, by which transformers knows its kind."""
        return self.backbone.get_input_embeddings()  # type: ignore[operator]

    def forward(self, pixel_values: torch.Tensor, **options: Any) -> Any:
        """Return what the backbone makes of an image."""
        last = self._last
        if last is None or not torch.equal(last[0], pixel_values):
            last = self._last = pixel_values, self.backbone(pixel_values, **options)
        return last[1]
