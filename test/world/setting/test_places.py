# SPDX-License-Identifier: Apache-2.0
"""Suites of places: things rest, share no space and are seen; empty ones are empty."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from sam3d_ros.geometry.transforms import apply
from sam3d_ros.world.rendering.render import Renderer
from sam3d_ros.world.setting.bed import Bed, box_of
from sam3d_ros.world.setting.places import PLACES
from sam3d_ros.world.setting.placing import Body, shared_volume
from sam3d_ros.world.suites import make_episode

SMALL = (160, 120)
EMPTY = [name for name in PLACES if name.startswith('empty')]
FULL = [name for name in PLACES if name not in EMPTY]
SEEDS = range(3)


def picture(episode):
    """Return the id image of the first frame and the depth behind it."""
    renderer = Renderer(episode.objects, episode.surroundings)
    drawn = renderer.render(episode.camera, episode.T_fixed_cam[0], episode.T_fixed_obj[0])
    return drawn.instances, drawn.depth_m


def pieces(solid):
    """Yield the connected parts of a solid, each as a body."""
    first, second = solid.faces[:, [0, 1, 2]].reshape(-1), solid.faces[:, [1, 2, 0]].reshape(-1)
    count = len(solid.vertices_m)
    graph = coo_matrix((np.ones(len(first)), (first, second)), (count, count))
    number, label = connected_components(graph, directed=False)
    for k in range(number):
        faces = solid.faces[label[solid.faces[:, 0]] == k]
        used, inverse = np.unique(faces, return_inverse=True)
        yield Body(
            replace(
                solid,
                vertices_m=solid.vertices_m[used],
                faces=inverse.reshape(-1, 3).astype(np.int32),
                colors=solid.colors[used],
                texture=None,
            )
        )


def overlap(part, box):
    vertices = part.solid.vertices_m
    return (vertices.min(axis=0) < box[1]).all() and (vertices.max(axis=0) > box[0]).all()


@pytest.mark.parametrize('seed', SEEDS)
@pytest.mark.parametrize('name', FULL)
def test_things_rest_apart_and_are_seen(name, seed):
    episode = make_episode(name, seed, frames=1, size_px=SMALL)
    poses = episode.T_fixed_obj[0]
    bed = Bed(episode.surroundings)
    for solid, T in zip(episode.objects, poses, strict=True):
        bed.add(Body(solid), T)
    for body, T in zip(bed.bodies, poses, strict=True):
        gap, _ = bed.fall(body, T)
        assert 0 <= gap < 0.005, f'{body.solid.name} is {gap:.4f} m above what is below it'
    for i, j in combinations(range(len(poses)), 2):
        assert shared_volume(bed.bodies[i], poses[i], bed.bodies[j], poses[j]) <= 0.01
    boxes = [box_of(body, T) for body, T in zip(bed.bodies, poses, strict=True)]
    for part in (piece for solid in episode.surroundings for piece in pieces(solid)):
        for body, T, box in zip(bed.bodies, poses, boxes, strict=True):
            if not overlap(part, box):
                continue
            assert part.contains(apply(T, body.interior_m)).mean() <= 0.01, part.solid.name
    instances, depth = picture(episode)
    seen = len(np.unique(instances[instances > 0]))
    assert seen >= 0.5 * len(episode.objects) and np.nanmin(depth) > 0.1
    assert len({solid.name for solid in episode.objects}) == len(episode.objects)


@pytest.mark.parametrize('seed', SEEDS)
@pytest.mark.parametrize('name', EMPTY)
def test_empty_places_have_no_objects(name, seed):
    episode = make_episode(name, seed, frames=1, size_px=SMALL)
    instances, depth = picture(episode)
    assert episode.objects == () and episode.T_fixed_obj.shape == (1, 0, 4, 4)
    assert (instances == 0).all() and np.isfinite(depth).mean() > 0.5
