# SPDX-License-Identifier: Apache-2.0
"""Depth Anything 3 (Lin et al., arXiv:2511.10647): depth of the newest of several views.

Views with poses over TF are given in with them, which helps small models most. The scale of what
comes back is that of the poses: the places of the predicted cameras, from their rays (section 3.1,
solved by :func:`ray_camera.camera_of_rays`), else from their extrinsics, against those of TF.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np

from sam3d_ros.core.errors import BackendError, InputError, TransformError
from sam3d_ros.core.types import ByteArray, FloatArray
from sam3d_ros.core.workers.process import WorkerProcess
from sam3d_ros.core.workers.protocol import Kind, Message
from sam3d_ros.geometry.transform_tree import TransformTree
from sam3d_ros.geometry.transforms import inverse, rotation_angle
from sam3d_ros.pointmaps.config import PointmapConfig
from sam3d_ros.pointmaps.inputs import ColorImage
from sam3d_ros.pointmaps.monocular.inferring import Inferred, InferringSource
from sam3d_ros.pointmaps.monocular.references import camera_place
from sam3d_ros.pointmaps.ray_camera import camera_of_rays
from sam3d_ros.pointmaps.sources.alignment import Alignment
from sam3d_ros.pointmaps.sources.ranges import RangeMap

LOG = logging.getLogger(__name__)

# A view is kept when it was seen from so far away, or turned so much, or, without TF, later.
_APART_M, _APART_RAD, _APART_NS = 0.05, np.radians(5.0), 500_000_000
_LEAST_BASELINE_M = 0.03
# No scale by baselines is known better than this share, nor any of one baseline than the other.
_BEST, _OF_ONE = 0.02, 0.045
# Confidence says by how much an error differs from the usual, within these factors.
_SURER, _LESS_SURE = 0.5, 4.0
_RAY_STEP = 4
_FOCAL_SHARE = 0.15


@dataclass(frozen=True, slots=True, eq=False)
class _View:
    """An image, its intrinsics, and where it was seen from; None where TF does not say."""

    stamp_ns: int
    rgb: ByteArray
    K: FloatArray
    T_fixed_cam: FloatArray | None


class DepthAnything3:
    """Asks the worker about the newest view, with earlier ones beside it.

    :param config: of the stage; ``pointmaps.depth_anything_3`` says where the installation is.
    :raises BackendError: when the configuration does not say.
    """

    def __init__(self, config: PointmapConfig) -> None:
        options = config.depth_anything_3
        if not options.python:
            raise BackendError(
                'pointmaps.range = "depth_anything_3" without an interpreter',
                wanted='one that has the package depth-anything-3',
                remedy='Set pointmaps.depth_anything_3.python.',
            )
        self._config, self._options = config, options
        self._views: list[_View] = []
        self._is_said = False
        self._process = WorkerProcess(
            'Depth Anything 3',
            lambda descriptor: [
                options.python,
                str(Path(__file__).with_name('worker.py')),
                f'--fd={descriptor}',
                f'--checkpoint={options.checkpoint}',
                f'--device={options.device}',
                f'--process-res={options.process_res}',
            ],
            start_timeout_s=options.timeout_s,
            remedies={
                'start': 'Set pointmaps.depth_anything_3.python to that of the installation.',
                'answer': 'Raise pointmaps.depth_anything_3.timeout_s, or look at its output.',
            },
        )

    def forget(self) -> None:
        """Forget earlier views."""
        self._views.clear()

    def close(self) -> None:
        """End the worker; a later image starts a new one."""
        self._process.close()

    def infer(self, color: ColorImage, ranges: RangeMap, tree: TransformTree) -> Inferred:
        """See :class:`DepthNetwork`.

        :param color: the image.
        :param ranges: not looked at.
        :param tree: says where views were seen from.
        """
        try:
            place = camera_place(color, tree, self._config)
        except (InputError, TransformError):
            place = None
        camera = color.lens.rectified
        newest = _View(color.stamp_ns, color.rectified, camera.K, place)
        if self._views and (
            newest.stamp_ns < self._views[-1].stamp_ns
            or (newest.T_fixed_cam is None) != (self._views[-1].T_fixed_cam is None)
            or newest.rgb.shape != self._views[-1].rgb.shape
        ):
            self._views.clear()
        views = [*self._views, newest]
        if not self._views or _is_apart(self._views[-1], newest):
            self._views = views[1 - self._options.views :] if self._options.views > 1 else []
        arrays: dict[str, np.ndarray] = {'images': np.stack([view.rgb for view in views])}
        poses = [view.T_fixed_cam for view in views if view.T_fixed_cam is not None]
        if len(poses) == len(views) > 1:
            arrays['extrinsics'] = np.stack([inverse(pose) for pose in poses])
            arrays['intrinsics'] = np.stack([view.K for view in views])
        found = self._process.ask(Message(Kind.WORK, {}, arrays), self._options.timeout_s).arrays
        size = (camera.width, camera.height)
        depth = cv2.resize(found['depth'][-1], size, interpolation=cv2.INTER_LINEAR)
        if 'sky' in found:
            sky = cv2.resize(found['sky'][-1], size, interpolation=cv2.INTER_NEAREST)
            depth[sky > 0.5] = np.nan
        doubt = None
        if 'confidence' in found:
            sure = cv2.resize(found['confidence'][-1], size, interpolation=cv2.INTER_LINEAR)
            # Trained with confidence as the inverse scale of errors (equation of L_D).
            doubt = np.clip(np.median(sure) / sure, _SURER, _LESS_SURE).astype(np.float32)
        return Inferred(depth, False, self._scale(found, poses, views), doubt)

    def _scale(
        self, found: dict[str, np.ndarray], poses: Sequence[FloatArray], views: Sequence[_View]
    ) -> Alignment | None:
        """Return the scale by the baselines of views; None without any that are long enough."""
        if len(poses) < len(views) or len(views) < 2:
            return None
        if 'rays' in found:
            centers = self._centers_of_rays(found, views)
        elif 'extrinsics' in found:
            R, t = found['extrinsics'][:, :3, :3], found['extrinsics'][:, :3, 3]
            centers = -np.einsum('nji,nj->ni', R, t).astype(np.float64)
        else:
            return None
        return scale_of_baselines(centers, np.stack([pose[:3, 3] for pose in poses]))

    def _centers_of_rays(self, found: dict[str, np.ndarray], views: Sequence[_View]) -> FloatArray:
        """Return (N, 3) where rays begin; warns where they are of another camera."""
        rays = found['rays'][:, ::_RAY_STEP, ::_RAY_STEP].astype(np.float64)
        high, wide = found['rays'].shape[1:3]
        row, column = np.mgrid[:high:_RAY_STEP, :wide:_RAY_STEP]
        weights = found.get('ray_confidence')
        if weights is not None:
            weights = weights[:, ::_RAY_STEP, ::_RAY_STEP].reshape(len(rays), -1)
        cameras = camera_of_rays(
            rays[..., :3].reshape(len(rays), -1, 3),
            np.stack([column.ravel(), row.ravel()], axis=1),
            weights,
            rays[..., 3:].reshape(len(rays), -1, 3),
        )
        focal = float(cameras.K[-1, 0, 0]) * views[-1].rgb.shape[1] / wide
        if abs(focal / views[-1].K[0, 0] - 1) > _FOCAL_SHARE and not self._is_said:
            self._is_said = True
            LOG.warning(
                'Depth Anything 3 sees a camera of f = %.0f px, CameraInfo says %.0f px: '
                'one of both is wrong',
                focal,
                views[-1].K[0, 0],
            )
        return cameras.center


class DepthAnything3Source(InferringSource):
    """Backend ``depth_anything_3``; see :class:`DepthAnything3`."""

    def __init__(self, config: PointmapConfig) -> None:
        super().__init__(config, DepthAnything3(config))


def scale_of_baselines(predicted: FloatArray, known: FloatArray) -> Alignment | None:
    """Return the scale that brings distances between predicted cameras to those that are known.

    By distances alone, so that two views and straight paths do; least squares over all pairs.

    :param predicted: (N, 3) centres, in a unit of their own.
    :param known: (N, 3) centres, metres.
    :return: None where no two are far enough apart, or distances disagree.
    """
    pairs = np.array(list(combinations(range(len(known)), 2)))
    ours, theirs = (
        np.linalg.norm(centers[pairs[:, 0]] - centers[pairs[:, 1]], axis=1)
        for centers in (known, predicted)
    )
    if not len(pairs) or ours.max() < _LEAST_BASELINE_M or theirs.max() <= 0:
        return None
    scale = float((ours * theirs).sum() / (theirs * theirs).sum())
    share = _OF_ONE
    if len(known) > 2:
        residual = np.sqrt(np.square(ours - scale * theirs).sum() / (len(pairs) - 1))
        share = max(float(residual / np.sqrt(np.square(ours).sum())), _BEST)
    if share > _OF_ONE:
        return None
    covariance = np.diag([(scale * share) ** 2, 0.0])
    return Alignment(scale, 0.0, 0.0, covariance, np.zeros(0, bool))


def _is_apart(one: _View, other: _View) -> bool:
    """Return whether two views are different enough for both to say something."""
    if one.T_fixed_cam is None or other.T_fixed_cam is None:
        return other.stamp_ns - one.stamp_ns >= _APART_NS
    T = inverse(one.T_fixed_cam) @ other.T_fixed_cam
    return float(np.linalg.norm(T[:3, 3])) > _APART_M or rotation_angle(T) > _APART_RAD
