# SPDX-License-Identifier: Apache-2.0
"""Colour, its ranges and TF to frames: rectified, a pointmap, its place, and where up is."""

from __future__ import annotations

from contextlib import suppress

import numpy as np

from sam3d_ros.core.errors import TransformError
from sam3d_ros.core.types import FloatArray, Frame
from sam3d_ros.geometry.cameras import pointmap_from_depth
from sam3d_ros.geometry.transform_tree import TransformTree
from sam3d_ros.pointmaps.config import PointmapConfig
from sam3d_ros.pointmaps.inputs import ColorImage
from sam3d_ros.pointmaps.sources.ranges import RangeMap

# The housing of a camera reaches so far from its optical centre.
_HOUSING_M = 0.2


def build_frame(
    color: ColorImage,
    ranges: RangeMap,
    tree: TransformTree,
    fixed_frame: str | None,
    config: PointmapConfig,
) -> Frame:
    """Return the frame of a colour image whose ranges are known.

    :param color: the image as delivered.
    :param ranges: as its rectified camera sees them.
    :param tree: all of TF that is known; an empty tree makes the camera the fixed frame.
    :param fixed_frame: None = as configured, see :func:`fixed_frame_of`.
    :param config: options of the stage.
    :raises TransformError: when TF does not say where the camera was.
    """
    fixed = fixed_frame or fixed_frame_of(tree, color.frame_id, config)
    T_fixed_cam = np.eye(4)
    if fixed != color.frame_id:
        T_fixed_cam = tree.lookup(fixed, color.frame_id, color.stamp_ns)
    camera = color.lens.rectified
    tells_up = config.up != 'unknown' and fixed != color.frame_id
    if config.up == 'auto':
        tells_up = tells_up and not is_housing(tree, fixed, color.frame_id)
    return Frame(
        stamp_ns=color.stamp_ns,
        frame_id=color.frame_id,
        camera=camera,
        rgb=color.rectified,
        pointmap=pointmap_from_depth(ranges.depth_m, camera),
        fixed_frame=fixed,
        T_fixed_cam=T_fixed_cam,
        up_cam=np.array(T_fixed_cam[2, :3]) if tells_up else None,
        sensor=ranges.sensor,
        camera_id=config.camera_id,
        measured=ranges.measured,
        range_sigma_m=ranges.sigma_m,
        grippers=_grippers(tree, fixed, color.stamp_ns, config.grippers),
    )


def _grippers(tree: TransformTree, fixed: str, stamp_ns: int, names: str) -> dict[str, FloatArray]:
    """Return where the grippers of some names are, those left out that TF does not know then."""
    found = {}
    for name in filter(None, (part.strip().lstrip('/') for part in names.split(','))):
        with suppress(TransformError):
            found[name] = tree.lookup(fixed, name, stamp_ns)
    return found


def fixed_frame_of(tree: TransformTree, frame_id: str, config: PointmapConfig) -> str:
    """Return the fixed frame: the configured one, else the root above the camera.

    :param tree: all of TF that is known.
    :param frame_id: optical frame of the camera.
    :param config: options of the stage.
    """
    return config.fixed_frame or tree.root(frame_id)


def require_transforms(
    tree: TransformTree, fixed_frame: str, color: tuple[str, int], other: tuple[str, int]
) -> None:
    """Raise the TransformError that building a frame would; cheap, without decoded data.

    :param tree: all of TF that is known.
    :param fixed_frame: the frame that objects are kept in.
    :param color: frame and stamp (ns) of the colour image.
    :param other: frame and stamp (ns) of the depth image or cloud.
    """
    if fixed_frame != color[0]:
        tree.lookup(fixed_frame, *color)
    if other[0] != color[0]:
        tree.lookup_between(*color, *other, tree.root(color[0]))


def is_housing(tree: TransformTree, fixed: str, frame_id: str) -> bool:
    """Return whether a frame above a camera may be of the camera itself: near, always the same.

    However its axes are turned: lenses are tilted in their housings, and housings on stands.

    :param tree: all of TF that is known.
    :param fixed: the frame above the camera.
    :param frame_id: optical frame of the camera.
    """
    if tree.moves(fixed, frame_id):
        return False
    return float(np.linalg.norm(tree.lookup(fixed, frame_id)[:3, 3])) < _HOUSING_M
