# SPDX-License-Identifier: Apache-2.0
"""Topics are named as documented and have types that are known."""

import pytest

from sam3d_ros.messages import topics
from sam3d_ros.messages.topics import Quality, Topic
from sam3d_ros.messages.typestore import typestore

TOPICS = [value for value in vars(topics).values() if isinstance(value, Topic)]


@pytest.mark.parametrize('topic', TOPICS, ids=lambda topic: topic.name)
def test_types_are_known(topic):
    assert topic.type in typestore().fielddefs


def test_names_and_quality_are_the_documented_ones():
    documented = {
        '/sam3d/pointmap/points': Quality.SENSOR_DATA,
        '/sam3d/segmentation/instances': Quality.RELIABLE,
        '/sam3d/segmentation/overlay': Quality.SENSOR_DATA,
        '/sam3d/scene/objects': Quality.LATCHED,
        '/sam3d/scene/markers': Quality.LATCHED,
        '/sam3d/scene/detections': Quality.RELIABLE,
        '/sam3d/scene/collision_objects': Quality.RELIABLE,
        '/tf': Quality.TF,
    }
    found = {topic.resolve(): topic.quality for topic in TOPICS}
    assert documented.items() <= found.items()


def test_another_namespace_moves_all_but_tf():
    assert topics.OBJECTS.resolve('/left/sam3d') == '/left/sam3d/scene/objects'
    assert topics.TF.resolve('/left/sam3d') == '/tf'
