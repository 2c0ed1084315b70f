# SPDX-License-Identifier: Apache-2.0
from sam3d_ros.nodes.bus import Bus


def test_every_subscriber_gets_the_object_itself_until_it_unsubscribes() -> None:
    bus = Bus()
    first: list[object] = []
    second: list[object] = []
    leave = bus.subscribe('frames', first.append)
    bus.subscribe('frames', second.append)
    bus.subscribe('tracks', lambda item: second.append('wrong channel'))
    item = object()
    bus.publish('frames', item)
    leave()
    bus.publish('frames', 'later')
    assert first == [item]
    assert second == [item, 'later']
