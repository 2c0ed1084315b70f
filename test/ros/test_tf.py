# SPDX-License-Identifier: Apache-2.0
"""TF in a node: the tree listens, inputs wait without blocking, the fixed frame is chosen once."""

import numpy as np
import pytest

pytest.importorskip('tf2_msgs', reason='no ROS interfaces in this environment')

from geometry_msgs.msg import TransformStamped
from tf2_msgs.msg import TFMessage

from sam3d_ros.core.errors import TransformError
from sam3d_ros.geometry.transform_tree import ExtrapolationError, TransformTree
from sam3d_ros.messages.topics import TF, TF_STATIC
from sam3d_ros.ros.qos import profile
from sam3d_ros.ros.tf import FixedFrameChoice, LiveTransforms, TransformWait

S = 1_000_000_000


class Stopwatch:
    seconds = 0.0

    def __call__(self):
        return self.seconds


class Waiting:
    """A wait on a tree, for stamps as inputs."""

    def __init__(self, deadline_s=1.0):
        self.tree, self.ready, self.now = TransformTree(), [], Stopwatch()
        self.wait = TransformWait(self._check, self.ready.append, deadline_s, self.now)

    def _check(self, stamp_ns):
        self.tree.lookup('map', 'camera', stamp_ns)

    def know(self, seconds):
        self.tree.add('map', 'camera', np.eye(4), round(seconds * S))
        self.wait.recheck()


def test_inputs_wait_in_order_and_leave_when_tf_comes():
    world = Waiting()
    world.know(1)
    for stamp in (1, 2, 3):
        world.wait.put(stamp * S)
    assert world.ready == [1 * S] and len(world.wait) == 2
    assert 'after its latest' in world.wait.reason
    world.know(2)
    assert world.ready == [1 * S, 2 * S]
    world.know(5)
    assert world.ready == [1 * S, 2 * S, 3 * S]
    assert (len(world.wait), world.wait.dropped, world.wait.reason) == (0, 0, '')


def test_after_the_deadline_inputs_are_dropped_and_counted():
    world = Waiting(deadline_s=0.5)
    world.wait.put(1 * S)
    world.now.seconds = 0.4
    world.wait.put(2 * S)
    world.now.seconds = 0.6
    world.wait.recheck()
    assert (world.wait.dropped, len(world.wait), world.ready) == (1, 1, [])
    assert '"map"' in world.wait.reason


def test_what_tf_can_never_tell_is_dropped_at_once():
    world = Waiting()
    world.know(10)
    world.know(11)
    world.wait.put(1 * S)
    assert (world.wait.dropped, len(world.wait)) == (1, 0)
    assert 'before its oldest' in world.wait.reason


def test_the_deadline_alone_says_how_many_wait():
    world = Waiting()
    stamps = [round((1 + number / 30) * S) for number in range(60)]
    for stamp in stamps:
        world.wait.put(stamp)
    world.know(1)
    world.know(3)
    assert world.ready == stamps and world.wait.dropped == 0


def test_those_that_had_to_wait_are_handed_on_as_late():
    ready, late, is_known = [], [], [True]

    def check(item):
        if not is_known[0]:
            raise TransformError('not yet')

    wait = TransformWait(check, ready.append, 1.0, late=late.append)
    wait.put(1)
    is_known[0] = False
    wait.put(2)
    wait.put(3)
    is_known[0] = True
    wait.recheck()
    wait.put(4)
    assert (ready, late) == ([1, 4], [2, 3])


def test_an_input_that_cannot_wait_longer_does_not_hold_up_the_next():
    ready = []

    def check(item):
        if item == 'late':
            raise ExtrapolationError('late', wanted='', is_future=False)
        if item == 'never':
            raise TransformError('never')

    wait = TransformWait(check, ready.append, 0.0)
    for item in ('late', 'never', 'good'):
        wait.put(item)
    assert ready == ['good'] and wait.dropped == 2


def test_the_fixed_frame_is_chosen_once():
    tree, now = TransformTree(), Stopwatch()
    choice = FixedFrameChoice(tree, '', 2.0, now)
    assert choice('camera') is None
    tree.add('odom', 'camera', np.eye(4))
    assert choice('camera') == 'odom' and choice.complaint('camera') == ''
    tree.add('map', 'odom', np.eye(4))
    assert choice('camera') == 'odom'
    assert '"odom", chosen before TF named "map"' in choice.complaint('camera')


def test_the_fixed_frame_is_not_the_mount_while_tf_that_moves_may_come():
    tree, now = TransformTree(), Stopwatch()
    tree.add('base', 'camera', np.eye(4))
    late, choice = (FixedFrameChoice(tree, '', 2.0, now, lambda: True) for _ in range(2))
    assert late('camera') is None
    now.seconds = 2.0
    assert late('camera') == 'base' and choice('camera') is None
    tree.add('odom', 'base', np.eye(4), stamp_ns=5)
    assert choice('camera') == 'odom' and choice.complaint('camera') == ''


def test_without_tf_the_camera_itself_is_fixed_after_a_while():
    tree, now = TransformTree(), Stopwatch()
    choice = FixedFrameChoice(tree, '', 2.0, now)
    assert choice('camera') is None
    now.seconds = 2.0
    assert choice('camera') == 'camera'
    configured = FixedFrameChoice(tree, 'base', 2.0, now)
    assert configured('camera') == 'base' and configured.complaint('camera') == ''


def stamped(parent, child, x, seconds, w=1.0):
    message = TransformStamped(child_frame_id=child)
    message.header.frame_id = parent
    message.header.stamp.sec = seconds
    message.transform.translation.x = x
    message.transform.rotation.w = w
    return message


@pytest.mark.dds
def test_the_tree_hears_both_topics(graph):
    node, news = graph.node('listener'), []
    live = LiveTransforms(node, lambda: news.append(1))
    talker = graph.node('talker')
    static, moving = (
        talker.create_publisher(TFMessage, topic.name, profile(topic.quality))
        for topic in (TF_STATIC, TF)
    )
    static.publish(TFMessage(transforms=[stamped('base', 'camera', 1.0, 0)]))
    wrong = stamped('map', 'wrong', 1.0, 3, w=0.0)
    graph.spin_until(
        lambda: live.tree.knows('camera') and live.tree.knows('map') and live.refused,
        each=lambda: moving.publish(TFMessage(transforms=[wrong, stamped('map', 'base', 2.0, 3)])),
    )
    assert live.tree.lookup('map', 'camera', 3 * S)[0, 3] == 3 and news
    assert live.tree.bounds('base', 'camera') is None and live.may_move
    live.clear()
    assert not live.tree.knows('map') and live.tree.knows('camera')
    live.close()
