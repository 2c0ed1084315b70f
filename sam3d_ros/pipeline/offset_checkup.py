# SPDX-License-Identifier: Apache-2.0
"""How well TF says where cameras are to each other, by the surfaces that they both see."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations, islice, product

import cv2
import numpy as np

from sam3d_ros.core.types import FloatArray, Frame
from sam3d_ros.geometry.registration import (
    REACH_M,
    Offset,
    SurfaceMatcher,
    Surfaces,
    measure_offset,
)
from sam3d_ros.geometry.transforms import apply
from sam3d_ros.pipeline.checkup import Finding, Level
from sam3d_ros.pipeline.frames import FrameReader
from sam3d_ros.segmentation.partition.grid import make_grid
from sam3d_ros.segmentation.partition.normals import local_planes

SUBJECT = 'offset'
_FRAMES_TRIED = 10
_POINTS = 8000
_WINDOW_PX = 3
_LEAST_ALIKE = 0.99
_LARGEST_SHIFT_M = 0.005
_LARGEST_TURN_DEG = 1.0


def offsets(readers: Mapping[str, FrameReader]) -> Iterator[Finding]:
    """Yield how far each two cameras are apart from where TF says.

    :param readers: by camera, with one fixed frame; the first frames of each are looked at.
    """
    first = {
        camera: [item for item in islice(reader, _FRAMES_TRIED) if isinstance(item, Frame)]
        for camera, reader in readers.items()
    }
    for one, other in combinations(first, 2):
        if first[one] and first[other]:
            pairs = product(first[one], first[other])
            frames = min(pairs, key=lambda pair: abs(pair[0].stamp_ns - pair[1].stamp_ns))
            yield _finding(f'{one} and {other}', offset_between(*frames))


def offset_between(one: Frame, other: Frame) -> Offset | None:
    """Return what brings another camera's surfaces onto those of one, in the fixed frame.

    :param other: of the other camera, of about the same time.
    :return: None when they see too little in common.
    """
    points, normals, _ = surface_of(one)
    others, other_normals, _ = surface_of(other)
    every = max(1, len(others) // _POINTS)
    view = Surfaces(points, normals, others[::every], other_normals[::every])
    return measure_offset([SurfaceMatcher([view])])


def surface_of(frame: Frame) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return (N, 3) points of a frame, their normals, and how far along these they may be off.

    :param frame: edges are left out.
    :return: points and unit normals in the fixed frame; (N,) one-sigma errors, metres.
    """
    grid = make_grid(frame)
    planes = local_planes(grid, frame.sensor)
    mean = cv2.boxFilter(planes.normal, -1, (_WINDOW_PX, _WINDOW_PX))
    smooth = planes.known & (np.linalg.norm(mean, axis=2) > _LEAST_ALIKE)
    points = grid.points[smooth].astype(np.float64)
    normals = planes.normal[smooth].astype(np.float64)
    # Errors of range are along the ray, of which the normal takes a part.
    along = np.abs(np.einsum('nc,nc->n', points, normals)) / points[:, 2]
    sigma_m = frame.sigma_m[:: grid.step, :: grid.step][smooth] * along
    T = frame.T_fixed_cam
    return apply(T, points), normals @ T[:3, :3].T, sigma_m.astype(np.float64)


def _finding(who: str, offset: Offset | None) -> Finding:
    if offset is None:
        return Finding(
            Level.WARN,
            SUBJECT,
            f'{who} see nothing in common, if they are where TF says',
            f'Fine when they look at different places; else TF is wrong by more than {REACH_M:g} '
            'm: calibrate it.',
        )
    shift_mm, turn_deg = 1e3 * offset.shift_m, np.degrees(offset.turn_rad)
    text = (
        f'{who}: surfaces that both see are {shift_mm:.1f} mm and {turn_deg:.2f} deg apart '
        f'({offset.share:.0%} of the points, {1e3 * offset.spread_m[0]:.1f} mm left between them)'
    )
    if offset.told < 6:
        text += f'; they are too flat to tell more than {offset.told} of 6 directions'
    if offset.shift_m > _LARGEST_SHIFT_M or turn_deg > _LARGEST_TURN_DEG:
        remedy = 'Calibrate TF between them, or what they see twice is kept twice or blurred.'
        return Finding(Level.WARN, SUBJECT, text, remedy)
    return Finding(Level.OK, SUBJECT, text)
