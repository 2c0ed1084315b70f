# SPDX-License-Identifier: Apache-2.0
"""Networks of depth that ``transformers`` has: Depth Anything V2, prompted or not, and Depth Pro.

Depth Anything V2 (Yang et al., arXiv:2406.09414) says disparity or depth by its checkpoint; Prompt
Depth Anything (Lin et al., arXiv:2412.14015) depth in the unit of the coarse depth that it is
given; Depth Pro (Bochkovskii et al., arXiv:2410.02073) disparity of a camera as wide as its image.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import torch

from sam3d_ros.core.errors import BackendError, InputError
from sam3d_ros.core.pretrained.checkpoints import autocast, load_pretrained, pick_device
from sam3d_ros.core.pretrained.image_space import IMAGENET_MEAN, IMAGENET_STD
from sam3d_ros.core.types import ByteArray, Float32Array
from sam3d_ros.geometry.transform_tree import TransformTree
from sam3d_ros.pointmaps.config import DepthAnythingConfig, PointmapConfig
from sam3d_ros.pointmaps.inputs import ColorImage
from sam3d_ros.pointmaps.monocular.inferring import Inferred, InferringSource
from sam3d_ros.pointmaps.sources.ranges import RangeMap

PROMPT_PX = (256, 192)
"""Columns and rows of the coarse depth that Prompt Depth Anything was made for."""
_HALF = (0.5, 0.5, 0.5)


class _Network:
    """A checkpoint on its device.

    :param model_class: of transformers.
    :param kind: its ``model_type``, which the checkpoint must have.
    :param options: where it is, and where it runs.
    :raises BackendError: when there is no complete checkpoint, or one of another kind.
    """

    def __init__(self, model_class: Any, kind: str, options: DepthAnythingConfig) -> None:
        from transformers import AutoConfig

        try:
            settings = AutoConfig.from_pretrained(options.checkpoint, local_files_only=True)
            stored = settings.model_type
        except (OSError, ValueError):
            stored = kind  # loading says what is wrong
        if stored != kind:
            raise BackendError(
                f'a checkpoint of the kind "{stored}" at "{options.checkpoint}"',
                wanted=f'one of the kind "{kind}" as transformers saves it',
            )
        checkpoint = load_pretrained(model_class, options.checkpoint)
        self._settings: Any = checkpoint.model.config
        self._device, self._is_half = pick_device(options.device, True)
        self._model: Any = checkpoint.model.to(self._device, torch.float32).eval()

    def forget(self) -> None:
        """Each image is looked at alone."""

    @torch.inference_mode()
    def _answer(
        self,
        rgb: ByteArray,
        size_px: tuple[int, int],
        statistics: Sequence[Sequence[float]] = (IMAGENET_MEAN, IMAGENET_STD),
        **more: torch.Tensor,
    ) -> Float32Array:
        """Return (H, W) float32 what the model says of an image, in its own unit.

        :param rgb: (H, W, 3) uint8.
        :param size_px: columns and rows that the model gets.
        :param statistics: mean and spread of the channels that it was trained with.
        :param more: further inputs of the model.
        """
        mean, spread = (np.array(each, np.float32) for each in statistics)
        small = cv2.resize(rgb, size_px, interpolation=cv2.INTER_CUBIC) / np.float32(255)
        pixels = np.ascontiguousarray(((small - mean) / spread).transpose(2, 0, 1))[None]
        inputs = {'pixel_values': torch.from_numpy(pixels), **more}
        with autocast(self._device, self._is_half):
            answer = self._model(**{k: value.to(self._device) for k, value in inputs.items()})
        found = answer.predicted_depth[0].float().cpu().numpy()
        return np.asarray(cv2.resize(found, rgb.shape[1::-1], interpolation=cv2.INTER_LINEAR))

    def _patches(self, rgb: ByteArray) -> tuple[int, int]:
        """Return columns and rows of whole patches, the shorter side as long as in training."""
        patch, side = int(self._settings.patch_size), self._settings.backbone_config.image_size
        scale = int(side) / min(rgb.shape[:2])
        columns, rows = (max(round(n * scale / patch), 1) * patch for n in rgb.shape[1::-1])
        return columns, rows


class DepthAnything(_Network):
    """Depth Anything V2.

    :param config: of the stage; ``pointmaps.depth_anything`` names the checkpoint.
    :raises BackendError: when there is no complete checkpoint, or one of another kind.
    """

    def __init__(self, config: PointmapConfig) -> None:
        from transformers import DepthAnythingForDepthEstimation

        super().__init__(DepthAnythingForDepthEstimation, 'depth_anything', config.depth_anything)
        unit = str(self._settings.depth_estimation_type)
        if unit not in ('relative', 'metric'):
            raise BackendError(
                f'a checkpoint whose depth_estimation_type is "{unit}"',
                wanted='"relative" (disparity) or "metric" (metres)',
            )
        self.is_disparity = unit == 'relative'

    def infer(self, color: ColorImage, ranges: RangeMap, tree: TransformTree) -> Inferred:
        """See :class:`DepthNetwork`.

        :param color: the image.
        :param ranges: not looked at.
        :param tree: not looked at.
        """
        rgb = color.rectified
        return Inferred(self._answer(rgb, self._patches(rgb)), self.is_disparity)


class PromptDepthAnything(_Network):
    """Prompt Depth Anything.

    :param config: of the stage; ``pointmaps.prompt_depth_anything`` names the checkpoint.
    :raises BackendError: when there is no complete checkpoint, or one of another kind.
    """

    def __init__(self, config: PointmapConfig) -> None:
        from transformers import PromptDepthAnythingForDepthEstimation

        model, kind = PromptDepthAnythingForDepthEstimation, 'prompt_depth_anything'
        super().__init__(model, kind, config.prompt_depth_anything)

    def infer(self, color: ColorImage, ranges: RangeMap, tree: TransformTree) -> Inferred:
        """See :class:`DepthNetwork`.

        :param color: the image.
        :param ranges: what was measured, which is the prompt.
        :param tree: not looked at.
        :raises InputError: when nothing was measured, or all at one range.
        """
        prompt = _coarse(ranges.depth_m)
        rgb = color.rectified
        found = self._answer(rgb, self._patches(rgb), prompt_depth=torch.from_numpy(prompt))
        return Inferred(found, is_disparity=False)


class DepthPro(_Network):
    """Depth Pro; CameraInfo's focal length takes the place of the one that it would guess.

    :param config: of the stage; ``pointmaps.depth_pro`` names the checkpoint.
    :raises BackendError: when there is no complete checkpoint, or one of another kind.
    """

    def __init__(self, config: PointmapConfig) -> None:
        from transformers import DepthProForDepthEstimation

        super().__init__(DepthProForDepthEstimation, 'depth_pro', config.depth_pro)
        self._side = round(self._settings.patch_size / min(self._settings.scaled_images_ratios))

    def infer(self, color: ColorImage, ranges: RangeMap, tree: TransformTree) -> Inferred:
        """See :class:`DepthNetwork`.

        :param color: the image.
        :param ranges: not looked at.
        :param tree: not looked at.
        """
        camera = color.lens.rectified
        found = self._answer(color.rectified, (self._side, self._side), (_HALF, _HALF))
        return Inferred(found * np.float32(camera.width / camera.fx), is_disparity=True)


class DepthAnythingSource(InferringSource):
    """Backend ``depth_anything``; see :class:`DepthAnything`."""

    def __init__(self, config: PointmapConfig) -> None:
        super().__init__(config, DepthAnything(config))


class PromptDepthAnythingSource(InferringSource):
    """Backend ``prompt_depth_anything``; see :class:`PromptDepthAnything`."""

    def __init__(self, config: PointmapConfig) -> None:
        super().__init__(config, PromptDepthAnything(config))


class DepthProSource(InferringSource):
    """Backend ``depth_pro``; see :class:`DepthPro`."""

    def __init__(self, config: PointmapConfig) -> None:
        super().__init__(config, DepthPro(config))


def _coarse(depth_m: Float32Array) -> Float32Array:
    """Return (1, 1, h, w) float32 coarse depth, holes as far as the nearest pixel that is none."""
    small = cv2.resize(depth_m, PROMPT_PX, interpolation=cv2.INTER_NEAREST)
    missing = ~np.isfinite(small)
    known = small[~missing]
    if not known.size or known.max() - known.min() < 1e-3:
        raise InputError(
            'no measured range to prompt the network with'
            if not known.size
            else f'a prompt that is all at {known.min():.3f} m',
            wanted='a depth image or cloud of near and far things',
        )
    _, labels = cv2.distanceTransformWithLabels(
        missing.astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    nearest = np.zeros(int(labels.max()) + 1, np.float32)
    nearest[labels[~missing]] = known
    return nearest[labels][None, None]
