# SPDX-License-Identifier: Apache-2.0
"""What a video model of transformers remembers of some objects: streaming, bounded, disposable.

SAM 2 (Ravi et al. 2024), the tracker of SAM 3 and EdgeTAM have the same interface there: an
inference session that takes masks of objects and frames, and says where the objects are. Nothing
in it is worth keeping: it can be made anew from masks at any frame.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from sam3d_ros.core.pretrained.checkpoints import Checkpoint, autocast
from sam3d_ros.core.pretrained.image_space import ImageSpace, recipe_of
from sam3d_ros.core.types import BoolArray, ByteArray

REMEMBERED_FRAMES = 16
"""Frames back to which the models look at all: object pointers; spatial memories are fewer."""


@dataclass(frozen=True, slots=True, eq=False)
class Followed:
    """Where the model sees an object: (H, W) bool mask, and 0..1, how sure it is there at all."""

    mask: BoolArray
    score: float


class VideoMemory:
    """The memory of one camera's video; objects have the ids that they are given.

    :param checkpoint: a ``Sam2VideoModel``, ``Sam3TrackerVideoModel`` or ``EdgeTamVideoModel``.
    :param session_kind: the model's class of inference sessions.
    :param device: where to compute.
    :param is_half: see images in half precision.
    """

    def __init__(
        self, checkpoint: Checkpoint, session_kind: Any, device: torch.device, is_half: bool
    ) -> None:
        self._model: Any = checkpoint.model.to(device, torch.float32).eval()
        self._session_kind = session_kind
        self._device, self._is_half = device, is_half
        self._recipe = recipe_of(checkpoint.model.config)
        self._session: Any = None
        self._last = -1
        self._space = ImageSpace(self._recipe, 1, 1)

    @property
    def ids(self) -> set[int]:
        """Ids of the objects that are remembered."""
        return set() if self._session is None else set(self._session.obj_ids)

    def forget(self) -> None:
        """Forget everything."""
        self._session = None

    @torch.inference_mode()
    def begin(self, rgb: ByteArray, masks: Mapping[int, BoolArray]) -> None:
        """Forget everything, and begin with objects in one frame.

        :param rgb: (H, W, 3) uint8 frame.
        :param masks: (H, W) of each object by id; without any, nothing is remembered.
        """
        self.forget()
        if not masks:
            return
        height, width = rgb.shape[:2]
        self._space = ImageSpace(self._recipe, width, height)
        self._session = self._session_kind(
            video_height=height,
            video_width=width,
            inference_device=self._device,
            inference_state_device=self._device,
            video_storage_device=self._device,
            dtype=torch.float32,
        )
        self._last = self._session.add_new_frame(self._space.pixels(rgb))
        size = self._recipe.size
        for object_id, mask in masks.items():
            whole = torch.from_numpy(mask.astype(np.float32))[None, None]
            resized = functional.interpolate(whole, (size, size), mode='bilinear', antialias=True)
            index = self._session.obj_id_to_idx(object_id)
            self._session.add_mask_inputs(index, self._last, (resized > 0.5).float())
        self._session.obj_with_new_inputs = list(masks)
        with autocast(self._device, self._is_half):
            self._model(inference_session=self._session, frame_idx=self._last)

    @torch.inference_mode()
    def follow(self, rgb: ByteArray) -> dict[int, Followed]:
        """Return where the remembered objects are in the next frame, by id.

        :param rgb: (H, W, 3) uint8, of the size of those before.
        """
        with autocast(self._device, self._is_half):
            found = self._model(inference_session=self._session, frame=self._space.pixels(rgb)[0])
        self._last = int(found.frame_idx)
        self._prune()
        masks = (self._space.to_image(found.pred_masks[:, 0]) > 0).cpu().numpy()
        scores = torch.sigmoid(found.object_score_logits.float()).reshape(-1).tolist()
        return {
            object_id: Followed(mask, score)
            for object_id, mask, score in zip(found.object_ids, masks, scores, strict=True)
        }

    def _prune(self) -> None:
        """Drop what the model does not look at again; the session itself would keep all of it."""
        frames = self._session.processed_frames
        frames[self._last - 1] = torch.empty(0)  # keeps its place: frames are numbered by count
        oldest = self._last - REMEMBERED_FRAMES
        outputs = self._session.output_dict_per_obj.values()
        kept = [output['non_cond_frame_outputs'] for output in outputs]
        for by_number in (*kept, *self._session.frames_tracked_per_obj.values()):
            for number in [number for number in by_number if number < oldest]:
                del by_number[number]
