# SPDX-License-Identifier: Apache-2.0
"""The live graph over DDS: what goes in as images comes out as objects, and nothing is lost."""

from dataclasses import replace

import numpy as np
import pytest

from sam3d_ros.core.types import ObjectState
from sam3d_ros.geometry.transforms import apply, inverse, rotation_angle
from sam3d_ros.messages import topics
from sam3d_ros.messages.scene import scene_from
from sam3d_ros.pipeline.config import PipelineConfig
from sam3d_ros.pipeline.pipeline import Pipeline

pytestmark = pytest.mark.dds

CENTERS = ((0.0, 0.15, 0.06), (0.05, -0.15, 0.05))


@pytest.fixture(scope='module')
def graph(ros):
    return ros.graph('/live')


@pytest.fixture
def objects(graph):
    """Return a listener to the objects of a graph that knows none."""
    from sam3d_msgs.srv import ClearScene

    listener = graph.listen(topics.OBJECTS)
    assert graph.call(ClearScene, 'scene/clear').success
    listener.clear()
    yield listener
    listener.close()


def centers(message):
    """Return the box centres of an object array in the fixed frame, sorted by y."""
    scene = scene_from(message)
    found = [apply(item.T_fixed_obj, item.box_center_m) for item in scene.objects]
    return np.array(sorted(found, key=lambda center: -center[1])).reshape(-1, 3)


@pytest.mark.parametrize('quality', [topics.Quality.SENSOR_DATA, topics.Quality.RELIABLE])
def test_boxes_are_found_where_they_are_whatever_the_reliability(
    graph, objects, frames, play, quality
):
    camera = graph.camera(quality=quality)
    message = play(camera, objects, frames(3, size=(240, 180)))
    camera.close()
    assert [item.state for item in scene_from(message).objects] == [ObjectState.VISIBLE] * 2
    np.testing.assert_allclose(centers(message), CENTERS, atol=0.01)
