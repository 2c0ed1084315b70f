# SPDX-License-Identifier: Apache-2.0
"""What decoded data tells of wrong units and wrong axes: suspicions, in words."""

from __future__ import annotations

import numpy as np

from sam3d_ros.core.types import Float32Array, FloatArray, Frame
from sam3d_ros.geometry.transform_tree import TransformTree
from sam3d_ros.messages.sensors.images import DEPTH_UNITS_M

# No camera that looks at things it could handle sees nothing nearer than this, metres.
_NOTHING_NEARER_M = 2.5
# No depth camera has most of what it sees so near, metres.
_TOO_NEAR_M = 0.1
# Where things to be handled are, metres; and the units that drivers use, metres of one count.
_USUAL_M = 0.8
_UNITS_M = (1e-5, 1e-4, 2e-4, 2.5e-4, 1e-3, 1e-2, 1e-1, 1.0)

R_BODY_OPTICAL: FloatArray = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
"""REP 103: turns optical axes (x right, y down, z ahead) to body axes (x ahead, y left, z up)."""
# Every so many pixels a normal is looked at, from neighbours so far apart.
_STEP_PX = 4
# Surfaces within this angle of level are supports.
_LEVEL_COS = np.cos(np.radians(12.0))
# Share of the normals that must be level in the other axes, and how many times those in these.
_LEVEL_SHARE, _TIMES = 0.2, 3.0


def suspected_unit(depth_m: Float32Array, encoding: str) -> str:
    """Return why the unit of a depth image is probably another one, or nothing.

    :param depth_m: (H, W) metres by the encoding's usual unit, NaN = no return.
    :param encoding: of the image.
    """
    few = depth_m[::_STEP_PX, ::_STEP_PX]
    returns = few[np.isfinite(few)]
    if not returns.size:
        return ''
    low, middle, high = np.percentile(returns, (5, 50, 95))
    if low < _NOTHING_NEARER_M and middle > _TOO_NEAR_M:
        return ''
    unit_m = DEPTH_UNITS_M[encoding]
    guess_m = min(_UNITS_M, key=lambda unit: abs(np.log(middle * unit / unit_m / _USUAL_M)))
    seen = 'all is far' if low >= _NOTHING_NEARER_M else 'all is nearer than a lens allows'
    advice = f'try --depth-unit {guess_m:g}' if guess_m != unit_m else 'see --depth-unit'
    return (
        f'{seen}: {low:.3g} .. {middle:.3g} .. {high:.3g} m, {unit_m:g} m a count ({encoding}); '
        f'if that is not so, the unit is another one: {advice} (pointmaps.depth_unit_m)'
    )


def suspected_axes(frame: Frame, tree: TransformTree) -> str:
    """Return why the images are probably in body axes (x ahead), or nothing.

    Either TF has the optical frame of that body, or what is level only in body axes is seen.

    :param frame: built as TF says.
    :param tree: all of TF.
    """
    optical = [
        edge.child
        for edge in tree.edges()
        if edge.parent == frame.frame_id and _is_optical(tree, frame.frame_id, edge.child)
    ]
    level = turned = 0.0
    if frame.up_cam is not None:
        normals = _normals(frame.pointmap)
        level = _share_along(normals, frame.up_cam)
        turned = _share_along(normals, R_BODY_OPTICAL.T @ frame.up_cam)
    is_seen = turned > _LEVEL_SHARE and turned > _TIMES * level
    if not is_seen and not optical:
        return ''
    why = [f'"{frame.frame_id}" is the body of "{name}" in TF' for name in optical[:1]]
    if is_seen:
        why.append(
            f'the floor is a wall: {level:.0%} of what is seen is level, with x ahead and z up '
            f'{turned:.0%} would be'
        )
    return (
        f'images stamped "{frame.frame_id}" are probably not in its axes: {"; ".join(why)}. Type '
        f'--frame-override TOPIC={optical[0] if optical else "FRAME"} (pointmaps.frame_override)'
    )


def _is_optical(tree: TransformTree, body: str, child: str) -> bool:
    """Return whether a frame is turned from its parent as optical axes are from body axes."""
    turn = tree.lookup(body, child)[:3, :3]
    return bool(np.allclose(turn, R_BODY_OPTICAL, atol=0.1))


def _normals(pointmap: Float32Array) -> FloatArray:
    """Return (N, 3) unit normals of a pointmap (H, W, 3) at every few pixels."""
    few = pointmap[::_STEP_PX, ::_STEP_PX].astype(np.float64)
    along, down = few[:-1, 1:] - few[:-1, :-1], few[1:, :-1] - few[:-1, :-1]
    normals = np.cross(along, down).reshape(-1, 3)
    lengths = np.linalg.norm(normals, axis=1)
    good = np.isfinite(lengths) & (lengths > 0)
    unit: FloatArray = normals[good] / lengths[good, None]
    return unit


def _share_along(normals: FloatArray, axis: FloatArray) -> float:
    """Return the share of (N, 3) normals that are along an axis (3,), either way."""
    if not len(normals):
        return 0.0
    return float(np.mean(np.abs(normals @ axis) > _LEVEL_COS))
