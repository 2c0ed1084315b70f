# SPDX-License-Identifier: Apache-2.0
"""Suites of places: things rest, share no space and are seen; empty ones are empty."""

from itertools import combinations

import numpy as np
import pytest

from sam3d_ros.geometry.transforms import apply
from sam3d_ros.world.bed import Bed
from sam3d_ros.world.places import PLACES
from sam3d_ros.world.placing import Body, shared_volume
from sam3d_ros.world.render import Renderer
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
    for part in map(Body, episode.surroundings):
        for body, T in zip(bed.bodies, poses, strict=True):
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
