# SPDX-License-Identifier: Apache-2.0
"""Bench of physics: would the published scene stand as it is? It is let go and watched (MuJoCo).

Every object becomes a free body of its convex parts, where it is published, on the true support.
What hovers falls, what penetrates is thrown apart, what is bent or too small topples.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sam3d_ros.bench.harness import BenchOptions, Measurement, Picture, Table, Value
from sam3d_ros.bench.metrics.scoring import PosedMesh, within_region
from sam3d_ros.bench.pictures import compare_meshes
from sam3d_ros.bench.reconstruction import posed
from sam3d_ros.bench.worlds import cases
from sam3d_ros.core.types import FloatArray
from sam3d_ros.geometry.convex import convex_parts
from sam3d_ros.geometry.transforms import apply, from_quaternion, rotation_angle
from sam3d_ros.session.session import Session

if TYPE_CHECKING:
    import mujoco

LOG = logging.getLogger(__name__)
COUNTS = {'spaced': (6, 1), 'clutter': (4, 1)}
"""Episodes of each suite: full, quick."""
STEP_S, SETTLE_S = 0.001, 1.0
MOST_PARTS = 16
WORST_PICTURED = 10
STAYS_M, STAYS_DEG = 0.005, 3.0
PENETRATES_M = 0.002
HEADINGS = {
    'stay': 'stay',
    'moved_p50_mm': 'moved p50, mm',
    'moved_p90_mm': 'moved p90, mm',
    'tilt_p90_deg': 'tilt p90, deg',
    'support_gap_p50_mm': 'over the support p50, mm',
    'penetration_p90_mm': 'into others p90, mm',
    'penetrating': 'into others > 2 mm',
}


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


def run(options: BenchOptions) -> Measurement:
    """Let go of the scenes that the configured pipeline publishes, with its own masks."""
    values: dict[str, Value] = {}
    rows = []
    pictures: list[Picture] = []
    for suite in options.chosen(COUNTS):
        full, quick = COUNTS[suite]
        settled: dict[str, list[Settled]] = {'own': [], 'truth': []}
        gallery: list[tuple[float, Picture]] = []
        for case in cases(suite, quick if options.quick else full, options):
            session = Session.from_config(options.config)
            for frame in case.frames:
                scene = session.step(frame).scene
            truth = [item.mesh for item in case.truth]
            bounds = np.array([mesh.bounds() for mesh in truth])
            found = [
                mesh
                for mesh in posed(scene)
                if within_region(mesh.bounds().mean(axis=0)[None], bounds)[0]
            ]
            settled['own'].append(let_go(found, case.support_z_m))
            settled['truth'].append(let_go(truth, case.support_z_m))
            share = float(settled['own'][-1].stays.mean()) if found else 0.0
            caption = f'{case.name}: image, truth, result, both from behind; {share:.2f} stay'
            gallery.append((share, compare_meshes(caption, case.frames[-1], truth, found)))
        for way, scenes in settled.items():
            figures = figures_of(scenes)
            values |= {f'{suite}_{way}_{name}': value for name, value in figures.items()}
            label = f'{suite}, {"ours" if way == "own" else "the true meshes"}'
            rows.append((label, *(f'{value:.2f}' for value in figures.values())))
        gallery.sort(key=lambda scored: scored[0])
        pictures += [picture for _, picture in gallery[:WORST_PICTURED]]
    title = (
        f'let go for {SETTLE_S:.0f} s; stay: within {1e3 * STAYS_M:.0f} mm and {STAYS_DEG:.0f} deg'
    )
    table = Table(title, ('', *HEADINGS.values()), tuple(rows))
    return Measurement('physics', values, (table,), tuple(pictures))


def let_go(meshes: Sequence[PosedMesh], support_z_m: float) -> Settled:
    """Return what becomes of objects that are let go where they are.

    :param meshes: with faces, in a fixed frame whose z is up.
    :param support_z_m: height of the plane that they stand on.
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
    for _ in range(int(SETTLE_S / STEP_S)):
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


def figures_of(settled: Sequence[Settled]) -> dict[str, float]:
    """Return the figures of some scenes together; NaN when they hold no object."""

    def quantile(name: str, q: float, factor: float = 1e3) -> float:
        every = np.concatenate([getattr(scene, name) for scene in settled])
        return factor * float(np.quantile(every, q)) if len(every) else float('nan')

    every = np.concatenate([scene.stays for scene in settled])
    depths = np.concatenate([scene.penetration_m for scene in settled])
    return {
        'stay': float(every.mean()) if len(every) else float('nan'),
        'moved_p50_mm': quantile('moved_m', 0.5),
        'moved_p90_mm': quantile('moved_m', 0.9),
        'tilt_p90_deg': quantile('tilt_deg', 0.9, 1.0),
        'support_gap_p50_mm': quantile('gap_m', 0.5),
        'penetration_p90_mm': quantile('penetration_m', 0.9),
        'penetrating': float((depths > PENETRATES_M).mean()) if len(depths) else float('nan'),
    }


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
