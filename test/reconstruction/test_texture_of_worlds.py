# SPDX-License-Identifier: Apache-2.0
"""Colours against the truth of made-up worlds: texture, vertex colours, the cloud of one frame."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from scipy.spatial import cKDTree

from sam3d_ros.core.types import Instance, Instances, Plane, Track, Tracks, TrackState
from sam3d_ros.geometry.transforms import apply, inverse
from sam3d_ros.reconstruction.config import ReconstructionConfig
from sam3d_ros.reconstruction.reconstructor import ObjectReconstructor
from sam3d_ros.reconstruction.surface.nearest import nearest_feet

pytest.importorskip('mujoco')

from sam3d_ros.bench.shapes.texture import true_look

SEEDS = (0, 1, 2, 4)


@dataclass(frozen=True)
class Errors:
    """Mean colour error (of 255) on what some frame has shown, and on the rest."""

    seen: float
    hidden: float


def run(episode, drawn):
    """Return the textured mesh of object 0 by its true masks, and its pose in the fixed frame."""
    stage = ObjectReconstructor(ReconstructionConfig(backend='geometric'))
    for number, sample in enumerate(drawn):
        mask = sample.truth.instances == 1
        rows, columns = (np.flatnonzero(mask.any(axis=k)) for k in (1, 0))
        box = (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
        frame = sample.frame()
        T = frame.T_fixed_cam
        support = Plane(T[2, :3].copy(), float(T[2, 3] - episode.support_z_m))
        items = (Instance(mask, 1.0, box, 'truth', support=0),)
        instances = Instances(frame.stamp_ns, items, (support,))
        track = Track(1, TrackState.CONFIRMED, number + 1, 0, frame.stamp_ns, 0, 0)
        made = stage.reconstruct(frame, Tracks(frame.stamp_ns, instances, (track,))).items[0]
    mesh = replace(made.mesh, texture=stage.texture_source(1).texture())
    return mesh, T @ made.T_cam_obj


def errors_of(seed):
    from sam3d_ros.world.samples import samples
    from sam3d_ros.world.suites import make_episode

    episode = make_episode('single', seed, frames=3, looks='plain')
    drawn = tuple(samples(episode))
    mesh, T_fixed_obj = run(episode, drawn)
    look = true_look(episode, drawn, 0)
    points, truth, seen = look.points, look.colors, look.seen
    feet = nearest_feet(
        apply(inverse(T_fixed_obj), points).astype(np.float32), mesh.vertices_m, mesh.faces
    )
    corner_colors = mesh.colors[mesh.faces[feet.faces]].astype(float)
    size = np.array(mesh.texture.image.shape[1::-1])
    texels = np.einsum('pc,pcx->px', feet.weights, mesh.texture.uv[feet.faces]) * size
    column, row = np.clip(texels, 0, size - 1).astype(int).T
    frame, mask = drawn[-1].frame(), drawn[-1].truth.instances == 1
    mask &= np.isfinite(frame.depth_m)
    cloud = apply(frame.T_fixed_cam, frame.pointmap[mask].astype(np.float64))
    shown = {
        'texture': mesh.texture.image[row, column],
        'vertices': np.einsum('pc,pcx->px', feet.weights, corner_colors),
        'cloud': frame.rgb[mask][cKDTree(cloud).query(points)[1]],
    }
    error = {name: np.abs(colors - truth).mean(axis=1) for name, colors in shown.items()}
    return {name: Errors(e[seen].mean(), e[~seen].mean()) for name, e in error.items()}


@pytest.fixture(scope='module')
def errors():
    """Return the mean errors over the seeds by what was coloured how."""
    every = [errors_of(seed) for seed in SEEDS]
    return {
        name: Errors(
            *(float(np.mean([getattr(one[name], k) for one in every])) for k in ('seen', 'hidden'))
        )
        for name in every[0]
    }


def test_a_texture_is_nearer_to_the_truth_than_vertex_colours_and_one_frame(errors):
    assert errors['texture'].seen < 8, errors
    assert errors['texture'].seen < 0.97 * errors['vertices'].seen, errors
    assert errors['texture'].seen < 0.95 * errors['cloud'].seen, errors


def test_the_hidden_side_is_nearer_to_the_truth_than_the_nearest_colour_seen(errors):
    assert errors['texture'].hidden < 0.95 * errors['cloud'].hidden, errors
