# SPDX-License-Identifier: Apache-2.0
"""Dropping: bodies are let go one after another above a support until all of them rest (MuJoCo).

Every body collides as its convex hull, so nothing nests in a bowl and real surfaces interpenetrate
by no more than the contact's softness. Nothing is random: the same start ends the same way.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import mujoco
import numpy as np
from scipy.spatial.transform import Rotation

from sam3d_ros.core.types import FloatArray
from sam3d_ros.geometry.transforms import apply, transform
from sam3d_ros.world.setting.placing import Body

STEP_S = 0.002
DENSITY = 300.0
CONTACT: dict[str, Any] = {'condim': 6, 'friction': (0.8, 0.01, 0.006)}
"""Of every geometry: sliding, torsional (m) and rolling (m) friction."""
REST_WINDOW_S = 0.2
REST_SHIFT_M = 0.0007
"""At rest: no hull vertex moves further than this in the window."""
PARKED_M = 50.0


def drop(
    bodies: Sequence[Body],
    T_start: FloatArray,
    support_z_m: float,
    clearance_m: float,
    interval_s: float,
    patience_s: float = 4.0,
    around: Sequence[FloatArray] = (),
) -> tuple[FloatArray, bool]:
    """Drop bodies in order and return their (N, 4, 4) T_fixed_obj and whether all of them rest.

    :param T_start: (N, 4, 4) orientation and horizontal position to let go at; the height is
        chosen so that the body's lowest point is ``clearance_m`` above all that lies there.
    :param support_z_m: height of the support.
    :param interval_s: time between letting go of one body and of the next.
    :param patience_s: longest time to wait for rest after the last one.
    :param around: (P, 3) corners of each convex thing that stands fast, fixed frame.
    """
    model = _model(bodies, support_z_m, around)
    data = mujoco.MjData(model)
    top_z_m = support_z_m
    for index, body in enumerate(bodies):
        start = T_start[index].copy()
        start[2, 3] += top_z_m + clearance_m - apply(start, body.hull_m)[:, 2].min()
        # By scipy: heaps of old seeds hang on its last bits.
        x, y, z, w = Rotation.from_matrix(start[:3, :3]).as_quat(canonical=True)
        data.qpos.reshape(-1, 7)[index] = *start[:3, 3], w, x, y, z
        data.qvel.reshape(-1, 6)[index] = 0.0
        for _ in range(int(interval_s / STEP_S)):
            _step(model, data, index + 1)
        lying = _poses(data)[: index + 1]
        tops = [apply(T, b.hull_m)[:, 2].max() for T, b in zip(lying, bodies, strict=False)]
        top_z_m = max(support_z_m, *tops)
    before = _poses(data)
    for _ in range(int(patience_s / REST_WINDOW_S)):
        for _ in range(int(REST_WINDOW_S / STEP_S)):
            _step(model, data, len(bodies))
        after = _poses(data)
        shifts = [
            np.linalg.norm(apply(T_1, body.hull_m) - apply(T_0, body.hull_m), axis=1).max()
            for body, T_0, T_1 in zip(bodies, before, after, strict=True)
        ]
        if max(shifts) < REST_SHIFT_M:
            return after, True
        before = after
    return before, False


def empty_world(support_z_m: float, step_s: float) -> mujoco.MjSpec:
    """Return a world with nothing in it but a level support without end.

    :param support_z_m: its height.
    :param step_s: of the simulation.
    """
    spec = mujoco.MjSpec()
    spec.option.timestep = step_s
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    # Elliptic cones with a high impedance ratio keep a heap from creeping.
    spec.option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    spec.option.impratio = 10.0
    spec.worldbody.add_geom(
        type=mujoco.mjtGeom.mjGEOM_PLANE, size=[1, 1, 0.1], pos=[0, 0, support_z_m], **CONTACT
    )
    return spec


def _model(
    bodies: Sequence[Body], support_z_m: float, around: Sequence[FloatArray]
) -> mujoco.MjModel:
    spec = empty_world(support_z_m, STEP_S)
    for index, corners in enumerate(around):
        spec.add_mesh(name=f'fixed_{index}', uservert=corners.astype(np.float32).ravel())
        spec.worldbody.add_geom(
            type=mujoco.mjtGeom.mjGEOM_MESH, meshname=f'fixed_{index}', **CONTACT
        )
    for index, body in enumerate(bodies):
        spec.add_mesh(name=f'hull_{index}', uservert=body.hull_m.astype(np.float32).ravel())
        part = spec.worldbody.add_body(pos=[PARKED_M + index, 0, support_z_m + 1.0])
        part.add_freejoint()
        part.add_geom(
            type=mujoco.mjtGeom.mjGEOM_MESH,
            meshname=f'hull_{index}',
            density=DENSITY,
            **CONTACT,
        )
    return spec.compile()


def _step(model: mujoco.MjModel, data: mujoco.MjData, released: int) -> None:
    """Step the world; bodies not let go of yet stay parked."""
    parked = data.qpos.reshape(-1, 7)[released:].copy()
    mujoco.mj_step(model, data)
    data.qpos.reshape(-1, 7)[released:] = parked
    data.qvel.reshape(-1, 6)[released:] = 0.0


def _poses(data: mujoco.MjData) -> FloatArray:
    """Return (N, 4, 4) T_fixed_obj of the current state."""
    return np.stack(
        [
            transform(Rotation.from_quat(q[[4, 5, 6, 3]]).as_matrix(), q[:3])
            for q in data.qpos.reshape(-1, 7).copy()
        ]
    )
