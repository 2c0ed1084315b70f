# SPDX-License-Identifier: Apache-2.0
"""Looks change what is seen, never where anything is."""

import hashlib

import numpy as np
import pytest

from sam3d_ros.core.errors import ConfigurationError
from sam3d_ros.world.samples import samples
from sam3d_ros.world.suites import make_episode

SMALL = (160, 120)
POSES_AND_CAMERAS = {
    ('demo', 0): ('fa8ed460d460c331', '0e443033f6465913'),
    ('spaced', 0): ('f76508a71e390e50', 'd695980586658e37'),
    ('clutter', 1): ('38c86771534f7e2d', '41dae9855fda3b4a'),
    ('lidar', 0): ('285243db8f85907e', '8cd67eac75b55926'),
    ('single', 3): ('b0ec2402513289ee', '7a8bff3bd6b250e9'),
    ('stacked', 2): ('c316d4c57c79012c', '8672fc49ceb8b116'),
}
"""Digests of T_fixed_obj, and of T_fixed_cam and K, from before there were any looks."""
PLAIN_PICTURES = {
    ('spaced', 0): '878c0c26bb024a6f',
    ('clutter', 1): 'ba7be42b4082b985',
    ('single', 3): 'eb640ddeddbbd78f',
}


def digest(*arrays):
    joined = b''.join(np.ascontiguousarray(array).tobytes() for array in arrays)
    return hashlib.sha256(joined).hexdigest()[:16]


@pytest.mark.parametrize('looks', ['plain', 'photo'])
@pytest.mark.parametrize('suite, seed', POSES_AND_CAMERAS)
def test_poses_and_cameras_are_what_they_were_before_looks(suite, seed, looks):
    episode = make_episode(suite, seed, frames=2, size_px=SMALL, looks=looks)
    found = digest(episode.T_fixed_obj), digest(episode.T_fixed_cam, episode.camera.K)
    assert found == POSES_AND_CAMERAS[suite, seed]


@pytest.mark.parametrize('suite, seed', PLAIN_PICTURES)
def test_plain_pictures_are_what_they_were_before_looks(suite, seed):
    episode = make_episode(suite, seed, frames=2, size_px=SMALL, looks='plain')
    assert digest(*(sample.rgb for sample in samples(episode))) == PLAIN_PICTURES[suite, seed]


def test_photo_looks_change_colours_and_keep_geometry():
    plain, photo = (
        make_episode('spaced', 4, frames=1, size_px=SMALL, looks=looks, clear_chance=0.0)
        for looks in ('plain', 'photo')
    )
    assert [s.name for s in plain.objects] == [s.name for s in photo.objects]
    first, second = next(samples(plain)), next(samples(photo))
    assert np.array_equal(first.truth.instances, second.truth.instances)
    assert np.array_equal(first.rendering.depth_m, second.rendering.depth_m, equal_nan=True)
    assert np.abs(first.rgb.astype(int) - second.rgb).mean() > 10


def test_photos_are_the_same_again_and_change_from_frame_to_frame():
    first, again = (
        list(samples(make_episode('single', 2, frames=2, size_px=SMALL))) for _ in range(2)
    )
    assert all(np.array_equal(a.rgb, b.rgb) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0].rgb, first[1].rgb)


def test_chance_of_glass_changes_nothing_but_glass():
    opaque, clear = (
        make_episode('demo', 1, frames=1, size_px=SMALL, clear_chance=chance)
        for chance in (0.0, 1.0)
    )
    assert not any(solid.material.clear for solid in opaque.objects)
    glasses = [s for s in clear.objects if s.material.clear]
    assert {s.family for s in glasses} == {'bottle', 'mug', 'bowl'}
    for before, after in zip(opaque.objects, clear.objects, strict=True):
        if not after.material.clear:
            assert before.material == after.material
            assert np.array_equal(before.texture.image, after.texture.image)
    sample = next(samples(clear))
    assert (sample.rendering.clear > 0).any()


def test_unknown_looks_are_named():
    with pytest.raises(ConfigurationError, match='cartoon'):
        make_episode('single', 0, frames=1, looks='cartoon')
