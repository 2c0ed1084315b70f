# SPDX-License-Identifier: Apache-2.0
"""How wrongly a sensor is mounted, by what it and a camera see at several times.

All is compared in the frame of the sensor that is refined: a mount that is wrong is wrong by the
same motion there, however the rig moves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.transform import Rotation

from sam3d_ros.core.errors import InputError
from sam3d_ros.core.sensors import MODELS
from sam3d_ros.core.types import ByteArray, Camera, Float32Array, FloatArray, Frame
from sam3d_ros.geometry.cameras import project
from sam3d_ros.geometry.registration import (
    Matcher,
    Offset,
    SurfaceMatcher,
    Surfaces,
    measure_offset,
)
from sam3d_ros.geometry.transforms import apply, inverse, transform
from sam3d_ros.pipeline.calibration.edges import EdgeMatcher, EdgeView, ImageEdges, range_edges
from sam3d_ros.pipeline.offset_checkup import surface_of

REACH_M = 0.25
"""Of what is farther apart at first, nothing is taken for the same."""
ASIDE_M, SMALL_REACH_M = 0.03, 0.1
"""How far aside it is begun again where a direction is not told, and what is in reach then."""
EVENNESS = 0.5
"""At last, where as many directions are told: normals that are noise have less of a say."""
MOST_SHIFT_M, MOST_TURN_RAD = 0.08, np.radians(4.0)
"""Mounts that seem to be farther off were matched wrongly."""
MOST_APART_M = 0.01
"""Parts of the views that differ by more where things are, typically, are not to be trusted."""
MOST_POINTS = 6000
"""Points of one view that are enough."""
OUTSIDE = 0.25
"""Returns so far outside an image, over its size, may lie in it when they are moved."""


@dataclass(frozen=True, slots=True, eq=False)
class SweepView:
    """A sweep of a LiDAR and what a camera sees at that time.

    :param rgb: (H, W, 3) uint8, rectified.
    :param camera: the rectified pinhole model.
    :param points_cam: (N, 3) metres, optical frame at the image's stamp, as TF has it.
    :param T_cam_lidar: (4, 4) how TF has it.
    :param frame: of the same image, where the camera measures depth too.
    """

    rgb: ByteArray
    camera: Camera
    points_cam: Float32Array
    T_cam_lidar: FloatArray
    frame: Frame | None = None


def refine_camera(pairs: Sequence[tuple[Frame, Frame]]) -> Offset:
    """Return what is wrong with how a camera is mounted, in its optical frame.

    :param pairs: frames of the camera that stays and of the one that is refined.
    :raises InputError: when nothing is refined; why.
    """
    views = []
    for one, other in pairs:
        T_other_fixed = inverse(other.T_fixed_cam)
        points, normals, sigma_m = surface_of(one)
        others, other_normals, other_sigma_m = surface_of(other)
        every = max(1, len(others) // MOST_POINTS)
        views.append(
            Surfaces(
                apply(T_other_fixed, points),
                normals @ T_other_fixed[:3, :3].T,
                apply(T_other_fixed, others[::every]),
                other_normals[::every] @ T_other_fixed[:3, :3].T,
                (sigma_m, other_sigma_m[::every]),
            )
        )
    return _agreed(lambda part: [SurfaceMatcher(views[part])], len(views), is_sure=True)


def refine_lidar(sweeps: Sequence[SweepView]) -> Offset:
    """Return what is wrong with how a LiDAR is mounted, in its frame.

    :param sweeps: of several times; by surfaces where the camera has depth, by edges everywhere.
    :raises InputError: when nothing is refined; why.
    """
    surfaces, edges = [], []
    for sweep in sweeps:
        back = inverse(sweep.T_cam_lidar)
        points = _about_image(sweep)
        others = apply(back, points)
        ends = range_edges(others)
        edges.append(EdgeView(ends, ImageEdges(sweep.rgb), sweep.camera, sweep.T_cam_lidar))
        if sweep.frame is not None:
            to_cam = inverse(sweep.frame.T_fixed_cam)
            surface, normals, sigma_m = surface_of(sweep.frame)
            every = max(1, len(others) // MOST_POINTS)
            thin = others[::every]
            lidar_sigma_m = MODELS['lidar'].axial_sigma(np.linalg.norm(thin, axis=1))
            surfaces.append(
                Surfaces(
                    apply(back @ to_cam, surface),
                    normals @ (back @ to_cam)[:3, :3].T,
                    thin,
                    sigma_m=(sigma_m, lidar_sigma_m.astype(np.float64)),
                )
            )

    def matchers(part: slice) -> list[Matcher]:
        by_surface = [SurfaceMatcher(surfaces[part])] if surfaces[part] else []
        return [*by_surface, EdgeMatcher(edges[part])]

    return _agreed(matchers, len(sweeps), is_sure=bool(surfaces))


def _agreed(matchers: Callable[[slice], list[Matcher]], times: int, *, is_sure: bool) -> Offset:
    """Return the offset of all views, if parts of them say the same.

    Errors that a view has in common, as a bend of its ranges, are no scatter within it: by how
    much parts differ, over what their covariance says, all of it is widened.

    :param matchers: makes those of a part of the views.
    :param times: how many views there are.
    :param is_sure: whether surfaces are compared, which are hardly taken for others.
    :raises InputError: when they see too little in common, or do not agree.
    """
    found = _thoroughly(matchers(slice(None)))
    if found is None or not found.told:
        raise InputError(
            f'{times} pairs of views that have too little in common',
            wanted='things of several directions that both see',
            remedy=f'TF must be right to about {REACH_M:g} m to begin with.',
        )
    shift_m, turn_deg = float(np.linalg.norm(found.T[:3, 3])), np.degrees(found.turn_rad)
    if shift_m > MOST_SHIFT_M or found.turn_rad > MOST_TURN_RAD:
        raise InputError(
            f'a mount that would be {1e3 * shift_m:.0f} mm and {turn_deg:.1f} deg off',
            wanted=f'{1e3 * MOST_SHIFT_M:.0f} mm and {np.degrees(MOST_TURN_RAD):.0f} deg at most',
            remedy='Measure the mount roughly, and show both more things that end in view.',
        )
    # Edges are easily taken for others: thirds of the views have to find the way alone.
    parts = min(2 if is_sure else 3, times)
    T_start, reach_m = (found.T, SMALL_REACH_M) if is_sure else (None, REACH_M)
    lengths = np.array([1.0, 1.0, 1.0, *[found.length_m] * 3])
    information = np.linalg.pinv(found.covariance * np.outer(lengths, lengths), 1e-9, True)
    wider = []
    for k in range(parts if times > 1 else 0):
        part = measure_offset(matchers(slice(k, None, parts)), reach_m, T_start)
        aside = np.full(6, np.inf) if part is None else _twist(part.T, found)
        if part is not None:
            aside -= found.untold.T @ (found.untold @ aside)
        if not np.linalg.norm(aside) < MOST_APART_M:
            raise InputError(
                'views of which some tell another mount than others',
                wanted=f'parts that agree to {1e3 * MOST_APART_M:.0f} mm where things are',
                remedy='Show more things of several directions; check stamps, and stand still.',
            )
        # Parts that scatter by chance lie as far from the whole as parts - 1 covariances say.
        wider.append(aside @ information @ aside / (found.told * (parts - 1)))
    return replace(found, covariance=max(1.0, float(np.mean(wider or 1.0))) * found.covariance)


def _twist(T: FloatArray, found: Offset) -> FloatArray:
    """Return (6,) how another motion differs about the middle of an offset, turns as lengths."""
    rest = inverse(found.T) @ T
    origin = apply(inverse(found.T), found.middle)
    turn = Rotation.from_matrix(rest[:3, :3]).as_rotvec() * found.length_m
    return np.concatenate([apply(rest, origin) - origin, turn])


def _thoroughly(matchers: Sequence[Matcher]) -> Offset | None:
    """Return the offset, begun again from aside along what it does not tell.

    What little tells of a direction, as sides of small boxes do, may not have been matched at all.
    """
    first = measure_offset(matchers, REACH_M)
    if first is None:
        return None
    best = first
    for axis in first.untold:
        for way in (-ASIDE_M * axis, ASIDE_M * axis):
            turn = Rotation.from_rotvec(way[3:] / first.length_m).as_matrix()
            aside = transform(turn, first.middle + way[:3] - turn @ first.middle)
            found = measure_offset(matchers, SMALL_REACH_M, aside @ first.T)
            if found is not None and found.told > best.told:
                best = found
    finer = measure_offset(matchers, SMALL_REACH_M, best.T, EVENNESS)
    return finer if finer is not None and finer.told == best.told else best


def _about_image(sweep: SweepView) -> FloatArray:
    """Return (N, 3) the returns that lie in an image, or would if they were moved."""
    camera, p = sweep.camera, sweep.points_cam.astype(np.float64)
    p = p[p[:, 2] > 0.05]
    u, v = project(p, camera).T
    aside_u, aside_v = OUTSIDE * camera.width, OUTSIDE * camera.height
    inside = (u > -aside_u) & (u < camera.width + aside_u)
    inside &= (v > -aside_v) & (v < camera.height + aside_v)
    return p[inside]
