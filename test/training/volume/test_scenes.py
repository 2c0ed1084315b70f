# SPDX-License-Identifier: Apache-2.0
"""Rendered frames show the right object in the right colour."""

import numpy as np
import pytest
import trimesh

from sam3d_ros.core.types import Camera
from sam3d_ros.training.volume.objects import make_object
from sam3d_ros.training.volume.scenes import Placed, Renderer, draw_orbit
from sam3d_ros.world.solid import Solid

CAMERA = Camera(160, 120, np.array([[150.0, 0, 79.5], [0, 150.0, 59.5], [0, 0, 1]]))


@pytest.fixture(scope='module')
def rendering():
    ball = trimesh.creation.icosphere(subdivisions=3, radius=0.05)
    colors = np.where(ball.vertices[:, 2:] > 0, [220, 20, 20], [20, 20, 220]).astype(np.uint8)
    vertices, faces = np.asarray(ball.vertices, np.float32), np.asarray(ball.faces, np.int32)
    item = make_object(Solid('ball', vertices, faces, colors, 'ball'))
    pose = np.eye(4)
    pose[2, 3] = 0.05
    renderer = Renderer([Placed(item, 1.0, pose)], np.random.default_rng(4))
    return renderer.render(CAMERA, draw_orbit(1, np.random.default_rng(1))[0])


def test_colours_are_those_of_the_side_that_is_seen(rendering):
    own = rendering.rgb[rendering.ids == 0].astype(int)
    assert len(own) > 100
    red, blue = own[:, 0] > 2 * own[:, 2], own[:, 2] > 2 * own[:, 0]
    # Seen from above, the upper half shows most; the seam between the halves blends.
    assert red.mean() > 0.6 and blue.any() and (red | blue).mean() > 0.9


def test_shading_follows_the_surface_and_the_table_has_one_colour(rendering):
    red = rendering.rgb[(rendering.ids == 0) & (rendering.rgb[..., 0] > rendering.rgb[..., 2])]
    assert np.ptp(red[:, 0].astype(int)) > 20
    table = rendering.rgb[(rendering.ids < 0) & np.isfinite(rendering.depth_m)]
    assert np.ptp(table.astype(int), axis=0).max() <= 1


def test_nothing_is_black(rendering):
    assert not rendering.rgb[np.isinf(rendering.depth_m)].any()
