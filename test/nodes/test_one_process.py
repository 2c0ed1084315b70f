# SPDX-License-Identifier: Apache-2.0
"""The graph in one process: stage data over the bus, results over DDS all the same."""

import pytest

from sam3d_ros.cli.config import every_option
from sam3d_ros.messages import topics
from sam3d_ros.nodes.bus import Bus
from sam3d_ros.nodes.links import FRAMES
from sam3d_ros.nodes.managed_node import ALL_GROUPS

pytestmark = pytest.mark.dds


def test_objects_come_out_although_no_stage_data_goes_over_dds(ros, frames, play):
    graph = ros.graph('/together', bus=Bus())
    camera, objects = graph.camera(), graph.listen(topics.OBJECTS)
    stages = [FRAMES.topic, topics.INSTANCES, topics.RECONSTRUCTIONS]
    for topic in stages:
        assert ros.node.count_subscribers(topic.resolve('/together')) == 0
    assert len(play(camera, objects, frames(3)).objects) == 2
    outside = graph.listen(topics.INSTANCES)
    ros.until(lambda: ros.node.count_publishers(topics.INSTANCES.resolve('/together')) == 1)
    play(camera, objects, frames(1))
    assert len(outside.wait().instances) >= 2
    graph.close()


def test_every_option_of_a_session_reaches_it(ros):
    graph = ros.graph('/optional', {'people.use': 'none', 'tracking.mend': False}, bus=Bus())
    node = graph.nodes['objects']
    assert node.config('people').use == 'none' and not node.config('tracking').mend
    read = {name for item in graph.nodes.values() for name in item._groups}
    assert {item.name.split('.')[0] for item in every_option()} - read == {'masks3d'}
    assert {'masks3d', *read} - {'node'} <= set(ALL_GROUPS)
    graph.close()


def test_a_deactivated_node_rests_and_an_activated_one_goes_on(ros, frames, play):
    from lifecycle_msgs.msg import Transition
    from lifecycle_msgs.srv import ChangeState

    graph = ros.graph('/resting', bus=Bus())
    camera, objects = graph.camera(), graph.listen(topics.OBJECTS)
    play(camera, objects, frames(2))
    for transition in (Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_ACTIVATE):
        answer = graph.call(
            ChangeState, 'objects/change_state', transition=Transition(id=transition)
        )
        assert answer.success
        if transition == Transition.TRANSITION_DEACTIVATE:
            assert not graph.nodes['objects']._closers
    assert len(play(camera, objects, frames(2)).objects) == 2
    graph.close()
