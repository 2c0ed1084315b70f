# SPDX-License-Identifier: Apache-2.0
"""Where a view is to a keyframe, whatever both show from where: by local features in common.

Descriptors of cells of both views are matched; the keyframe's have range, so that three of them
place the camera (RANSAC over perspective-three-point, Gao et al., PAMI 2003).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from sam3d_ros.core.pretrained.local_features import (
    CELL_PX,
    SIDE_PX,
    LocalFeatures,
    mutual_matches,
)
from sam3d_ros.core.types import Float32Array, FloatArray, IndexArray
from sam3d_ros.geometry.cameras import rays, scaled
from sam3d_ros.geometry.transforms import inverse, transform
from sam3d_ros.pointmaps.odometry.levels import Level

LEAST_CONTRAST = 4.0
"""One sigma of brightness about a cell, 0..255; less may be grain."""
LEAST_MATCHES = 12
"""Matches that agree about where the camera is."""
REACH_PX = 7.0
"""They do within this; cells are a little wider."""
TRIES = 500
WAYS = (cv2.INTER_NEAREST, cv2.INTER_AREA)
"""How inverse depth and brightness are made smaller: depths of two surfaces have no mean."""


@dataclass(frozen=True, slots=True, eq=False)
class Landmarks:
    """What a view may be known by.

    :param descriptors: (N, 64) float16 unit, of cells.
    :param pixels: (N, 2) float32 middle of each, px of a picture of :data:`SIDE_PX`.
    :param points: (N, 3) float32 metres, optical axes, NaN = no range.
    :param K: (3, 3) of that picture.
    """

    descriptors: npt.NDArray[np.float16]
    pixels: Float32Array
    points: Float32Array
    K: FloatArray

    @classmethod
    def of(cls, level: Level, features: LocalFeatures) -> Landmarks:
        """Return the landmarks of a view.

        :param level: of the view, wider than :data:`SIDE_PX`.
        :param features: reads pictures.
        """
        rows, columns = level.image.shape[:2]
        shrunk = SIDE_PX / max(rows, columns)
        width, height = round(columns * shrunk), round(rows * shrunk)
        camera = scaled(level.camera, width, height)
        inverse_depth, brightness = (
            np.asarray(cv2.resize(image, (width, height), interpolation=how), np.float32)
            for image, how in zip(cv2.split(level.image), WAYS, strict=True)
        )
        picture = np.zeros((SIDE_PX, SIDE_PX), np.float32)
        picture[:height, :width] = brightness
        # Cells at the border would be known by it, blank ones by how far away it is.
        first = CELL_PX + CELL_PX // 2
        cells = np.s_[first : height - CELL_PX : CELL_PX, first : width - CELL_PX : CELL_PX]
        contrast = np.sqrt(cv2.blur(np.square(brightness), (2 * CELL_PX, 2 * CELL_PX)))
        kept = contrast[cells] > LEAST_CONTRAST
        v, u = (places[kept] for places in np.mgrid[cells])
        points = rays(camera)[v, u] / inverse_depth[v, u, None]
        descriptors = features.of(picture)[v // CELL_PX, u // CELL_PX].astype(np.float16)
        return cls(descriptors, np.stack([u, v], axis=1).astype(np.float32), points, camera.K)


def matched(key: Landmarks, view: Landmarks) -> tuple[IndexArray, IndexArray]:
    """Return which landmarks of a keyframe, with range, a view shows too: (M,) of each."""
    if not len(key.descriptors) or not len(view.descriptors):
        return np.zeros(0, np.int32), np.zeros(0, np.int32)
    at, to = mutual_matches(
        key.descriptors.astype(np.float32), view.descriptors.astype(np.float32)
    )
    known = np.isfinite(key.points[at, 2])
    return at[known], to[known]


def place_by(
    key: Landmarks, view: Landmarks, pairs: tuple[IndexArray, IndexArray]
) -> FloatArray | None:
    """Return the (4, 4) pose of a view in the optical frame of a keyframe; None where too few
    landmarks agree about one.

    :param pairs: of :func:`matched`.
    """
    at, to = pairs
    if len(at) < LEAST_MATCHES:
        return None
    points, pixels = key.points[at], view.pixels[to]
    found, turn, shift, fits = cv2.solvePnPRansac(
        points, pixels, view.K, None,
        iterationsCount=TRIES, reprojectionError=REACH_PX, flags=cv2.SOLVEPNP_AP3P,
    )  # fmt: skip
    if not found or fits is None or len(fits) < LEAST_MATCHES:
        return None
    fits = fits.ravel()
    turn, shift = cv2.solvePnPRefineLM(points[fits], pixels[fits], view.K, None, turn, shift)
    rotation = Rotation.from_rotvec(turn.ravel()).as_matrix()
    return inverse(transform(rotation, np.asarray(shift.ravel(), np.float64)))
