# SPDX-License-Identifier: Apache-2.0
"""The synchronisers: upstream's results, without its two traps."""

import random
from types import SimpleNamespace

import pytest

pytest.importorskip('rclpy', reason='no ROS in this environment')

from builtin_interfaces.msg import Time
from std_msgs.msg import Header

from sam3d_ros.ros.compat import message_filters

MS = 1_000_000


def message(milliseconds):
    sec, nanosec = divmod(milliseconds * MS, 10**9)
    return SimpleNamespace(header=Header(stamp=Time(sec=sec, nanosec=nanosec)), ms=milliseconds)


def synchronizer(kind, inputs=2, **arguments):
    filters = [message_filters.SimpleFilter() for _ in range(inputs)]
    sync, pairs = kind(filters, **arguments), []
    sync.registerCallback(lambda *messages: pairs.append(tuple(m.ms for m in messages)))
    return filters, sync, pairs


def approximate(slop=0.02, queue_size=10, **arguments):
    return synchronizer(
        message_filters.ApproximateTimeSynchronizer, slop=slop, queue_size=queue_size, **arguments
    )


def test_equal_stamps_meet_whatever_the_order():
    (a, b), _, pairs = synchronizer(message_filters.TimeSynchronizer, queue_size=5)
    for t in (0, 100, 200):
        a.signalMessage(message(t))
    for t in (200, 150, 0):
        b.signalMessage(message(t))
    assert pairs == [(200, 200), (0, 0)]


def test_the_nearest_within_the_slop_is_taken():
    (a, b), _, pairs = approximate()
    for t in (0, 15, 33):
        b.signalMessage(message(t))
    a.signalMessage(message(18))
    assert pairs == [(18, 15)]


def test_the_slop_is_exclusive_and_zero_never_matches():
    (a, b), _, pairs = approximate(slop=0.02)
    a.signalMessage(message(0))
    b.signalMessage(message(20))
    assert pairs == []
    b.signalMessage(message(19))
    assert pairs == [(0, 19)]
    (a, b), _, pairs = approximate(slop=0.0)
    a.signalMessage(message(0))
    b.signalMessage(message(0))
    assert pairs == []


def test_three_inputs_and_a_full_queue():
    (a, b, c), _, pairs = approximate(inputs=3, queue_size=2)
    for t in (0, 100, 200):
        a.signalMessage(message(t))
        b.signalMessage(message(t + 5))
    c.signalMessage(message(2))
    assert pairs == []
    c.signalMessage(message(202))
    assert pairs == [(200, 205, 202)]


def test_a_message_older_than_a_full_queue_is_dropped():
    (a, b), _, pairs = approximate(queue_size=2)
    b.signalMessage(message(0))
    for t in (100, 200, 0):
        a.signalMessage(message(t))
    assert pairs == []


def test_a_callback_that_raises_leaves_no_lock_behind():
    (a, b), sync, pairs = approximate()

    def fail(*messages):
        raise RuntimeError('no')

    sync.registerCallback(fail)
    with pytest.raises(RuntimeError):
        a.signalMessage(message(0))
        b.signalMessage(message(0))
    with pytest.raises(RuntimeError):
        a.signalMessage(message(50))
        b.signalMessage(message(50))
    assert pairs == [(0, 0), (50, 50)]


@pytest.mark.parametrize('queue_size', [2, 10])
def test_a_looped_recording_goes_on(queue_size):
    (a, b), _, pairs = approximate(queue_size=queue_size)
    for _ in range(3):
        for t in range(0, 3000, 100):
            a.signalMessage(message(t))
            if t % 200:
                b.signalMessage(message(t + 1))
    assert pairs == [(t, t + 1) for t in range(100, 3000, 200)] * 3


def test_headerless_messages_need_to_be_allowed():
    (a, b), _, pairs = approximate()
    for each in (a, b):
        each.signalMessage(SimpleNamespace(ms=1))
    assert pairs == []
    (a, b), _, pairs = approximate(slop=5.0, allow_headerless=True)
    for each in (a, b):
        each.signalMessage(SimpleNamespace(ms=1))
    assert pairs == [(1, 1)]


def test_no_message_is_used_twice_and_pairs_are_within_the_slop():
    random.seed(4)
    (a, b), _, pairs = approximate(queue_size=5)
    stream = [(t + random.randint(-12, 12), a) for t in range(33, 4000, 33)]
    stream += [(t + random.randint(-12, 12), b) for t in range(33, 4000, 33)]
    for t, each in sorted(stream, key=lambda item: item[0] + random.randint(0, 60)):
        each.signalMessage(message(t))
    assert len(pairs) > 100
    assert all(abs(x - y) < 20 for x, y in pairs)
    assert all(len({pair[side] for pair in pairs}) == len(pairs) for side in (0, 1))


@pytest.mark.dds
def test_subscriber_over_dds(graph):
    from sensor_msgs.msg import Image

    node = graph.node()
    filters = [message_filters.Subscriber(node, Image, topic) for topic in ('a', 'b')]
    assert filters[0].getTopic() == 'a' and filters[0].topic_name.endswith('/a')
    sync = message_filters.ApproximateTimeSynchronizer(filters, 10, 0.05)
    pairs = []
    sync.registerCallback(lambda a, b, tag: pairs.append((a, b, tag)), 'tag')
    publishers = [node.create_publisher(Image, topic, 10) for topic in ('a', 'b')]

    def publish():
        for publisher in publishers:
            publisher.publish(Image(header=Header(stamp=Time(sec=7))))

    graph.spin_until(lambda: pairs, each=publish)
    assert pairs[0][0].header.stamp.sec == 7 and pairs[0][2] == 'tag'
