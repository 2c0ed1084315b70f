# SPDX-License-Identifier: Apache-2.0
"""Which edge of TF a refined calibration corrects, and how ROS users write it down."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from sam3d_ros.core.errors import TransformError
from sam3d_ros.core.types import FloatArray
from sam3d_ros.geometry.registration import Offset
from sam3d_ros.geometry.transform_tree import TransformTree
from sam3d_ros.geometry.transforms import adjoint_rotation, inverse, quaternion, rotation_angle

UNTOLD_VARIANCE = 1.0
"""In the covariance, of directions that nothing tells: square metres, and radians at the typical
distance of what was seen."""


@dataclass(frozen=True, slots=True, eq=False)
class Mount:
    """An edge of TF and what it should be.

    :param parent: name of the frame that it is in.
    :param child: name of the frame that is placed.
    :param T_before: (4, 4) child to parent as TF has it.
    :param T: (4, 4) as refined.
    :param covariance: (6, 6) of ``T``: x, y, z, rotation vector; the parent's axes, about the
        child's origin, as in geometry_msgs/PoseWithCovariance.
    """

    parent: str
    child: str
    T_before: FloatArray
    T: FloatArray
    covariance: FloatArray

    @property
    def shift_m(self) -> float:
        """How far the child's origin is moved."""
        return float(np.linalg.norm(self.T[:3, 3] - self.T_before[:3, 3]))

    @property
    def turn_rad(self) -> float:
        """By how much the child is turned."""
        return rotation_angle(inverse(self.T_before) @ self.T)

    @property
    def rpy(self) -> FloatArray:
        """(3,) roll, pitch, yaw of URDF, radians."""
        return np.asarray(Rotation.from_matrix(self.T[:3, :3]).as_euler('xyz'))

    @property
    def publisher(self) -> str:
        """The command that publishes it."""
        names = (*'xyz', *(f'q{axis}' for axis in 'xyzw'))
        numbers = (*self.T[:3, 3], *quaternion(self.T))
        given = ' '.join(f'--{name} {n:.6f}' for name, n in zip(names, numbers, strict=True))
        frames = f'--frame-id {self.parent} --child-frame-id {self.child}'
        return f'ros2 run tf2_ros static_transform_publisher {given} {frames}'

    @property
    def urdf(self) -> str:
        """The origin of its joint in URDF."""
        xyz, rpy = (' '.join(f'{n:.6f}' for n in each) for each in (self.T[:3, 3], self.rpy))
        return f'<origin xyz="{xyz}" rpy="{rpy}"/>'

    def tree(self) -> dict[str, Any]:
        """Return plain values, as a YAML file has them."""
        return {
            'parent': self.parent,
            'child': self.child,
            'translation': self.T[:3, 3].round(6).tolist(),
            'rotation': quaternion(self.T).round(8).tolist(),
            'rpy': self.rpy.round(6).tolist(),
            'covariance': [float(f'{value:.4g}') for value in self.covariance.ravel()],
        }


def corrected(tree: TransformTree, reference: str, sensor: str, offset: Offset) -> Mount:
    """Return the edge of TF that is to be corrected, and how.

    Of the static edges above the sensor that are not above the reference as well it is the topmost
    one, which a rig's description has; those below it are the driver's. Where the sensor is above
    the reference, it is one of those of the reference.

    :param tree: all of TF that is known.
    :param reference: optical frame of the camera that stays.
    :param sensor: the frame that was refined.
    :param offset: what brings points onto the reference, in the sensor's frame.
    :raises TransformError: when nothing between both is static.
    """
    static = {edge.child for edge in tree.edges() if not tree.moves(edge.parent, edge.child)}
    above = {frame: tree.ancestors(frame) for frame in (reference, sensor)}
    own = [frame for frame in above[sensor] if frame not in above[reference]]
    is_own = bool(own)
    chain = own or [frame for frame in above[reference] if frame not in above[sensor]]
    child = None
    for frame in chain:
        if frame not in static:
            break
        child = frame
    if child is None:
        raise TransformError(
            f'no static transform between "{reference}" and "{sensor}"',
            wanted='a mount in /tf_static, or one in /tf that stays as it is',
        )
    parent = tree.ancestors(child)[1]
    T_before = tree.lookup(parent, child)
    T_sensor_child = tree.lookup(sensor, child)
    T_parent_sensor = T_before @ inverse(T_sensor_child)
    motion = offset.T if is_own else inverse(offset.T)
    T = T_parent_sensor @ motion @ T_sensor_child
    covariance = offset.covariance.copy()
    by_length = np.array([1.0, 1.0, 1.0, *[1.0 / offset.length_m] * 3])
    for axis in offset.untold * by_length:
        covariance += UNTOLD_VARIANCE * np.outer(axis, axis)
    x, y, z = (motion @ T_sensor_child)[:3, 3] - offset.middle
    about_child = np.eye(6)
    about_child[:3, 3:] = [[0.0, z, -y], [-z, 0.0, x], [y, -x, 0.0]]
    covariance = about_child @ covariance @ about_child.T
    return Mount(parent, child, T_before, T, adjoint_rotation(covariance, T_parent_sensor[:3, :3]))
