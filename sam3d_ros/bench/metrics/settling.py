# SPDX-License-Identifier: Apache-2.0
"""What becomes of objects that are let go where they are (MuJoCo)."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sam3d_ros.bench.metrics.scoring import PosedMesh
from sam3d_ros.core.types import FloatArray
from sam3d_ros.geometry.shapes.convex import convex_parts
from sam3d_ros.geometry.transforms import apply, from_quaternion, rotation_angle

if TYPE_CHECKING:
    import mujoco

LOG = logging.getLogger(__name__)
STEP_S, SETTLE_S = 0.001, 1.0
MOST_PARTS = 16
STAYS_M, STAYS_DEG = 0.005, 3.0


@dataclass(frozen=True, slots=True, eq=False)
class Settled:
    """What became of N objects: arrays (N,), float64.

    :param moved_m: how far the middle of each has moved.
    :param tilt_deg: how far each has turned.
    :param penetration_m: how deep each was in another one at the start.
    :param gap_m: how far the lowest point of each was above the support at the start.
    """

    moved_m: FloatArray
    tilt_deg: FloatArray
    penetration_m: FloatArray
    gap_m: FloatArray

    @property
    def stays(self) -> FloatArray:
        """(N,) 1 where an object stays where it was, to 5 mm and 3 degrees, else 0."""
        return ((self.moved_m <= STAYS_M) & (self.tilt_deg <= STAYS_DEG)).astype(np.float64)


def let_go(meshes: Sequence[PosedMesh], support_z_m: float, for_s: float = SETTLE_S) -> Settled:
    """Return what becomes of objects that are let go where they are.

    :param meshes: with faces, in a fixed frame whose z is up.
    :param support_z_m: height of the plane that they stand on.
    :param for_s: how long, seconds.
    """
    import mujoco

    # MuJoCo would write its warnings to a file in the working folder; they are counted below.
    mujoco.set_mju_user_warning(LOG.info)
    model = _model(meshes, support_z_m)
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    penetration = np.zeros(len(meshes))
    for contact in data.contact:
        pair = [int(model.geom_bodyid[geom]) - 1 for geom in contact.geom]
        if min(pair) >= 0:
            penetration[pair] = np.maximum(penetration[pair], -contact.dist)
    for _ in range(int(for_s / STEP_S)):
        mujoco.mj_step(model, data)
    # What is far inside another is thrown out so hard that MuJoCo begins anew: nothing stayed.
    bad = mujoco.mjtWarning
    kinds = (bad.mjWARN_BADQPOS, bad.mjWARN_BADQVEL, bad.mjWARN_BADQACC)
    is_thrown = any(data.warning[kind].number for kind in kinds)
    moved, tilt, gap = [], [], []
    for mesh, pose in zip(meshes, data.qpos.reshape(-1, 7).copy(), strict=True):
        T = from_quaternion(pose[[4, 5, 6, 3]], pose[:3])
        middle = mesh.bounds().mean(axis=0)
        moved.append(np.inf if is_thrown else np.linalg.norm(apply(T, middle) - middle))
        tilt.append(np.degrees(rotation_angle(T)))
        gap.append(mesh.vertices_m[:, 2].min() - support_z_m)
    return Settled(np.array(moved), np.array(tilt), penetration, np.array(gap))


def _model(meshes: Sequence[PosedMesh], support_z_m: float) -> mujoco.MjModel:
    import mujoco

    from sam3d_ros.world.setting.physics import CONTACT, DENSITY, empty_world

    spec = empty_world(support_z_m, STEP_S)
    for number, mesh in enumerate(meshes):
        body = spec.worldbody.add_body()
        body.add_freejoint()
        for at, part in enumerate(convex_parts(mesh.vertices_m, mesh.faces, MOST_PARTS)):
            name = f'part_{number}_{at}'
            spec.add_mesh(name=name, uservert=part.corners_m.astype(np.float32).ravel())
            body.add_geom(
                type=mujoco.mjtGeom.mjGEOM_MESH, meshname=name, density=DENSITY, **CONTACT
            )
    return spec.compile()
