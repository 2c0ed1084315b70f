# SPDX-License-Identifier: Apache-2.0
"""Depth Anything V2 (Yang et al., arXiv:2406.09414) where nothing was measured, in metres.

The network says disparity (relative checkpoints) or depth (metric ones, off by a factor and more
in scenes unlike those they were trained on). Either is aligned to the depth image or cloud of the
same moment before anything of it is used; what cannot be aligned is left out, and that is said.
"""

from __future__ import annotations

import logging
from typing import Any

import cv2
import numpy as np
import torch

from sam3d_ros.core.errors import BackendError, InputError
from sam3d_ros.core.pretrained.checkpoints import autocast, load_pretrained, pick_device
from sam3d_ros.core.pretrained.image_space import IMAGENET_MEAN, IMAGENET_STD
from sam3d_ros.core.types import ByteArray, Float32Array
from sam3d_ros.geometry.transform_tree import TransformTree
from sam3d_ros.pointmaps.config import PointmapConfig
from sam3d_ros.pointmaps.inputs import ColorImage, PointCloud
from sam3d_ros.pointmaps.sensor_noise.noise import RangeNoise
from sam3d_ros.pointmaps.sources.alignment import align
from sam3d_ros.pointmaps.sources.cloud_source import CloudSource
from sam3d_ros.pointmaps.sources.depth import within_range
from sam3d_ros.pointmaps.sources.depth_source import DepthSource
from sam3d_ros.pointmaps.sources.ranges import Measurement, RangeMap

LOG = logging.getLogger(__name__)

MOST_SIGMA = 0.05
"""Inferred ranges that are off by a larger share (one sigma) are left out."""
_REFERENCES = 5000


class DepthAnythingSource:
    """Backend ``depth_anything``: what the depth camera or LiDAR measured, gaps inferred.

    :param config: of the stage; ``pointmaps.depth_anything`` names the checkpoint.
    :raises BackendError: when there is no complete checkpoint, or one of another kind.
    """

    def __init__(self, config: PointmapConfig) -> None:
        from transformers import AutoConfig, DepthAnythingForDepthEstimation

        options = config.depth_anything
        checkpoint = load_pretrained(DepthAnythingForDepthEstimation, options.checkpoint)
        settings: Any = checkpoint.model.config
        stored = AutoConfig.from_pretrained(options.checkpoint, local_files_only=True).model_type
        if stored != 'depth_anything':
            raise BackendError(
                f'a checkpoint of the kind "{stored}" at "{options.checkpoint}"',
                wanted='one of Depth Anything V2 as transformers saves it',
            )
        self.is_disparity = settings.depth_estimation_type == 'relative'
        self._side = int(settings.backbone_config.image_size)
        self._patch = int(settings.patch_size)
        self._device, self._is_half = pick_device(options.device, True)
        self._model: Any = checkpoint.model.to(self._device, torch.float32).eval()
        self._config = config
        self._depth, self._cloud = DepthSource(config), CloudSource(config)
        self._complaint = ''

    @property
    def noise(self) -> RangeNoise | None:
        """What the depth camera showed of its errors."""
        return self._depth.noise

    @noise.setter
    def noise(self, kept: RangeNoise | None) -> None:
        if kept is not None:
            self._depth.noise = kept

    def forget(self) -> None:
        """Measure the camera's errors anew."""
        self._depth.forget()

    def range_of(self, color: ColorImage, measured: Measurement, tree: TransformTree) -> RangeMap:
        """See :class:`RangeSource`; without an alignment, what was measured alone.

        :param color: the image.
        :param measured: the depth image or cloud that came with it.
        :param tree: all of TF that is known.
        """
        source = self._cloud if isinstance(measured, PointCloud) else self._depth
        ranges = source.range_of(color, measured, tree)
        depth_m = ranges.depth_m
        sigma_m = ranges.sigma_m
        if sigma_m is None:
            sigma_m = ranges.sensor.axial_sigma(depth_m)
        inferred = self.infer(color.rectified).astype(np.float64)
        at = np.flatnonzero(np.isfinite(depth_m))
        at = at[:: max(len(at) // _REFERENCES, 1)]
        z, error = (values.ravel()[at].astype(np.float64) for values in (depth_m, sigma_m))
        if self.is_disparity:
            z, error = 1 / z, error / z**2
        try:
            found = align(inferred.ravel()[at], z, error)
        except InputError as refused:
            if str(refused) != self._complaint:
                self._complaint = str(refused)
                LOG.warning('nothing is inferred where nothing was measured: %s', refused)
            return ranges
        aligned, spread = found(inferred), found.sigma(inferred)
        with np.errstate(divide='ignore', invalid='ignore'):
            made_m = np.where(aligned > 0, 1 / aligned if self.is_disparity else aligned, np.nan)
            off_m = spread * made_m**2 if self.is_disparity else spread
        made_m[~(off_m < MOST_SIGMA * made_m)] = np.nan
        made = within_range(
            made_m.astype(np.float32), self._config.min_depth_m, self._config.max_depth_m
        )
        is_measured = np.isfinite(depth_m)
        return RangeMap(
            np.where(is_measured, depth_m, made),
            ranges.sensor,
            is_measured | np.isnan(made),
            np.where(is_measured, sigma_m, off_m.astype(np.float32)),
        )

    @torch.inference_mode()
    def infer(self, rgb: ByteArray) -> Float32Array:
        """Return (H, W) float32 disparity or depth, as the checkpoint says it, in its own unit.

        :param rgb: (H, W, 3) uint8.
        """
        height, width = rgb.shape[:2]
        scale, patch = self._side / min(height, width), self._patch
        high, wide = (max(round(n * scale / patch), 1) * patch for n in (height, width))
        small = cv2.resize(rgb, (wide, high), interpolation=cv2.INTER_CUBIC) / np.float32(255)
        pixels = (small - np.array(IMAGENET_MEAN)) / np.array(IMAGENET_STD)
        batch = torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1), np.float32))[None]
        with autocast(self._device, self._is_half):
            answer = self._model(pixel_values=batch.to(self._device)).predicted_depth
        found = answer[0].float().cpu().numpy()
        return np.asarray(cv2.resize(found, (width, height), interpolation=cv2.INTER_LINEAR))
